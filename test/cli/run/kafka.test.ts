import fs from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { expect } from 'chai';
import { useKafka } from '../../support/kafka.ts';
import { randomName } from '../../support/random-name.ts';
import { COMMANDS_MS, type Ended, Sandbox } from './sandbox.ts';

const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';

function csv(rows: number, shift = 0): string {
  const line = (row: number): string =>
    `2026-01-01 00:00:00.000,d${String(row)},0,0,9,${String(((row * 7 + shift) % 360) - 180)},${String(((row * 3) % 180) - 90)},1`;
  return `${[HEADER, ...Array.from({ length: rows }, (_, row) => line(row))].join('\n')}\n`;
}

/** What is a result, and not the time it took. */
function resultOf({ stdout }: Ended): unknown {
  const { files, model, rows } = JSON.parse(stdout) as Record<string, unknown>;
  return { files, model, rows };
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

describe('geoflock run on Kafka', function () {
  this.timeout(COMMANDS_MS);
  let box: Sandbox;

  beforeEach(() => {
    box = new Sandbox();
  });

  afterEach(async () => {
    await box.remove();
  });

  for (const [how, flags, variable] of [
    ['by flag', true, false],
    ['by environment variable', false, true],
  ] as const) {
    it(`a broker, named ${how}, that cannot be reached: waits, says so, exit code 1 with the remedy`, async () => {
      const broker = `127.0.0.1:${String(await closedPort())}`;
      const began = performance.now();
      const { code, log, stderr, stdout } = await box.once(
        ['--wait-for-broker', '2s', ...(flags ? ['--brokers', broker] : [])],
        variable ? { GEOFLOCK_KAFKA_BROKERS: broker } : {},
      );
      expect([code, stdout]).to.deep.equal([1, '']);
      expect(performance.now() - began).to.be.above(2_000);
      expect(log.filter(({ level }) => level === 'warn')).to.have.length(1);
      expect(log.map(({ msg }) => msg)).to.include('waiting for Kafka');
      const told = stderr.split('\n').filter((line) => line.startsWith('geoflock: '));
      expect(told).to.have.length(1);
      expect(told[0]).to.match(
        new RegExp(`Kafka at ${broker} cannot be reached.*: check the addresses and that the brokers run$`),
      );
      expect(stderr).to.not.match(/^\s+at /m);
      expect(fs.existsSync(box.at('state'))).to.equal(false);
    });
  }

  it('a signal ends the wait for the broker at once', async () => {
    const nobody = `127.0.0.1:${String(await closedPort())}`;
    // Longer than the test waits for the end.
    const waiting = box.start(['--wait-for-broker', '1h', '--brokers', nobody]);
    await waiting.told(/waiting for Kafka/);
    waiting.child.kill('SIGINT');
    expect((await waiting.ended).code).to.equal(130);
  });

  it('a certificate that is not there: exit code 2 and the key to correct', async () => {
    box.configure('broker: { kafka: { brokers: [nowhere], tls: { enabled: true, ca: none.pem } } }');
    const { code, stderr } = await box.once();
    expect(code).to.equal(2);
    expect(stderr).to.match(/broker\.kafka\.tls\.ca: ".*none\.pem": expected a readable file/);
    expect(stderr).to.not.match(/^\s+at /m);
  });

  describe('that is there', () => {
    const brokers = useKafka();

    function settings(prefix: string, more = ''): string {
      return `topics: { prefix: ${prefix}, partitions: 2 ${more} }\n`;
    }

    function onKafka(): Promise<Ended> {
      return box.once(['--brokers', brokers().join(',')]);
    }

    it('gives the bytes that the embedded broker gives, and says the same when nothing is new', async () => {
      box.configure(settings(`${randomName()}-`));
      box.put('a.csv', csv(2_000), 60_000);
      box.put('b.csv', `${csv(1_000, 11)}bad\n`, 50_000);
      const embedded = await box.once();
      const model = fs.readFileSync(box.at('report', 'model.json'));
      fs.rmSync(box.at('state'), { recursive: true });
      const first = await onKafka();
      expect([embedded.code, first.code]).to.deep.equal([0, 0]);
      expect(resultOf(first)).to.deep.equal(resultOf(embedded));
      expect(fs.readFileSync(box.at('report', 'model.json')).equals(model)).to.equal(true);
      expect(fs.existsSync(box.at('state'))).to.equal(false);
      const again = await onKafka();
      expect([again.code, resultOf(again)]).to.deep.equal([0, resultOf(first)]);
    });

    it('packs rows on a topic of its own, and sends one line a message where the topic was there before', async () => {
      const prefix = `${randomName()}-`;
      box.put('a.csv', csv(10));
      box.configure(settings(prefix));
      const form = ({ log }: Ended): string | undefined =>
        log.find(({ msg }) => msg.startsWith('rows go out'))?.msg;
      expect(form(await onKafka())).to.equal(
        'rows go out in messages of up to 64 KiB: Geoflock made the topic',
      );
      box.put('b.csv', csv(10));
      expect(form(await onKafka())).to.include('up to 64 KiB');
      // To another Geoflock it is somebody else's topic; it counts what the first published too.
      box.configure(settings(prefix, ', group: other'));
      const other = await onKafka();
      expect(form(other)).to.match(/^rows go out in messages of one line: the topic was there before/);
      expect(JSON.parse(other.stdout)).to.deep.nested.include({ 'rows.counted': 40 });
    });

    it('with another number of partitions than the topic: exit code 1, the topic and the remedy', async () => {
      const prefix = `${randomName()}-`;
      box.configure(settings(prefix));
      expect((await onKafka()).code).to.equal(0);
      box.configure(`topics: { prefix: ${prefix}, partitions: 3 }`);
      const { code, stderr, stdout } = await onKafka();
      expect([code, stdout]).to.deep.equal([1, '']);
      expect(stderr).to.match(
        new RegExp(`^geoflock: topic ${prefix}mobile_data has 2 partitions .*: set the number to 2, or`, 'm'),
      );
      expect(stderr).to.not.match(/^\s+at /m);
    });
  });
});
