import { expect } from 'chai';
import type { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts';
import { BrokerError, StoreUnusableError, TopicMismatchError } from '../../../src/broker/errors.ts';
import { append, failure, record, text } from '../helpers.ts';
import { openAt, removeDirectory, temporaryDirectory } from '../fixtures.ts';

const NEVER = new AbortController().signal;
const LISTENER = {
  assigned: async (): Promise<void> => Promise.resolve(),
  revoked: async (): Promise<void> => Promise.resolve(),
  failed: (): void => undefined,
};

describe('the embedded broker', () => {
  let directory: string;
  let broker: EmbeddedBroker;

  beforeEach(async () => {
    directory = await temporaryDirectory();
    broker = await openAt(directory);
    await broker.declareTopics([
      { name: 'log', kind: 'log', partitions: 3 },
      { name: 'table', kind: 'table', partitions: 2 },
    ]);
  });

  afterEach(async () => {
    await broker.close();
    await removeDirectory(directory);
  });

  it('reads through retention: from the first offset that is left', async () => {
    await broker.declareTopics([
      { name: 'log', kind: 'log', partitions: 3, retention: { bytes: 0, ageMs: 3_600_000 } },
    ]);
    await append(broker, 0, [record('a')]);
    const reader = await broker.openReader('log', 0, 0);
    await append(broker, 0, [record('b')]);
    await broker.consumedUpTo('log', 0, 1);
    while ((await broker.offsets('log', 0)).first === 0) {
      await new Promise((next) => setTimeout(next, 5));
    }
    const [first] = await reader.read(1 << 20, NEVER);
    expect([first?.offset, text(first?.value ?? null)]).to.deep.equal([1, 'b']);
    expect(reader.position).to.equal(2);
  });

  it('gives each reader bytes of its own, valid until its next read', async () => {
    await append(broker, 0, [record('zero'.repeat(1000))]);
    await append(broker, 1, [record('one!'.repeat(1000))]);
    const [zero, one] = [await broker.openReader('log', 0, 0), await broker.openReader('log', 1, 0)];
    const [ofZero] = await zero.read(1, NEVER);
    await one.read(1, NEVER);
    await append(broker, 2, [record('two?'.repeat(5000))]);
    await broker.tableGet('table', 0, 'k');
    expect(text(ofZero?.value ?? null)).to.equal('zero'.repeat(1000));
  });

  it('shows a table at one moment, whatever is committed while it is read', async () => {
    const writer = await broker.openWriter('w');
    const put = async (keys: readonly number[], value: string): Promise<void> => {
      const transaction = writer.begin();
      for (const key of keys) {
        transaction.put('table', 0, String(key).padStart(5, '0'), Buffer.from(value));
      }
      await transaction.commit();
    };
    const keys = Array.from({ length: 2500 }, (_, at) => at);
    await put(keys, 'old');
    const seen = new Set<string | null>();
    let count = 0;
    for await (const { value } of broker.tableEntries('table', 0)) {
      if (count++ === 0) {
        await put([...keys, 99_999], 'new');
      }
      seen.add(text(value));
    }
    expect([count, [...seen]]).to.deep.equal([2500, ['old']]);
    expect(text((await broker.tableGet('table', 0, '00007')) ?? null)).to.equal('new');
  });

  it('has one member a group and topic', async () => {
    const member = await broker.join('g', 'log', LISTENER);
    expect(await failure(broker.join('g', 'log', LISTENER))).to.be.instanceOf(BrokerError);
    await member.leave();
    await member.leave();
    const again = await broker.join('g', 'log', LISTENER);
    expect(again.owned).to.deep.equal([0, 1, 2]);
  });

  it('names what is wrong with a topic, a partition or a key', async () => {
    const transaction = (await broker.openWriter('w')).begin();
    for (const wrong of [
      () => {
        transaction.append('nowhere', 0, []);
      },
      () => {
        transaction.append('table', 0, []);
      },
      () => {
        transaction.append('log', 3, []);
      },
      () => {
        transaction.put('table', 2, 'k', null);
      },
      () => {
        transaction.put('table', 0, 'k'.repeat(1901), null);
      },
      () => {
        transaction.append('log', 0, [{ ...record('a'), timestamp: Number.NaN }]);
      },
    ]) {
      expect(wrong).to.throw(BrokerError);
    }
    expect(
      await failure(broker.declareTopics([{ name: 'table', kind: 'log', partitions: 2 }])),
    ).to.be.instanceOf(TopicMismatchError);
    expect(
      await failure(broker.declareTopics([{ name: 'none', kind: 'log', partitions: 0 }])),
    ).to.be.instanceOf(TopicMismatchError);
    expect(await failure(openAt(`${directory}-2`, { mapBytes: 1000 }))).to.be.instanceOf(StoreUnusableError);
  });

  it('ends the reads that wait when it closes, and refuses what comes after', async () => {
    const reader = await broker.openReader('log', 0, 0);
    const closed = await broker.openReader('log', 0, 0);
    const waiting = failure(reader.read(1, NEVER));
    const waitingToo = failure(closed.read(1, NEVER));
    await closed.close();
    expect(await waitingToo).to.be.instanceOf(BrokerError);
    await broker.close();
    expect(await waiting).to.be.instanceOf(BrokerError);
    expect(await failure(broker.openWriter('w'))).to.be.instanceOf(BrokerError);
    expect(await failure(broker.tableGet('table', 0, 'k'))).to.be.instanceOf(BrokerError);
  });
});
