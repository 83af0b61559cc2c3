import fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { AccessDeniedError, BrokerUnavailableError } from '../../../src/broker/errors.ts';
import { loadConfiguration } from '../../../src/config/load.ts';
import { openBroker } from '../../../src/open-broker.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import { CERTIFICATE } from '../../support/certificate.ts';
import { useOwnKafka } from '../../support/kafka.ts';
import { SASL_PASSWORD } from '../../support/kafka-container.ts';
import { randomName } from '../../support/random-name.ts';
import { eventually, failure, readAll, record } from '../helpers.ts';

/** A token that nobody has signed, for the user `subject`. */
function unsignedToken(subject: string): string {
  const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + 300 })}.`;
}

describe('Kafka by TLS and SASL, as configured', () => {
  const kafka = useOwnKafka();
  let folder: string;
  let tokens: Server | undefined;
  let tokenStatus: number;
  let tokensAsked: number;

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-tls-'));
    fs.writeFileSync(path.join(folder, 'ca.pem'), CERTIFICATE);
    const server = createServer((_, response) => {
      tokensAsked++;
      response
        .writeHead(tokenStatus)
        .end(JSON.stringify({ access_token: unsignedToken('admin'), expires_in: 300 }));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    tokens = server;
    await kafka().addScramUser();
  });

  beforeEach(() => {
    tokenStatus = 200;
    tokensAsked = 0;
  });

  after(() => {
    tokens?.close();
    fs.rmSync(folder, { recursive: true });
  });

  async function open(
    settings: Readonly<Record<string, string>>,
    wait = '3s',
  ): ReturnType<typeof openBroker> {
    const all = {
      BROKERS: kafka().tlsBrokers.join(','),
      TLS_ENABLED: 'true',
      TLS_CA: path.join(folder, 'ca.pem'),
      TLS_SERVERNAME: 'broker.test',
      ...settings,
    };
    const environment = Object.fromEntries(
      Object.entries(all).map(([key, value]) => [`GEOFLOCK_KAFKA_${key}`, value]),
    );
    const { configuration } = loadConfiguration({
      environment: { ...environment, GEOFLOCK_BROKER_WAIT: wait, GEOFLOCK_TOPICS_PREFIX: randomName() },
    });
    return await openBroker(configuration, { log: silentLogger, clock: systemClock });
  }

  const password = { SASL_USERNAME: 'admin', SASL_PASSWORD };
  const oauth = (): Record<string, string> => ({
    SASL_MECHANISM: 'oauthbearer',
    SASL_TOKEN_ENDPOINT: `http://127.0.0.1:${String((tokens?.address() as AddressInfo).port)}/token`,
    SASL_CLIENT_ID: 'geoflock',
    SASL_CLIENT_SECRET: 'secret',
  });

  const logins: readonly (readonly [string, () => Record<string, string>])[] = [
    ['plain', () => ({ SASL_MECHANISM: 'plain', ...password })],
    ['scram-sha-256', () => ({ SASL_MECHANISM: 'scram-sha-256', ...password })],
    ['scram-sha-512', () => ({ SASL_MECHANISM: 'scram-sha-512', ...password })],
    ['oauthbearer', oauth],
  ];
  for (const [mechanism, login] of logins) {
    it(`writes and reads with ${mechanism}`, async () => {
      const broker = await open(login());
      const topic = randomName();
      await broker.declareTopics([{ name: topic, kind: 'log', partitions: 1 }]);
      const writer = await broker.openWriter('w');
      const transaction = writer.begin();
      transaction.append(topic, 0, [record('a'), record('b'.repeat(100_000))]);
      await transaction.commit();
      expect(await readAll(broker, 0, 0, topic)).to.deep.equal(['a', 'b'.repeat(100_000)]);
      await broker.close();
    });

    it(`is refused at once with a wrong secret for ${mechanism}`, async () => {
      tokenStatus = 401;
      const wrong = mechanism === 'oauthbearer' ? {} : { SASL_PASSWORD: 'sesame' };
      // Longer than the test may take.
      const error = await failure(open({ ...login(), ...wrong }, '1h'));
      expect(error).to.be.instanceOf(AccessDeniedError);
      expect(String(error)).not.to.contain('sesame');
    });
  }

  it('waits for a token endpoint that is away, as for a broker', async () => {
    tokenStatus = 503;
    const waiting = open(oauth(), '1h');
    await eventually(() => {
      expect(tokensAsked).to.be.at.least(2);
    });
    tokenStatus = 200;
    await (await waiting).close();
    tokenStatus = 503;
    const error = await failure(open(oauth()));
    expect(error).to.be.instanceOf(BrokerUnavailableError);
    expect(String(error)).to.match(/the token endpoint .*\/token answers 503/);
  });

  it('trusts no broker whose certificate it cannot verify, or that is another host', async () => {
    const login = { SASL_MECHANISM: 'plain', ...password };
    for (const [settings, reason] of [
      [{ TLS_CA: '' }, /self-signed certificate/],
      [{ TLS_SERVERNAME: 'other.test' }, /other\.test/],
    ] as const) {
      expect(String(await failure(open({ ...login, ...settings })))).to.match(reason);
    }
    const any = await open({ ...login, TLS_CA: '', TLS_SERVERNAME: '', TLS_REJECT_UNAUTHORIZED: 'false' });
    await any.close();
  });
});
