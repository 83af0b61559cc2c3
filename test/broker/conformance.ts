/** What every adapter of the broker port keeps. `embedded.test.ts` runs it; another adapter adds one file. */
import { expect } from 'chai';
import type {
  Broker,
  LogRecord,
  OutgoingRecord,
  PartitionReader,
  TopicSpec,
} from '../../src/broker/broker.ts';
import { BrokerError, FencedError, TopicMismatchError } from '../../src/broker/errors.ts';

/** One place where a broker keeps its data. */
export interface BrokerFixture {
  /** Opens a broker on the place; the suite closes it. */
  open(): Promise<Broker>;
  /** Removes the place. */
  dispose(): Promise<void>;
}

const LOG: TopicSpec = { name: 'log', kind: 'log', partitions: 3 };
const TABLE: TopicSpec = { name: 'table', kind: 'table', partitions: 2 };
const NEVER = new AbortController().signal;

export function record(value: string | Uint8Array | null, key: string | null = null): OutgoingRecord {
  return { key, value: typeof value === 'string' ? Buffer.from(value) : value, timestamp: 1_700_000_000_000 };
}

export function text(value: Uint8Array | null): string | null {
  return value === null ? null : Buffer.from(value).toString('utf8');
}

export async function append(
  broker: Broker,
  partition: number,
  records: readonly OutgoingRecord[],
): Promise<void> {
  const writer = await broker.openWriter('helper');
  const transaction = writer.begin();
  transaction.append(LOG.name, partition, records);
  await (await transaction.commit()).flushed;
  await writer.close();
}

/** Reads up to the present end; values as text. */
export async function readAll(
  broker: Broker,
  partition: number,
  from = 0,
  topic = LOG.name,
): Promise<string[]> {
  const { end } = await broker.offsets(topic, partition);
  const reader = await broker.openReader(topic, partition, from);
  const values: string[] = [];
  for (;;) {
    const stop = new AbortController();
    // Markers may lie before the end: what does not come within this time is not there.
    const timer = setTimeout(() => {
      stop.abort();
    }, 500);
    const records = reader.position >= end ? [] : await reader.read(1 << 20, stop.signal);
    clearTimeout(timer);
    if (records.length === 0) {
      break;
    }
    values.push(...records.map((one) => text(one.value) ?? 'null'));
  }
  await reader.close();
  return values;
}

export async function entriesOf(
  broker: Broker,
  partition: number,
  prefix?: string,
): Promise<[string, string | null][]> {
  const entries: [string, string | null][] = [];
  for await (const { key, value } of broker.tableEntries(TABLE.name, partition, prefix)) {
    entries.push([key, text(value)]);
  }
  return entries;
}

export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

