import { expect } from 'chai';
import { asFile, rowLines } from '../actors/pipeline/support.ts';
import { COMMANDS_MS, type OnceJson, lasting, Sandbox } from '../cli/run/sandbox.ts';
import { useKafkaContainer } from '../support/kafka.ts';
import { randomName } from '../support/random-name.ts';
import { produce } from './topic.ts';

const OURS = rowLines(30);
const THEIRS = rowLines(9, 7).map((line) => line.replace(',', ',by-somebody-else-'));
/** The consumer waits so long for more before it ends; each time it is tried, twice as long. */
const IDLE_MS = 4_000;
const MOST_TRIES = 4;

/** Beside those who debug with Kafka's console tools, as on the replaced system. */
describe("Kafka's console tools", function () {
  this.timeout(COMMANDS_MS);
  const kafka = useKafkaContainer();
  let sandbox: Sandbox;
  let topic: string;

  beforeEach(() => {
    sandbox = new Sandbox();
    const prefix = `${randomName()}.`;
    topic = `${prefix}mobile_data`;
    sandbox.configure(`topics: { prefix: '${prefix}', partitions: 2 }`);
  });

  afterEach(async () => {
    await sandbox.remove();
  });

  async function once(): Promise<OnceJson> {
    const ended = await sandbox.once(['--brokers', kafka().brokers.join(',')]);
    expect(ended.code, ended.stderr).to.equal(0);
    return lasting(ended);
  }

  /** What somebody sees who reads the topic from its beginning. */
  async function consumed(least: number, ...more: readonly string[]): Promise<readonly string[]> {
    for (let tries = 0; ; tries++) {
      const printed = await kafka().tool('kafka-console-consumer', [
        ...['--topic', topic, '--from-beginning', '--timeout-ms', String(IDLE_MS * 2 ** tries)],
        ...['--isolation-level', 'read_committed'],
        ...more,
      ]);
      const lines = printed.split('\n').filter((line) => line !== '');
      // On a slow machine it may end before it has begun.
      if (lines.length >= least || tries === MOST_TRIES) {
        return lines;
      }
    }
  }

  it("a console producer's rows are counted beside ours, or set aside; a console consumer sees plain CSV lines", async () => {
    sandbox.put('ours.csv', asFile(OURS));
    expect((await once()).rows).to.deep.equal({ read: 30, counted: 30, rejected: 0 });
    expect([...(await consumed(OURS.length))].sort()).to.deep.equal([...OURS].sort());

    await kafka().tool(
      'kafka-console-producer',
      ['--topic', topic],
      `${asFile(THEIRS.slice(0, 4))}not a row\n`,
    );
    await kafka().tool(
      'kafka-console-producer',
      ['--topic', topic, '--property', 'parse.key=true', '--property', 'key.separator=|'],
      `phones|${String(THEIRS[4])}\nphones|${OURS[0]?.replace(/,[^,]*,0$/, ',91,0') ?? ''}\n`,
    );
    // Many lines a message are not to be typed there.
    await produce(kafka().brokers, topic, [{ partition: 0, value: asFile(THEIRS.slice(5)) }]);
    const { model, rows } = await once();
    expect(rows).to.deep.equal({ read: 41, counted: 39, rejected: 2 });
    expect(model.weight).to.equal(39);
    const { stdout } = await sandbox.ask(['rejected', 'list', '--brokers', kafka().brokers.join(',')]);
    expect(stdout.split('\n').map((line) => line.split('\t')[1])).to.have.members([
      'column-count',
      'latitude-out-of-range',
      undefined,
    ]);
    expect(stdout).to.match(new RegExp(`^${topic}-[01]-\\d+-0\\tcolumn-count\\t`, 'm'));
    const seen = await consumed(41);
    expect(seen.filter((line) => [...OURS, ...THEIRS].includes(line)).length).to.equal(39);
    expect(seen.length).to.equal(41);
  });

  it('on a topic that was there before, each of our lines is a message of its own', async () => {
    await kafka().tool('kafka-topics', ['--create', '--topic', topic, '--partitions', '2']);
    sandbox.put('ours.csv', asFile(OURS));
    expect((await once()).rows).to.deep.equal({ read: 30, counted: 30, rejected: 0 });
    const seen = await consumed(
      OURS.length,
      ...['--property', 'print.partition=true', '--property', 'print.offset=true'],
    );
    const places = seen.map((line) => line.split('\t').slice(0, 2).join());
    expect(new Set(places).size).to.equal(30);
    expect(seen.map((line) => line.split('\t')[2]).sort()).to.deep.equal([...OURS].sort());
  });

  it("shows how far behind it is to Kafka's own tool for groups", async () => {
    sandbox.put('ours.csv', asFile(OURS));
    await once();
    const group = topic.replace(/mobile_data$/, 'geoflock');
    const told = await kafka().tool('kafka-consumer-groups', ['--describe', '--group', group, '--offsets']);
    const lags = told
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([name]) => name === group)
      .map(([, of, , , , lag]) => [of, lag]);
    expect(lags).to.deep.equal([
      [topic, '0'],
      [topic, '0'],
    ]);
  });
});
