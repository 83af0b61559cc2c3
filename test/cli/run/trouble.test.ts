import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { sleep, until } from '../../actors/pipeline/support.ts';
import { KafkaPlace } from '../../broker/kafka/fixtures.ts';
import { SASL_PASSWORD } from '../../support/kafka-container.ts';
import { useKafkaContainer, useOwnKafka } from '../../support/kafka.ts';
import { randomName } from '../../support/random-name.ts';
import { COMMANDS_MS, type Ended, lasting, Sandbox, type Started } from './sandbox.ts';

const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';
const QUICK =
  'input: { scanEvery: 300ms, minimumAge: 100ms }\ncheckpoint: { every: 200ms }\nmodel: { every: 200ms }\n';
const CLOCK_TICKS_A_SECOND = 100;
const WITHIN_MS = 90_000;
/** Waits for a broker longer than a test does for the end: what is told at once does not wait. */
const PATIENT = ['--wait-for-broker', '1h'] as const;
const AWAY_MS = 8_000;

function csv(rows: number, device = 'd'): string {
  const line = (row: number): string =>
    `2026-01-01 00:00:00.000,${device}${String(row)},0,0,9,${String((row * 7) % 180)},${String((row * 3) % 90)},1`;
  return `${[HEADER, ...Array.from({ length: rows }, (_, row) => line(row))].join('\n')}\n`;
}

/** What the process says to its user, apart from its log: one line, and no stack. */
function toldUser({ stderr }: Ended): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  expect(lines, stderr).to.have.length(1);
  return lines[0] ?? '';
}

/** User and system time in seconds, and anonymous memory in MB, of a process of Linux. */
function usageOf({ child }: Started): { readonly cpuSeconds: number; readonly rssAnonMb: number } {
  const of = (file: string): string => readFileSync(`/proc/${String(child.pid)}/${file}`, 'utf8');
  const fields = of('stat').split(') ')[1]?.split(' ') ?? [];
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_A_SECOND,
    rssAnonMb: Number(/^RssAnon:\s+(\d+) kB/m.exec(of('status'))?.[1]) / 1024,
  };
}