export function describeBroker(name: string, fixtureOf: () => Promise<BrokerFixture>): void {
  describe(`broker conformance: ${name}`, () => {
    let fixture: BrokerFixture;
    let broker: Broker;

    const reopen = async (): Promise<void> => {
      await broker.close();
      broker = await fixture.open();
      await broker.declareTopics([LOG, TABLE]);
    };

    beforeEach(async () => {
      fixture = await fixtureOf();
      broker = await fixture.open();
      await broker.declareTopics([LOG, TABLE]);
    });

    afterEach(async () => {
      await broker.close();
      await fixture.dispose();
    });

    it('reads the records of a partition in the order of their offsets, with everything they carry', async () => {
      const writer = await broker.openWriter('w');
      const transaction = writer.begin();
      transaction.append('log', 1, [
        {
          key: 'ключ',
          value: Uint8Array.of(0, 255, 10),
          timestamp: 1_700_000_000_123,
          headers: { file: 'a.csv', bytes: Uint8Array.of(1, 2), ['__proto__']: 'x', empty: '' },
        },
        { key: null, value: null, timestamp: 1_600_000_000_000 },
        { key: '', value: new Uint8Array(0), timestamp: 1_800_000_000_000 },
      ]);
      await transaction.commit();
      const reader = await broker.openReader('log', 1, 0);
      const records: LogRecord[] = [];
      while (records.length < 3) {
        for (const one of await reader.read(1, NEVER)) {
          records.push({ ...one, value: one.value === null ? null : Uint8Array.from(one.value) });
          if (records.length === 1) {
            expect(Object.keys(one.headers)).to.have.members(['file', 'bytes', '__proto__', 'empty']);
            expect(text(one.headers['file'] ?? null)).to.equal('a.csv');
            expect([...(one.headers['bytes'] ?? [])]).to.deep.equal([1, 2]);
          }
        }
      }
      expect(records.map((one) => one.key)).to.deep.equal(['ключ', null, '']);
      expect(records.map((one) => one.value && [...one.value])).to.deep.equal([[0, 255, 10], null, []]);
      expect(records.map((one) => one.timestamp)).to.deep.equal([
        1_700_000_000_123, 1_600_000_000_000, 1_800_000_000_000,
      ]);
      for (const [at, one] of records.entries()) {
        expect(one.offset).to.be.greaterThan(records[at - 1]?.offset ?? -1);
      }
      await reader.close();
    });

    it('keeps partitions apart and keeps the order over many transactions', async () => {
      const writer = await broker.openWriter('w');
      const expected: string[][] = [[], [], []];
      for (let round = 0; round < 20; round++) {
        const transaction = writer.begin();
        for (let partition = 0; partition < 3; partition++) {
          const value = `${String(round)}-${String(partition)}`;
          transaction.append('log', partition, [record(value)]);
          expected[partition]?.push(value);
        }
        await transaction.commit();
      }
      for (let partition = 0; partition < 3; partition++) {
        expect(await readAll(broker, partition)).to.deep.equal(expected[partition]);
      }
    });

    it('shows records and table entries together or not at all', async () => {
      const writer = await broker.openWriter('w');
      const transaction = writer.begin();
      transaction.append('log', 0, [record('a')]);
      transaction.put('table', 1, 'k', Buffer.from('v'));
      expect(await readAll(broker, 0)).to.deep.equal([]);
      expect(await broker.tableGet('table', 1, 'k')).to.equal(undefined);
      await transaction.commit();
      expect(await readAll(broker, 0)).to.deep.equal(['a']);
      expect(text((await broker.tableGet('table', 1, 'k')) ?? null)).to.equal('v');
      expect(await broker.tableGet('table', 0, 'k')).to.equal(undefined);
    });

    it('leaves nothing of an aborted transaction', async () => {
      const writer = await broker.openWriter('w');
      const aborted = writer.begin();
      aborted.append('log', 0, [record('lost')]);
      aborted.put('table', 0, 'lost', Buffer.from('v'));
      await aborted.abort();
      const kept = writer.begin();
      kept.append('log', 0, [record('kept')]);
      await kept.commit();
      await reopen();
      expect(await readAll(broker, 0)).to.deep.equal(['kept']);
      expect(await entriesOf(broker, 0)).to.deep.equal([]);
    });

    it('throws at a second begin, and at the use of a finished transaction', async () => {
      const writer = await broker.openWriter('w');
      const transaction = writer.begin();
      expect(() => writer.begin()).to.throw(BrokerError);
      await transaction.commit();
      expect(() => {
        transaction.append('log', 0, [record('late')]);
      }).to.throw(BrokerError);
      expect(await failure(transaction.commit())).to.be.instanceOf(BrokerError);
      await writer.begin().abort();
      await writer.close();
      expect(() => writer.begin()).to.throw(BrokerError);
    });

    it('fences every earlier writer of a name, and no other name', async () => {
      const former = await broker.openWriter('w');
      const other = await broker.openWriter('other');
      const stale = former.begin();
      stale.append('log', 0, [record('stale')]);
      stale.put('table', 0, 'stale', Buffer.from('v'));
      const owner = await broker.openWriter('w');
      expect(await failure(stale.commit())).to.be.instanceOf(FencedError);
      const mine = owner.begin();
      mine.append('log', 0, [record('mine')]);
      await mine.commit();
      const theirs = other.begin();
      theirs.append('log', 0, [record('other')]);
      await theirs.commit();
      expect(await readAll(broker, 0)).to.deep.equal(['mine', 'other']);
      expect(await entriesOf(broker, 0)).to.deep.equal([]);
    });

    it('lets a stale owner that reopens fence the rightful one, who reopens and goes on', async () => {
      const rightful = await broker.openWriter('w');
      const stalled = await broker.openWriter('w');
      expect(await failure(rightful.begin().commit())).to.be.instanceOf(FencedError);
      const again = await broker.openWriter('w');
      expect(await failure(stalled.begin().commit())).to.be.instanceOf(FencedError);
      const transaction = again.begin();
      transaction.append('log', 2, [record('once')]);
      await transaction.commit();
      expect(await readAll(broker, 2)).to.deep.equal(['once']);
    });

    it('restores the last committed table: removals, prefixes, the order of keys', async () => {
      const writer = await broker.openWriter('w');
      const first = writer.begin();
      for (const key of ['b/2', 'a', 'b/1', 'b', 'c', 'b0', 'é']) {
        first.put('table', 0, key, Buffer.from(key));
      }
      first.put('table', 1, 'a', Buffer.from('other partition'));
      await first.commit();
      const second = writer.begin();
      second.put('table', 0, 'a', null);
      second.put('table', 0, 'never there', null);
      second.put('table', 0, 'c', Buffer.from('old'));
      second.put('table', 0, 'c', Buffer.from('new'));
      await second.commit();
      const expected = [
        ['b', 'b'],
        ['b/1', 'b/1'],
        ['b/2', 'b/2'],
        ['b0', 'b0'],
        ['c', 'new'],
        ['é', 'é'],
      ];
      expect(await entriesOf(broker, 0)).to.deep.equal(expected);
      expect((await entriesOf(broker, 0, 'b/')).map(([key]) => key)).to.deep.equal(['b/1', 'b/2']);
      expect(await entriesOf(broker, 0, 'x')).to.deep.equal([]);
      await reopen();
      expect(await entriesOf(broker, 0)).to.deep.equal(expected);
      expect(await entriesOf(broker, 1)).to.deep.equal([['a', 'other partition']]);
    });

    it('stores keys of 1 KB and values of several MiB', async () => {
      const writer = await broker.openWriter('w');
      const large = new Uint8Array(3 * 1024 * 1024).map((_, at) => (at * 31) & 255);
      const transaction = writer.begin();
      transaction.put('table', 0, 'k'.repeat(1024), large);
      transaction.append('log', 0, [record('before'), record(large), record('after')]);
      await transaction.commit();
      expect(
        Buffer.compare((await broker.tableGet('table', 0, 'k'.repeat(1024))) ?? Buffer.alloc(0), large),
      ).to.equal(0);
      const reader = await broker.openReader('log', 0, 0);
      const seen: (string | boolean | null)[] = [];
      while (seen.length < 3) {
        for (const one of await reader.read(1024, NEVER)) {
          seen.push(
            one.value?.byteLength === large.byteLength
              ? Buffer.compare(one.value, large) === 0
              : text(one.value),
          );
        }
      }
      expect(seen).to.deep.equal(['before', true, 'after']);
      await reader.close();
    });

    it('seeks to any offset, also inside what was appended at once', async () => {
      await append(
        broker,
        0,
        Array.from({ length: 100 }, (_, at) => record(String(at), 'key')),
      );
      const all = await broker.openReader('log', 0, 0);
      const offsets: number[] = [];
      while (offsets.length < 100) {
        offsets.push(...(await all.read(1 << 20, NEVER)).map((one) => one.offset));
      }
      for (const at of [0, 1, 37, 99]) {
        const reader = await broker.openReader('log', 0, offsets[at] ?? -1);
        const [first] = await reader.read(1, NEVER);
        expect(text(first?.value ?? null)).to.equal(String(at));
        expect(reader.position).to.be.greaterThan(offsets[at] ?? 0);
        await reader.close();
      }
      await all.close();
    });

    it('bounds a read by bytes but returns at least one record', async () => {
      await append(
        broker,
        0,
        Array.from({ length: 50 }, () => record('x'.repeat(100))),
      );
      const reader = await broker.openReader('log', 0, 0);
      expect(await reader.read(1, NEVER)).to.have.length(1);
      expect((await reader.read(1000, NEVER)).length).to.be.within(1, 10);
      await reader.close();
    });

    describe('a reader at the end', () => {
      let reader: PartitionReader;

      beforeEach(async () => {
        await append(broker, 0, [record('old')]);
        reader = await broker.openReader('log', 0, 0);
        await reader.read(1 << 20, NEVER);
      });

      afterEach(async () => {
        await reader.close();
      });

      it('tells whether a read would wait', async () => {
        expect(reader.ready).to.equal(false);
        await append(broker, 0, [record('new')]);
        expect(reader.ready).to.equal(true);
        await reader.read(1 << 20, NEVER);
        expect(reader.ready).to.equal(false);
      });

      it('is woken by a commit', async () => {
        const waiting = reader.read(1 << 20, NEVER);
        await append(broker, 0, [record('new')]);
        expect((await waiting).map((one) => text(one.value))).to.deep.equal(['new']);
      });

      it('ends with an empty list when aborted, keeps its position, and reads on', async () => {
        const stop = new AbortController();
        const { position } = reader;
        const waiting = reader.read(1 << 20, stop.signal);
        stop.abort();
        expect(await waiting).to.deep.equal([]);
        expect(await reader.read(1 << 20, stop.signal)).to.deep.equal([]);
        expect(reader.position).to.equal(position);
        await append(broker, 0, [record('new')]);
        expect((await reader.read(1 << 20, NEVER)).map((one) => text(one.value))).to.deep.equal(['new']);
      });
    });

    it('tells first and end, and continues the offsets after reopening', async () => {
      expect(await broker.offsets('log', 0)).to.deep.equal({ first: 0, end: 0 });
      await append(broker, 0, [record('a'), record('b')]);
      const before = await broker.offsets('log', 0);
      await reopen();
      expect(await broker.offsets('log', 0)).to.deep.equal(before);
      await append(broker, 0, [record('c')]);
      expect((await broker.offsets('log', 0)).end).to.be.greaterThan(before.end);
      expect(await readAll(broker, 0)).to.deep.equal(['a', 'b', 'c']);
    });

    it('refuses a topic of another number of partitions, naming both and the remedy', async () => {
      const error = await failure(broker.declareTopics([{ ...LOG, partitions: 4 }]));
      expect(error).to.be.instanceOf(TopicMismatchError);
      expect((error as Error).message)
        .to.match(/log/)
        .and.match(/3/)
        .and.match(/4/)
        .and.match(/set|start/);
    });

    it('assigns partitions to the member of a group and revokes them when it leaves', async () => {
      const told: string[] = [];
      const membership = await broker.join('g', 'log', {
        assigned: async (partitions) => {
          told.push(`assigned ${partitions.join()}`);
          await Promise.resolve();
        },
        revoked: async (partitions) => {
          told.push(`revoked ${partitions.join()}`);
          await Promise.resolve();
        },
        failed: (error) => {
          told.push(error.message);
        },
      });
      expect(membership.owned).to.have.members([0, 1, 2]);
      await membership.leave();
      expect(membership.owned).to.deep.equal([]);
      expect(told).to.deep.equal(['assigned 0,1,2', 'revoked 0,1,2']);
    });

    it('never removes what is not consumed', async () => {
      const kept: TopicSpec = { name: 'kept', kind: 'log', partitions: 1, retention: { bytes: 1, ageMs: 1 } };
      await broker.declareTopics([kept]);
      const writer = await broker.openWriter('w');
      for (let at = 0; at < 5; at++) {
        const transaction = writer.begin();
        transaction.append('kept', 0, [record(String(at))]);
        await transaction.commit();
      }
      await broker.consumedUpTo('kept', 0, (await broker.offsets('kept', 0)).first + 2);
      const another = writer.begin();
      another.append('kept', 0, [record('5')]);
      await another.commit();
      expect((await readAll(broker, 0, 0, 'kept')).slice(-4)).to.deep.equal(['2', '3', '4', '5']);
    });
  });
}
