import { expect } from 'chai';
import type { LogRecord, OutgoingRecord } from '../../../src/broker/broker.ts';
import {
  BrokerError,
  FencedError,
  NotOwnerError,
  RecordTooLargeError,
  TopicLostError,
  UnknownOutcomeError,
} from '../../../src/broker/errors.ts';
import { codecNamed } from '../../../src/broker/kafka/codecs.ts';
import { exchange, KafkaConnections } from '../../../src/broker/kafka/kafkajs.ts';
import { declareTopics } from '../../../src/broker/kafka/topics.ts';
import { visibleBatches } from '../../../src/broker/kafka/visible.ts';
import { fetchRequest } from '../../../src/broker/kafka/wire/fetch.ts';
import { type AppliedEntry, KafkaWriter, type KafkaWriterOptions } from '../../../src/broker/kafka/writer.ts';
import { type Clock, systemClock } from '../../../src/system/clock.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import { useKafka } from '../../support/kafka.ts';
import { randomName } from '../../support/random-name.ts';
import { eventually, failure, pause, record, text } from '../helpers.ts';
import { Outsider } from './fixtures.ts';
import { API, Proxy } from './proxy.ts';

/** Error code of Kafka's protocol. */
const UNKNOWN_SERVER_ERROR = -1;

describe('a Kafka writer', () => {
  const brokers = useKafka();
  const log = randomName();
  const table = randomName();
  /** Takes batches up to 20 KB only. */
  const narrow = randomName();
  let connections: KafkaConnections;
  let outsider: Outsider;
  let proxy: Proxy;
  let proxied: KafkaConnections;
  let id: string;
  let applied: [string, number, readonly AppliedEntry[]][];
  /** Where each partition ended when the test began. */
  let begun: number[];

  before(async () => {
    outsider = new Outsider(brokers());
    const connected = new KafkaConnections({ brokers: brokers(), clientId: 'test', log: silentLogger });
    await declareTopics(
      connected,
      [
        { name: log, kind: 'log', partitions: 8 },
        { name: table, kind: 'table', partitions: 2 },
        { name: narrow, kind: 'log', partitions: 1 },
      ],
      { replication: 'auto', clock: systemClock, log: silentLogger },
    );
    await outsider.setTopic(narrow, { 'max.message.bytes': '20000' });
    await connected.close();
  });

  after(async () => {
    await outsider.deleteTopics([log, table, narrow]);
  });

  beforeEach(async () => {
    connections = new KafkaConnections({ brokers: brokers(), clientId: 'test', log: silentLogger });
    proxy = await Proxy.listen();
    const { socketFactory } = proxy;
    proxied = new KafkaConnections({
      brokers: brokers(),
      clientId: 'test',
      log: silentLogger,
      socketFactory,
    });
    id = randomName();
    applied = [];
    begun = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((partition) => end(log, partition)));
  });

  afterEach(async () => {
    proxy.judge = () => 'pass';
    await Promise.all([connections.close(), proxied.close()]);
    await proxy.close();
  });

  function open(overrides: Partial<KafkaWriterOptions> = {}): Promise<KafkaWriter> {
    return KafkaWriter.open({
      name: 'stage-1',
      transactionalId: id,
      connections,
      codec: codecNamed('none'),
      transactionTimeoutMs: 10_000,
      clock: systemClock,
      log: silentLogger,
      check: () => undefined,
      applied: (...told) => applied.push(told),
      ...overrides,
    });
  }

  async function fetch(topic: string, partition: number, offset: number) {
    const [fetched] = await exchange(
      await connections.leader(topic, partition),
      fetchRequest({
        maxWaitMs: 100,
        minBytes: 1,
        maxBytes: 8 << 20,
        partitions: [{ topic, partition, offset, maxBytes: 8 << 20 }],
      }),
    );
    if (fetched === undefined) {
      throw new Error('nothing fetched');
    }
    return fetched;
  }

  /** Also past an open transaction: what is not committed counts too. */
  async function end(topic: string, partition: number): Promise<number> {
    return (await fetch(topic, partition, 0)).highWatermark;
  }

  /** What a reader of committed data sees, once no transaction is open. */
  async function committed(partition: number, topic = log, from = begun[partition] ?? 0) {
    const seen: LogRecord[] = [];
    let position = from;
    for (;;) {
      const fetched = await fetch(topic, partition, position);
      const { batches, nextOffset } = visibleBatches(fetched, position);
      for (const batch of batches) {
        seen.push(...batch.recordsFrom(position));
      }
      position = nextOffset;
      if (position >= fetched.highWatermark) {
        return seen;
      }
    }
  }

  async function rows(partition: number, topic = log, from = begun[partition] ?? 0) {
    return (await committed(partition, topic, from)).map(({ value }) => text(value));
  }

  async function write(writer: KafkaWriter, value: string, partition = 0): Promise<void> {
    const transaction = writer.begin();
    transaction.append(log, partition, [record(value)]);
    await (await transaction.commit()).flushed;
  }

  it('commits logs and tables at once, and tells the tables where their entries are', async () => {
    const writer = await open();
    const transaction = writer.begin();
    transaction.append(log, 0, [record('a', 'key'), record('b')]);
    transaction.append(log, 0, [record('c')]);
    transaction.append(log, 1, []);
    transaction.put(table, 1, 'x', Buffer.from('old'));
    transaction.put(table, 1, 'y', null);
    transaction.put(table, 1, 'x', Buffer.from('new'));
    expect(await rows(0)).to.deep.equal([]);
    await transaction.commit();
    expect(await rows(0)).to.deep.equal(['a', 'b', 'c']);
    const entries = await committed(1, table, 0);
    expect(entries.map(({ key, value }) => [key, text(value)])).to.deep.equal([
      ['x', 'new'],
      ['y', null],
    ]);
    expect(applied).to.have.length(1);
    const [topic, partition, told] = applied[0] ?? ['', -1, []];
    expect([topic, partition]).to.deep.equal([table, 1]);
    expect(told.map(({ key, offset, value }) => [key, text(value), offset])).to.deep.equal(
      entries.map(({ key, offset, value }) => [key, text(value), offset]),
    );
  });

  it('leaves nothing of what was aborted, and goes on', async () => {
    const writer = await open();
    const aborted = writer.begin();
    aborted.append(log, 0, [record('lost')]);
    expect(() => writer.begin()).to.throw(BrokerError);
    await aborted.abort();
    await write(writer, 'kept');
    expect(await rows(0)).to.deep.equal(['kept']);
  });

  it('is fenced by a later one of its id, also with nothing to commit, and stays so', async () => {
    const zombie = await open();
    await zombie.begin().commit();
    await write(zombie, 'before');
    await zombie.begin().commit();
    const owner = await open();
    expect(await failure(zombie.begin().commit())).to.be.instanceOf(FencedError);
    expect(await failure(write(zombie, 'zombie'))).to.be.instanceOf(FencedError);
    await write(owner, 'after');
    expect(await rows(0)).to.deep.equal(['before', 'after']);
  });

  it('does not know how its commit ended where the coordinator fails at it, as while it fences', async () => {
    const writer = await open({ connections: proxied });
    let failures = 0;
    proxy.judge = ({ apiKey, bytes, kind }) => {
      if (kind === 'reply' && apiKey === API.endTxn) {
        failures++;
        // After correlation id and throttle time.
        bytes.writeInt16BE(UNKNOWN_SERVER_ERROR, 8);
      }
      return 'pass';
    };
    expect(await failure(write(writer, 'row'))).to.be.instanceOf(UnknownOutcomeError);
    expect(failures).to.equal(1);
    proxy.judge = () => 'pass';
    expect(await failure(write(writer, 'another'))).to.be.instanceOf(FencedError);
    // Whoever opens it next sees what became of it.
    const next = await open();
    await write(next, 'next');
    expect(await rows(0)).to.deep.equal(['row', 'next']);
  });

  it('is fenced or unsure, and nothing else, where many open one id at the same time and commit', async () => {
    const committed: string[] = [];
    const unsure: string[] = [];
    const others: unknown[] = [];
    const contend = async (who: number): Promise<void> => {
      for (let round = 0; round < 12; round++) {
        const value = `${String(who)}-${String(round)}`;
        try {
          await write(await open(), value);
          committed.push(value);
        } catch (error) {
          if (error instanceof UnknownOutcomeError) {
            unsure.push(value);
          } else if (!(error instanceof FencedError)) {
            others.push(error);
          }
        }
      }
    };
    await Promise.all([0, 1, 2, 3, 4, 5].map(contend));
    expect(others).to.deep.equal([]);
    const there = await rows(0);
    expect(new Set(there).size).to.equal(there.length);
    expect(there).to.include.members(committed);
    expect([...committed, ...unsure]).to.include.members(there);
  });

  it('is opened though the coordinator fails at it at first', async () => {
    let failures = 0;
    proxy.judge = ({ apiKey, bytes, kind }) => {
      if (kind === 'reply' && apiKey === API.initProducerId && failures < 2) {
        failures++;
        // After correlation id, tags and throttle time.
        bytes.writeInt16BE(UNKNOWN_SERVER_ERROR, 9);
      }
      return 'pass';
    };
    const writer = await open({ connections: proxied });
    expect(failures).to.equal(2);
    await write(writer, 'row');
    expect(await rows(0)).to.deep.equal(['row']);
  });

  it('is fenced with what it has written and not ended: nothing of it is ever seen', async () => {
    const zombie = await open({ connections: proxied });
    let release: (fate: 'pass') => void = () => undefined;
    const held = new Promise<void>((reached) => {
      proxy.judge = ({ apiKey, kind }) => {
        if (apiKey !== API.endTxn || kind !== 'request') {
          return 'pass';
        }
        reached();
        return new Promise((resolve) => {
          release = resolve;
        });
      };
    });
    const stale = failure(write(zombie, 'stale'));
    await held;
    const owner = await open();
    await write(owner, 'mine');
    release('pass');
    expect(await stale).to.be.instanceOf(FencedError);
    expect(await rows(0)).to.deep.equal(['mine']);
  });

  it('is fenced when its transaction took longer than its timeout', async () => {
    const slow = await open({ connections: proxied, transactionTimeoutMs: 1_000 });
    // Its records are there: once nothing of them is open any more the broker has ended it by itself.
    const ended = async (): Promise<'pass'> => {
      await eventually(async () => {
        const { highWatermark, lastStableOffset } = await fetch(log, 0, begun[0] ?? 0);
        expect(highWatermark).to.be.greaterThan(begun[0] ?? 0);
        expect(lastStableOffset).to.equal(highWatermark);
      }, 12_000);
      return 'pass';
    };
    proxy.judge = ({ apiKey, kind }) => (apiKey === API.endTxn && kind === 'request' ? ended() : 'pass');
    expect(await failure(write(slow, 'late'))).to.be.instanceOf(FencedError);
    expect(await rows(0)).to.deep.equal([]);
  });

  for (const api of ['addPartitionsToTxn', 'produce'] as const) {
    for (const kind of ['request', 'reply'] as const) {
      it(`writes once although a ${kind} of ${api} is lost`, async () => {
        const writer = await open({ connections: proxied });
        await write(writer, 'first');
        const lost = proxy.cutOnce(kind, API[api]);
        const transaction = writer.begin();
        transaction.append(log, 0, [record('second')]);
        transaction.put(table, 0, id, Buffer.from('2'));
        await transaction.commit();
        expect(lost()).to.equal(true);
        await write(writer, 'third');
        expect(await rows(0)).to.deep.equal(['first', 'second', 'third']);
        // The entry is where the second attempt has put it.
        const entry = (await committed(0, table, 0)).find(({ key }) => key === id);
        expect(entry?.offset).to.equal(applied[0]?.[2][0]?.offset);
      });
    }
  }

  it('does not fence whoever opened while it waited to write again', async () => {
    const former = await open({ connections: proxied });
    let owner: KafkaWriter | undefined;
    let cut = false;
    const openAndCut = async (): Promise<'cut'> => {
      owner = await open();
      return 'cut';
    };
    proxy.judge = ({ apiKey, kind }) => {
      if (cut || apiKey !== API.produce || kind !== 'reply') {
        return 'pass';
      }
      cut = true;
      return openAndCut();
    };
    expect(await failure(write(former, 'former'))).to.be.instanceOf(FencedError);
    if (owner === undefined) {
      throw new Error('nobody opened');
    }
    await write(owner, 'owner');
    expect(await rows(0)).to.deep.equal(['owner']);
  });

  it('takes its turn when the former transaction of its id is still open', async () => {
    const killed = await open({ connections: proxied });
    proxy.judge = ({ apiKey, kind }) => (apiKey === API.endTxn && kind === 'request' ? 'cut' : 'pass');
    expect(await failure(write(killed, 'killed'))).to.be.instanceOf(UnknownOutcomeError);
    expect(await failure(write(killed, 'later'))).to.be.instanceOf(FencedError);
    const next = await open();
    await write(next, 'next');
    expect(await rows(0)).to.deep.equal(['next']);
  });

  it('asks whether the partition is its own before it fences anybody', async () => {
    const rightful = await open();
    const refusal = new NotOwnerError('partition 1 is not ours');
    const error = await failure(open({ confirm: () => Promise.reject(refusal) }));
    expect(error).to.equal(refusal);
    await write(rightful, 'rightful');
    expect(await rows(0)).to.deep.equal(['rightful']);
  });

  it('asks that last: nothing that may take long lies between the answer and the fence', async () => {
    const order: string[] = [];
    proxy.judge = ({ apiKey, kind }) => {
      if (kind === 'reply' && apiKey === API.findCoordinator) {
        order.push('coordinator found');
      } else if (kind === 'request' && apiKey === API.initProducerId) {
        order.push('fenced');
      }
      return 'pass';
    };
    const confirm = (): Promise<void> => {
      order.push('confirmed');
      return Promise.resolve();
    };
    await open({ connections: proxied, confirm });
    expect([...new Set(order)]).to.deep.equal(['coordinator found', 'confirmed', 'fenced']);
  });

  it('fences nobody once it was told to stop while it asks', async () => {
    const rightful = await open();
    const stop = new AbortController();
    const revoked = new Error('the partition was revoked');
    const confirm = (): Promise<void> => {
      stop.abort(revoked);
      return Promise.resolve();
    };
    expect(await failure(open({ connections: proxied, confirm, signal: stop.signal }))).to.equal(revoked);
    // Answered after whatever the first may have sent: it goes the same way.
    await open({ connections: proxied, transactionalId: randomName() });
    await write(rightful, 'rightful');
    expect(await rows(0)).to.deep.equal(['rightful']);
  });

  it('commits 4 MiB over 8 partitions, and 65,000 records of a line each', async () => {
    const writer = await open();
    const kib = 'x'.repeat(1024);
    const transaction = writer.begin();
    for (let partition = 0; partition < 8; partition++) {
      transaction.append(
        log,
        partition,
        Array.from({ length: 512 }, (_, at) => record(`${String(at)} ${kib}`)),
      );
    }
    await transaction.commit();
    const lines = writer.begin();
    lines.append(
      log,
      0,
      Array.from({ length: 65_000 }, (_, at) => record(`12.5,41.9,${String(at)}`)),
    );
    await lines.commit();
    for (let partition = 1; partition < 8; partition++) {
      const seen = await rows(partition);
      expect(seen.length).to.equal(512);
      expect(seen.every((row, at) => row === `${String(at)} ${kib}`)).to.equal(true);
    }
    const seen = (await rows(0)).slice(512);
    expect(seen.length).to.equal(65_000);
    expect(seen.every((row, at) => row === `12.5,41.9,${String(at)}`)).to.equal(true);
  });

  it('makes batches as small as their topic wants them', async () => {
    const writer = await open();
    const values = Array.from({ length: 200 }, (_, at) => `${String(at)} ${'x'.repeat(1_000)}`);
    for (const from of [0, 100]) {
      const transaction = writer.begin();
      transaction.append(
        narrow,
        0,
        values.slice(from, from + 100).map((value) => record(value)),
      );
      await transaction.commit();
    }
    expect(await rows(0, narrow, 0)).to.deep.equal(values);
  });

  it('names a record that is too large, its topic, key and the setting, and goes on without it', async () => {
    const writer = await open();
    const from = await end(narrow, 0);
    const transaction = writer.begin();
    transaction.append(log, 0, [record('beside it')]);
    transaction.append(narrow, 0, [record('x'.repeat(30_000), 'the key')]);
    const error = await failure(transaction.commit());
    expect(error).to.be.instanceOf(RecordTooLargeError);
    expect((error as Error).message)
      .to.include(narrow)
      .and.include('the key')
      .and.match(/30\d\d\d bytes/)
      .and.include('max.message.bytes');
    await write(writer, 'next');
    expect(await rows(0)).to.deep.equal(['next']);
    expect(await rows(0, narrow, from)).to.deep.equal([]);
  });

  it('tells a topic that is gone', async () => {
    // A topic is unknown for 15 s before it is taken as lost: on this clock they pass in one.
    const hasty: Clock = {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic() * 15,
      after: (ms, callback) => systemClock.after(ms / 15, callback),
    };
    const writer = await open({ clock: hasty });
    const transaction = writer.begin();
    transaction.append(randomName(), 0, [record('a')]);
    expect(await failure(transaction.commit())).to.be.instanceOf(TopicLostError);
    await write(writer, 'next');
    expect(await rows(0)).to.deep.equal(['next']);
  });

  it('refuses what was not declared, and a timestamp that is none, when it is handed over', async () => {
    const writer = await open({
      check: (topic, kind, partition) => {
        throw new BrokerError(`${topic} ${kind} ${String(partition)}`);
      },
    });
    const transaction = writer.begin();
    expect(() => {
      transaction.append('t', 1, [record('a')]);
    }).to.throw('t log 1');
    expect(() => {
      transaction.put('t', 2, 'k', null);
    }).to.throw('t table 2');
    await transaction.abort();
    const other = (await open()).begin();
    const odd: OutgoingRecord = { key: null, value: null, timestamp: Number.NaN };
    expect(() => {
      other.append(log, 0, [odd]);
    }).to.throw('NaN');
  });

  it('stops waiting for the broker when it is closed', async () => {
    const writer = await open({ connections: proxied });
    proxy.goAway();
    const waiting = failure(write(writer, 'never'));
    await pause(200);
    await writer.close();
    const error = await waiting;
    expect(error).to.be.instanceOf(BrokerError);
    expect((error as Error).message).to.match(/closed/);
    expect(() => writer.begin()).to.throw(/closed/);
    expect(await rows(0)).to.deep.equal([]);
  });
});