describe('trouble with the brokers, as the user of the command sees it', function () {
  this.timeout(3 * COMMANDS_MS);
  let box: Sandbox;
  let prefix: string;

  beforeEach(() => {
    box = new Sandbox();
    prefix = `${randomName()}.`;
    box.configure(`topics: { prefix: '${prefix}', partitions: 2 }\n${QUICK}`);
  });

  afterEach(async () => {
    await box.remove();
  });

  /** Rows of the model that was published last. */
  function weight(report = 'report'): number {
    try {
      return (JSON.parse(readFileSync(box.at(report, 'model.json'), 'utf8')) as { weight: number }).weight;
    } catch {
      return 0;
    }
  }

  describe('that are lost while it runs', () => {
    const kafka = useOwnKafka();

    it('waits without work, and goes on by itself when they are back; nothing is lost', async () => {
      const place = ['--brokers', kafka().brokers.join()];
      box.put('first.csv', csv(3_000));
      const running = box.start(place);
      await running.told(/"msg":"watching;/);
      await until('the first file is counted', () => weight() === 3_000, WITHIN_MS);
      await kafka().kill();
      for (let file = 0; file < 20; file++) {
        box.put(`more-${String(file)}.csv`, csv(5_000, `file${String(file)}-`));
      }
      await running.told(/"level":"warn".*"msg":"Kafka does not answer or asks to wait: trying again"/);
      // What it was at is given up first.
      await sleep(AWAY_MS);
      const before = usageOf(running);
      await sleep(AWAY_MS);
      const after = usageOf(running);
      expect(running.child.exitCode).to.equal(null);
      const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
      process.stdout.write(
        `      ${cpuSeconds.toFixed(2)} s of CPU in ${String(AWAY_MS / 1000)} s without a broker\n`,
      );
      // A loop that does not rest takes all of the time that it gets; waiting takes a thirtieth.
      expect(cpuSeconds).to.be.below(AWAY_MS / 1000 / 4);
      expect(after.rssAnonMb).to.be.below(300);
      await kafka().startAgain();
      await until('all files are counted', () => weight() === 103_000, 90_000);
      expect(running.child.exitCode).to.equal(null);
      running.child.kill('SIGTERM');
      const ended = await running.ended;
      expect(ended.code, ended.stderr.slice(-2_000)).to.equal(0);
      const { files, rows } = lasting(await box.once(place));
      expect({ files, rows }).to.deep.equal({
        files: { done: 21, failed: 0 },
        rows: { read: 103_000, counted: 103_000, rejected: 0 },
      });
    });
  });

  describe('that are stopped where they are', () => {
    const kafka = useOwnKafka();

    it('is told by readiness, which is back when they are, and all is counted', async () => {
      box.put('first.csv', csv(3_000));
      const running = box.start(['--brokers', kafka().brokers.join()], {
        GEOFLOCK_HEALTH_BROKER_TIMEOUT: '5s',
      });
      const url = await running.url();
      let readiness = { code: 0, reasons: '' };
      const look = async (): Promise<void> => {
        const response = await fetch(`${url}/readyz`);
        const { reasons } = (await response.json()) as { readonly reasons: readonly string[] };
        readiness = { code: response.status, reasons: reasons.join() };
      };
      const looking = setInterval(() => {
        look().catch(() => undefined);
      }, 200);
      try {
        await until('the first file is counted', () => weight() === 3_000, WITHIN_MS);
        await until('it is ready', () => readiness.code === 200, WITHIN_MS);
        await kafka().freeze();
        box.put('second.csv', csv(2_000, 'more-'));
        await until('that is told', () => readiness.code === 503, 30_000);
        expect(readiness.reasons).to.match(/^the broker has not answered for \d+ s/);
        expect((await fetch(`${url}/livez`)).status).to.equal(200);
        await kafka().thaw();
        await until('it is ready again', () => readiness.code === 200, WITHIN_MS);
        await until('all is counted', () => weight() === 5_000, WITHIN_MS);
      } finally {
        clearInterval(looking);
      }
      expect(running.child.exitCode).to.equal(null);
      running.child.kill('SIGTERM');
      await running.ended;
    });
  });

  describe('that refuse', () => {
    const kafka = useKafkaContainer();
    const onKafka = (): readonly string[] => ['--brokers', kafka().brokers.join()];

    it('a topic that is deleted while it runs ends it: the topic by name, exit code 1', async () => {
      box.put('a.csv', csv(100));
      const running = box.start(onKafka());
      await running.told(/"msg":"watching;/);
      await until('the file is counted', () => weight() === 100, WITHIN_MS);
      await new KafkaPlace(kafka().brokers).outsider.deleteTopics([`${prefix}mobile_data`]);
      const ended = await running.ended;
      expect(ended.code).to.equal(1);
      expect(toldUser(ended)).to.match(
        new RegExp(`^geoflock: .*${prefix}mobile_data.*(deleted|does not know the topic)`),
      );
    });

    it('a message that is too large ends it: record, size and setting; with the setting raised it goes on', async () => {
      const topic = `${prefix}mobile_data`;
      const { outsider } = new KafkaPlace(kafka().brokers);
      const configs = ['--config', 'max.message.bytes=2000'];
      await kafka().tool('kafka-topics', ['--create', '--topic', topic, '--partitions', '2', ...configs]);
      box.put('a.csv', csv(50), 120_000);
      box.put('b.csv', csv(3, 'x'.repeat(5_000)));
      const refused = await box.once(onKafka());
      expect(refused.code).to.equal(1);
      expect(toldUser(refused)).to.match(
        new RegExp(`^geoflock: .*${topic}.* \\d+ bytes.*max\\.message\\.bytes`),
      );
      await outsider.setTopic(topic, { 'max.message.bytes': '1000000' });
      const { files, rows } = lasting(await box.once(onKafka()));
      expect({ files, rows }).to.deep.equal({
        files: { done: 2, failed: 0 },
        rows: { read: 53, counted: 53, rejected: 0 },
      });
    });

    it('a user without rights, and one with a wrong password, are told at once what is refused', async () => {
      box.configure(
        `topics: { prefix: '${prefix}', partitions: 2 }\nbroker: { kafka: { sasl: { mechanism: plain } } }`,
      );
      for (const [username, password, says] of [
        ['nobody', SASL_PASSWORD, /^geoflock: .*(AUTHORIZATION_FAILED|may not create).*kafka-acls/],
        ['admin', 'wrong', /^geoflock: .*refuses the credentials.*check user name, password and mechanism/],
      ] as const) {
        const ended = await box.once([...PATIENT, '--brokers', kafka().saslBrokers.join()], {
          GEOFLOCK_KAFKA_SASL_USERNAME: username,
          GEOFLOCK_KAFKA_SASL_PASSWORD: password,
        });
        expect(ended.code).to.equal(1);
        expect(toldUser(ended)).to.match(says).and.not.contain(SASL_PASSWORD);
      }
    });

    it('a certificate that is not trusted is told at once', async () => {
      box.configure(
        `topics: { prefix: '${prefix}', partitions: 2 }\nbroker: { kafka: { tls: { enabled: true } } }`,
      );
      const ended = await box.once([...PATIENT, '--brokers', kafka().tlsBrokers.join()]);
      expect(ended.code).to.equal(1);
      expect(toldUser(ended)).to.match(/^geoflock: .*certificate.*broker\.kafka\.tls\.ca/);
    });

    it('a replica that is configured otherwise is refused, and the others go on', async () => {
      box.put('a.csv', csv(100));
      const running = box.start(onKafka());
      await running.told(/"msg":"watching;/);
      await until('the file is counted', () => weight() === 100, WITHIN_MS);
      const other = await box.start(['--report', 'report-other', ...onKafka()], {
        GEOFLOCK_REGIONS_FEATURES: '1234',
      }).ended;
      expect(other.code).to.equal(1);
      expect(toldUser(other))
        .to.contain('regions.features 1234')
        .and.contain('regions.features 4000')
        .and.contain('the same configuration');
      box.put('b.csv', csv(100, 'e'));
      await until('the next file is counted', () => weight() === 200, WITHIN_MS);
      running.child.kill('SIGTERM');
      expect((await running.ended).code).to.equal(0);
    });
  });
});
