import { expect } from 'chai';
import type { Retention, TopicSpec } from '../../../src/broker/broker.ts';
import type { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts';
import { PartitionLog } from '../../../src/broker/embedded/partition-log.ts';
import { planRemovals } from '../../../src/broker/embedded/retention.ts';
import { BrokerError } from '../../../src/broker/errors.ts';
import type { Clock } from '../../../src/system/clock.ts';
import { eventually, failure, readAll } from '../helpers.ts';
import { openAt, removeDirectory, temporaryDirectory } from '../fixtures.ts';

function logOf(partition: number, timestamps: readonly number[], consumed: number): PartitionLog {
  const log = new PartitionLog('log', 1, partition);
  log.restore(
    timestamps.map((timestamp, at) => ({ base: at * 10, count: 10, bytes: 100, timestamp })),
    { next: timestamps.length * 10, consumed },
  );
  return log;
}

function planned(logs: readonly PartitionLog[], retention: Retention, now: number, limit = 100): number[] {
  const removals = planRemovals(logs, retention, now, limit);
  return logs.map((log) => removals.find((removal) => removal.log === log)?.count ?? 0);
}

describe('retention', () => {
  it('by bytes removes the oldest over all partitions, consumed ones only', () => {
    const logs = [logOf(0, [1, 5, 6], 30), logOf(1, [2, 3, 4], 20)];
    const retention = { bytes: 250, ageMs: 1000 };
    expect(planned(logs, retention, 10)).to.deep.equal([2, 2]);
    expect(planned(logs, { ...retention, bytes: 350 }, 10)).to.deep.equal([1, 2]);
    expect(planned(logs, { ...retention, bytes: 600 }, 10)).to.deep.equal([0, 0]);
    expect(planned(logs, { ...retention, bytes: 0 }, 10)).to.deep.equal([3, 2]);
    expect(planned(logs, { ...retention, bytes: 0 }, 10, 3)).to.deep.equal([1, 2]);
  });

  it('by age removes what is older, and a batch of which one record is unconsumed stays', () => {
    const logs = [logOf(0, [1, 5, 60], 19), logOf(1, [2, 55], 20)];
    const retention = { bytes: 10_000, ageMs: 50 };
    expect(planned(logs, retention, 56)).to.deep.equal([1, 1]);
    expect(planned(logs, { ...retention, retainUnconsumed: false }, 56)).to.deep.equal([2, 1]);
    expect(planned(logs, retention, 51)).to.deep.equal([0, 0]);
  });

  describe('of a store', () => {
    let directory: string;
    let broker: EmbeddedBroker;
    let now = 0;
    let timers: { readonly due: number; readonly callback: () => void }[] = [];
    const clock: Clock = {
      now: () => now,
      monotonic: () => now,
      after: (ms, callback) => {
        const timer = { due: now + ms, callback };
        timers.push(timer);
        return () => {
          timers = timers.filter((one) => one !== timer);
        };
      },
    };
    const topic = (retention: Retention): TopicSpec => ({
      name: 'log',
      kind: 'log',
      partitions: 1,
      retention,
    });

    /** Lets time pass and gives the store's writes their turn. */
    /** Nobody waits for what a timer has set off. */
    async function offsetsAre(first: number, end: number): Promise<void> {
      await eventually(async () => {
        expect(await broker.offsets('log', 0)).to.deep.equal({ first, end });
      });
    }

    async function pass(ms: number): Promise<void> {
      now += ms;
      for (let turn = 0; turn < 20; turn++) {
        const due = timers.filter((timer) => timer.due <= now);
        timers = timers.filter((timer) => timer.due > now);
        for (const timer of due) {
          timer.callback();
        }
        await new Promise((next) => setTimeout(next, 5));
      }
    }

    async function commit(values: readonly string[]): Promise<void> {
      const writer = await broker.openWriter('w');
      const transaction = writer.begin();
      transaction.append(
        'log',
        0,
        values.map((value) => ({ key: null, value: Buffer.from(value), timestamp: now })),
      );
      await transaction.commit();
    }

    beforeEach(async () => {
      now = 1_700_000_000_000;
      timers = [];
      directory = await temporaryDirectory();
      broker = await openAt(directory, { clock });
    });

    afterEach(async () => {
      await broker.close();
      await removeDirectory(directory);
      expect(timers).to.deep.equal([]);
    });

    it('removes by age in its own time, without any commit, and only what is consumed', async () => {
      await broker.declareTopics([topic({ bytes: 1e9, ageMs: 60_000 })]);
      await commit(['a', 'b']);
      await commit(['c']);
      await broker.consumedUpTo('log', 0, 2);
      await pass(30_000);
      expect(await broker.offsets('log', 0)).to.deep.equal({ first: 0, end: 3 });
      await pass(31_000);
      await offsetsAre(2, 3);
      expect(await readAll(broker, 0)).to.deep.equal(['c']);
      await broker.consumedUpTo('log', 0, 3);
      await pass(1000);
      await offsetsAre(3, 3);

      await broker.close();
      broker = await openAt(directory, { clock });
      await broker.declareTopics([topic({ bytes: 1e9, ageMs: 60_000 })]);
      expect(await broker.offsets('log', 0)).to.deep.equal({ first: 3, end: 3 });
      await commit(['d']);
      expect(await readAll(broker, 0)).to.deep.equal(['d']);
    });

    it('of a topic that nobody consumes is by size and age alone, where its spec says so', async () => {
      await broker.declareTopics([topic({ bytes: 1e9, ageMs: 60_000, retainUnconsumed: false })]);
      await commit(['a']);
      await pass(61_000);
      await offsetsAre(1, 1);
      expect(broker.unconsumed('log')).to.deep.equal({ bytes: 0, records: 0 });
    });

    it('counts what is unconsumed, in records and bytes, over a restart', async () => {
      await broker.declareTopics([topic({ bytes: 1e9, ageMs: 1e9 })]);
      await commit(Array.from({ length: 10 }, () => 'x'.repeat(100)));
      const all = broker.unconsumed('log');
      expect(all.records).to.equal(10);
      expect(all.bytes).to.be.within(1000, 1200);
      await broker.consumedUpTo('log', 0, 4);
      await broker.consumedUpTo('log', 0, 2);
      const { bytes, records } = broker.unconsumed('log');
      expect(records).to.equal(6);
      expect(bytes).to.equal(all.bytes - Math.floor(all.bytes * 0.4));
      expect(await failure(broker.consumedUpTo('log', 0, 11))).to.be.instanceOf(BrokerError);
      await broker.close();
      broker = await openAt(directory, { clock });
      await broker.declareTopics([topic({ bytes: 1e9, ageMs: 1e9 })]);
      expect(broker.unconsumed('log')).to.deep.equal({ bytes, records });
      await broker.consumedUpTo('log', 0, 10);
      expect(broker.unconsumed('log')).to.deep.equal({ bytes: 0, records: 0 });
    });
  });
});
