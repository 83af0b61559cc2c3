import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { expect } from 'chai';
import type { Broker, PartitionReader, Writer } from '../../../src/broker/broker.ts';
import { TopicLostError } from '../../../src/broker/errors.ts';
import { useKafka } from '../../support/kafka.ts';
import { Processes } from '../../support/processes.ts';
import { append, eventually, failure, NEVER, pause, readAll, record, text } from '../helpers.ts';
import { KafkaPlace } from './fixtures.ts';
import { API, type Frame, Proxy } from './proxy.ts';

const CHILD = new URL('./child.ts', import.meta.url).pathname;
/** Longer than the session, than a transaction may be open, and than kafkajs waits for an answer. */
const STOPPED_MS = 30_000;
/** The stop, and what each of the waits may take. */
const LONGEST_MS = 300_000;

const children = new Processes();

class Child {
  readonly #process: ChildProcessWithoutNullStreams;
  output = '';

  constructor(...args: readonly string[]) {
    this.#process = children.add(
      spawn(process.execPath, ['--import=tsx', CHILD, ...args], { stdio: 'pipe' }),
    );
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        this.output += bytes.toString('utf8');
      });
    }
  }

  async prints(line: RegExp, withinMs = 60_000): Promise<void> {
    await eventually(() => {
      expect(this.output).to.match(line);
    }, withinMs);
  }

  go(): void {
    this.#process.stdin.write('\n');
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    this.#process.kill(signal);
  }
}

/** Where in its transactions a process is stopped. */
interface Moment {
  readonly name: string;
  readonly kind: Frame['kind'];
  readonly apiKey: number;
}

const MOMENTS: readonly Moment[] = [
  { name: 'before its commit, its records written', kind: 'reply', apiKey: API.produce },
  { name: 'with its commit under way', kind: 'request', apiKey: API.endTxn },
];

describe('what takes long on Kafka, all at the same time', () => {
  const brokers = useKafka();
  let lost: Promise<unknown>;
  let stopped: readonly Promise<unknown>[];

  before(() => {
    lost = failure(losingTopics(new KafkaPlace(brokers())));
    stopped = MOMENTS.map((moment) => failure(stoppedAt(moment, new KafkaPlace(brokers()))));
  });

  after(async () => {
    await children.killAll();
  });

  it('is the end of reading when the topic is deleted, or was made anew with less in it', async function () {
    this.timeout(LONGEST_MS);
    await rethrown(lost);
  });

  for (const [at, { name }] of MOMENTS.entries()) {
    it(`is a process stopped for 30 s ${name}: that fails, and its successor goes on undisturbed`, async function () {
      this.timeout(LONGEST_MS);
      await rethrown(stopped[at]);
    });
  }
});

async function rethrown(failed: Promise<unknown> | undefined): Promise<void> {
  const error = await failed;
  if (error !== undefined) {
    throw error as Error;
  }
}

async function losingTopics(place: KafkaPlace): Promise<void> {
  const gone = place.named('gone');
  const anew = place.named('anew');
  const broker = await place.open();
  try {
    await broker.declareTopics([gone, anew].map((name) => ({ name, kind: 'log', partitions: 1 })));
    const records = Array.from({ length: 10 }, (_, at) => record(String(at)));
    const ends = [];
    for (const topic of [gone, anew]) {
      await append(broker, 0, records, topic);
      const reader = await broker.openReader(topic, 0, 0);
      ends.push(failure(readForEver(reader)));
      await eventually(() => {
        expect(reader.position).to.equal(records.length + 1);
      });
    }
    await place.outsider.deleteTopics([gone, anew]);
    // The name is taken until the old one has gone.
    await eventually(async () => {
      await place.outsider.administer((admin) =>
        admin.createTopics({ topics: [{ topic: anew, numPartitions: 1 }], waitForLeaders: true }),
      );
    });
    const [whenGone, whenAnew] = await Promise.all(ends);
    expect(whenGone).to.be.instanceOf(TopicLostError);
    expect((whenGone as Error).message).to.contain(gone);
    expect(whenAnew).to.be.instanceOf(TopicLostError);
    expect((whenAnew as Error).message)
      .to.contain(anew)
      .and.match(/rewind/);
  } finally {
    await broker.close();
    await place.dispose();
  }
}

async function readForEver(reader: PartitionReader): Promise<never> {
  for (;;) {
    await reader.read(1 << 20, NEVER);
  }
}

