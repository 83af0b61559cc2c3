import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { ConfigurationError } from '../../src/config/errors.ts';
import { type KafkaConnectionSettings, kafkaConnection } from '../../src/config/kafka-connection.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { createTokenSource } from '../../src/config/oauth-token.ts';
import { CERTIFICATE, KEY } from '../support/certificate.ts';

function connection(settings: Readonly<Record<string, string>>): KafkaConnectionSettings {
  const environment = Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [`GEOFLOCK_KAFKA_${key}`, value]),
  );
  const { configuration } = loadConfiguration({
    environment: { GEOFLOCK_KAFKA_BROKERS: 'kafka', ...environment },
  });
  return kafkaConnection(configuration.broker.kafka, () => 0);
}

function problemOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigurationError) {
      return error.problems.join('\n');
    }
    throw error;
  }
  throw new Error('it was accepted');
}

describe('the connection to Kafka', () => {
  let folder: string;
  const file = (name: string, content: string): string => {
    const at = path.join(folder, name);
    fs.writeFileSync(at, content);
    return at;
  };

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-tls-'));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  it('has neither TLS nor SASL unless told to', () => {
    expect(connection({})).to.deep.equal({ warnings: [] });
  });

  it('reads the files of TLS', () => {
    const made = connection({
      TLS_ENABLED: 'true',
      TLS_CA: file('ca.pem', CERTIFICATE),
      TLS_CERT: file('cert.pem', CERTIFICATE),
      TLS_KEY: file('key.pem', KEY),
      TLS_SERVERNAME: 'broker.test',
    });
    expect(made).to.deep.equal({
      tls: {
        rejectUnauthorized: true,
        servername: 'broker.test',
        ca: CERTIFICATE,
        cert: CERTIFICATE,
        key: KEY,
      },
      warnings: [],
    });
  });

  it('trusts what Node trusts where no authority is named', () => {
    // An empty or undefined `servername` would take the place of the host's name.
    expect(connection({ TLS_ENABLED: 'true' }).tls).to.deep.equal({ rejectUnauthorized: true });
  });

  it('names the key of a file that cannot be read', () => {
    const none = path.join(folder, 'none.pem');
    expect(problemOf(() => connection({ TLS_ENABLED: 'true', TLS_CA: none }))).to.match(
      /^broker\.kafka\.tls\.ca: ".*none\.pem": expected a readable file \(ENOENT/,
    );
  });

  it('names the key of a file that is something else', () => {
    const other = file('ca.pem', 'not a certificate');
    expect(problemOf(() => connection({ TLS_ENABLED: 'true', TLS_CA: other }))).to.match(
      /^broker\.kafka\.tls\.ca: ".*ca\.pem": expected a PEM file, with -----BEGIN CERTIFICATE-----/,
    );
  });

  it('refuses a key that does not belong to the certificate', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const foreign = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const settings = {
      TLS_ENABLED: 'true',
      TLS_CERT: file('cert.pem', CERTIFICATE),
      TLS_KEY: file('key.pem', foreign),
    };
    expect(problemOf(() => connection(settings))).to.match(
      /^broker\.kafka\.tls: .*the key that belongs to it/,
    );
  });

  it('passes user and password on, and warns of sending them in clear', () => {
    const login = { SASL_MECHANISM: 'plain', SASL_USERNAME: 'ali', SASL_PASSWORD: 'sesame' };
    const { sasl, warnings } = connection(login);
    expect(sasl).to.deep.equal({ mechanism: 'plain', username: 'ali', password: 'sesame' });
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.include('broker.kafka.tls.enabled').and.not.to.include('sesame');
    expect(connection({ ...login, TLS_ENABLED: 'true' }).warnings).to.deep.equal([]);
  });
});

describe('tokens for oauthbearer', () => {
  interface Asked {
    readonly headers: IncomingMessage['headers'];
    readonly body: string;
  }
  let server: Server;
  let endpoint: string;
  let asked: Asked[];
  let now: number;
  let answer: { status: number; body: string };

  beforeEach(async () => {
    asked = [];
    now = 0;
    answer = { status: 200, body: JSON.stringify({ access_token: 'token-1', expires_in: 100 }) };
    server = createServer((request, response) => {
      void text(request).then((body) => {
        asked.push({ headers: request.headers, body });
        const location = answer.status === 302 ? { location: '/elsewhere' } : {};
        response.writeHead(answer.status, { connection: 'close', ...location }).end(answer.body);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    endpoint = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/token?tenant=1`;
  });

  afterEach(async () => {
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });

  function source(scope?: string): () => Promise<{ readonly value: string }> {
    return createTokenSource({ endpoint, clientId: 'a b', clientSecret: 's%:c', scope, now: () => now });
  }

  it('are asked for with the client credentials', async () => {
    expect(await source('kafka read')()).to.deep.equal({ value: 'token-1' });
    const [request] = asked;
    expect(request?.body).to.equal('grant_type=client_credentials&scope=kafka+read');
    expect(request?.headers['content-type']).to.match(/^application\/x-www-form-urlencoded/);
    const basic = Buffer.from(String(request?.headers.authorization).replace('Basic ', ''), 'base64');
    expect(basic.toString()).to.equal('a%20b:s%25%3Ac');
  });

  it('are used until a tenth of their life is left, and fetched once for all', async () => {
    const token = source();
    await Promise.all([token(), token(), token()]);
    now = 89_999;
    await token();
    expect(asked).to.have.length(1);
    answer = { status: 200, body: JSON.stringify({ access_token: 'token-2', expires_in: 100 }) };
    now = 90_000;
    expect(await token()).to.deep.equal({ value: 'token-2' });
    expect(asked).to.have.length(2);
  });

  it('that do not say how long they are good are used once', async () => {
    answer = { status: 200, body: JSON.stringify({ access_token: 'token-1' }) };
    const token = source();
    await token();
    await token();
    expect(asked).to.have.length(2);
  });

  const refusals: readonly (readonly [number, string, string, RegExp])[] = [
    [
      401,
      '{"error":"invalid_client","error_description":"who?"}',
      'TokenRefusedError',
      /\/token gives no token: it answers 401, invalid_client, who\?; check broker\.kafka\.sasl\.tokenEndpoint/,
    ],
    [200, '<html>', 'TokenRefusedError', /answers 200; check/],
    [503, '', 'TokenUnavailableError', /\/token answers 503$/],
    [302, '', 'TokenUnavailableError', /does not answer: .*redirect/],
  ];
  for (const [status, body, name, message] of refusals) {
    it(`that are not given (${String(status)} ${body}) end in ${name}, and the next try is anew`, async () => {
      answer = { status, body };
      const token = source();
      const error: unknown = await token().catch((caught: unknown) => caught);
      expect(error).to.be.instanceOf(Error).and.to.include({ name });
      expect(String(error))
        .to.match(message)
        .and.not.to.match(/s%:c|tenant/);
      expect(asked).to.have.length(1);
      answer = { status: 200, body: JSON.stringify({ access_token: 'token-3' }) };
      expect(await token()).to.deep.equal({ value: 'token-3' });
    });
  }

  it('say where they were asked for when nobody answers', async () => {
    await new Promise((resolve) => {
      server.close(resolve);
    });
    const token = source();
    const error: unknown = await token().catch((caught: unknown) => caught);
    expect(error).to.include({ name: 'TokenUnavailableError' });
    expect(String(error)).to.match(/http:\/\/127\.0\.0\.1:\d+\/token does not answer: connect ECONNREFUSED/);
  });
});