async function stoppedAt(moment: Moment, place: KafkaPlace): Promise<void> {
  const proxy = await Proxy.listen();
  const child = new Child(place.brokers.join(), String(proxy.port), place.prefix);
  const log = place.named('log');
  const table = place.named('table');
  let broker: Broker | undefined;
  try {
    await child.prints(/^ready$/m);

    const resume = stopInTheMiddle(moment, proxy, child);
    child.go();
    await resume.stopped;
    const since = Date.now();

    // Another process takes its place: it owns all once the session is over, and does the row again.
    broker = await place.open();
    await broker.declareTopics([
      { name: log, kind: 'log', partitions: 3 },
      { name: table, kind: 'table', partitions: 2 },
    ]);
    const membership = await broker.join(place.named('g'), log, {
      assigned: () => Promise.resolve(),
      revoked: () => Promise.resolve(),
      failed: () => undefined,
    });
    await eventually(() => {
      expect(membership.owned).to.have.length(3);
    }, 60_000);
    const owner = await broker.openWriter('rows-0', { membership, partition: 0 });
    await broker.refreshTable(table, 0);
    expect(text(await broker.tableGet(table, 0, 'next 0'))).to.equal('1');
    await commit(owner, 'row 1', 2);

    // Whose transaction nobody ends is ended by the broker: it does not hold up others for ever.
    const other = (await broker.openWriter('other')).begin();
    other.append(log, 2, [record('of another')]);
    await other.commit();
    expect(await readBeyond(broker, log, 2)).to.deep.equal(['row 0', 'of another']);

    // All of that while the first one was stopped.
    await pause(Math.max(0, STOPPED_MS - (Date.now() - since)));
    resume.now();
    await child.prints(/^again /m, 60_000);
    expect(child.output).to.match(/^rows-0 (Fenced|UnknownOutcome)Error$/m);
    expect(child.output).to.match(/^lonely (Fenced|UnknownOutcome)Error$/m);
    expect(child.output).to.match(/^again NotOwnerError$/m);
    // By its own clock it knows at once that nothing is its own, a moment before its listener is told.
    await child.prints(/^revoked 0,1,2$/m);
    expect(child.output).not.to.match(/^failed/m);

    await commit(owner, 'row 2', 3);
    await broker.refreshTable(table, 0);
    expect(text(await broker.tableGet(table, 0, 'next 0'))).to.equal('3');
    expect(text(await broker.tableGet(table, 0, 'next 2'))).to.equal('1');
    expect(await readAll(broker, 0, 0, log)).to.deep.equal(['row 0', 'row 1', 'row 2']);
    expect((await place.outsider.values(log, 5)).sort()).to.deep.equal([
      'of another',
      'row 0',
      'row 0',
      'row 1',
      'row 2',
    ]);
  } catch (error) {
    throw new Error(`stopped ${moment.name}; it printed:\n${child.output}`, { cause: error });
  } finally {
    child.signal('SIGKILL');
    await failure(broker?.close() ?? Promise.resolve());
    await proxy.close();
    await place.dispose();
  }

  async function commit(writer: Writer, row: string, next: number): Promise<void> {
    const transaction = writer.begin();
    transaction.append(log, 0, [record(row)]);
    transaction.put(table, 0, 'next 0', Buffer.from(String(next)));
    await transaction.commit();
  }
}

/** Stops the child when both its transactions are at the moment, whose frames wait until it goes on. */
function stopInTheMiddle(
  moment: Moment,
  proxy: Proxy,
  child: Child,
): { readonly stopped: Promise<void>; now(): void } {
  let goOn = (): void => undefined;
  const going = new Promise<'pass'>((resolve) => {
    goOn = () => {
      resolve('pass');
    };
  });
  let frames = 0;
  const stopped = new Promise<void>((resolve) => {
    proxy.judge = ({ apiKey, kind }) => {
      if (apiKey !== moment.apiKey || kind !== moment.kind) {
        return 'pass';
      }
      frames++;
      if (frames === 2) {
        child.signal('SIGSTOP');
        resolve();
      }
      return going;
    };
  });
  return {
    stopped,
    now: () => {
      child.signal('SIGCONT');
      goOn();
    },
  };
}

/** As `readAll`, but waits for a transaction that is still open. */
async function readBeyond(broker: Broker, topic: string, count: number): Promise<string[]> {
  let values: string[] = [];
  await eventually(async () => {
    values = await readAll(broker, 2, 0, topic);
    expect(values).to.have.length(count);
  }, 60_000);
  return values;
}
