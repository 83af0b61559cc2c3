import { expect } from 'chai';
import type { LogRecord, PartitionReader } from '../../../src/broker/broker.ts';
import { append, eventually, NEVER, readAll, record, text } from '../helpers.ts';
import type { Scene } from './scene.ts';

const ALL = 1 << 20;

export function readingTests(scene: Scene): void {
  describe('reading', () => {
    it('gives the records in the order of their offsets, with everything they carry', async () => {
      const { broker, log } = scene;
      const writer = await broker.openWriter('w');
      const transaction = writer.begin();
      transaction.append(log, 1, [
        {
          key: 'ключ',
          value: Uint8Array.of(0, 255, 10),
          timestamp: 1_700_000_000_123,
          headers: { file: 'a.csv', bytes: Uint8Array.of(1, 2), ['__proto__']: 'x', empty: '' },
        },
        { key: null, value: null, timestamp: 1_600_000_000_000 },
        { key: '', value: new Uint8Array(0), timestamp: 1_750_000_000_000 },
      ]);
      await transaction.commit();
      const reader = await broker.openReader(log, 1, 0);
      const records: LogRecord[] = [];
      while (records.length < 3) {
        for (const one of await reader.read(1, NEVER)) {
          records.push({ ...one, value: one.value === null ? null : Uint8Array.from(one.value) });
          if (records.length === 1) {
            expect(Object.keys(one.headers)).to.have.members(['file', 'bytes', '__proto__', 'empty']);
            expect(text(one.headers['file'])).to.equal('a.csv');
            expect([...(one.headers['bytes'] ?? [])]).to.deep.equal([1, 2]);
          }
        }
      }
      expect(records.map((one) => one.key)).to.deep.equal(['ключ', null, '']);
      expect(records.map((one) => one.value && [...one.value])).to.deep.equal([[0, 255, 10], null, []]);
      expect(records.map((one) => one.timestamp)).to.deep.equal([
        1_700_000_000_123, 1_600_000_000_000, 1_750_000_000_000,
      ]);
      for (const [at, one] of records.entries()) {
        expect(one.offset).to.be.greaterThan(records[at - 1]?.offset ?? -1);
      }
      await reader.close();
    });

    it('tells how far a reader comes', async () => {
      const { broker, log } = scene;
      expect(await broker.readableEnd(log, 1)).to.equal(0);
      await append(broker, 1, [record('a'), record('b')], log);
      const reader = await broker.openReader(log, 1, 0);
      const waiting = reader.read(ALL, NEVER);
      await eventually(async () => {
        const end = await broker.readableEnd(log, 1);
        expect(end).to.be.at.least(2);
        expect(reader.position).to.equal(end);
      });
      await waiting;
      await reader.close();
    });

    it('keeps partitions apart and keeps the order over many transactions', async () => {
      const { broker, log } = scene;
      const writer = await broker.openWriter('w');
      const expected: string[][] = [[], [], []];
      for (let round = 0; round < 20; round++) {
        const transaction = writer.begin();
        for (let partition = 0; partition < 3; partition++) {
          const value = `${String(round)}-${String(partition)}`;
          transaction.append(log, partition, [record(value)]);
          expected[partition]?.push(value);
        }
        await transaction.commit();
      }
      for (let partition = 0; partition < 3; partition++) {
        expect(await readAll(broker, partition, 0, log)).to.deep.equal(expected[partition]);
      }
    });

    it('starts at any offset, also inside what was appended at once', async () => {
      const { broker, log } = scene;
      await append(
        broker,
        0,
        Array.from({ length: 100 }, (_, at) => record(String(at), 'key')),
        log,
      );
      const all = await broker.openReader(log, 0, 0);
      const offsets: number[] = [];
      while (offsets.length < 100) {
        offsets.push(...(await all.read(ALL, NEVER)).map((one) => one.offset));
      }
      for (const at of [0, 1, 37, 99]) {
        const reader = await broker.openReader(log, 0, offsets[at] ?? -1);
        const [first] = await reader.read(1, NEVER);
        expect(text(first?.value)).to.equal(String(at));
        expect(reader.position).to.be.greaterThan(offsets[at] ?? 0);
        await reader.close();
      }
      await all.close();
    });

    it('is bounded by bytes but gives at least one record', async () => {
      const { broker, log } = scene;
      await append(
        broker,
        0,
        Array.from({ length: 50 }, () => record('x'.repeat(100))),
        log,
      );
      const reader = await broker.openReader(log, 0, 0);
      expect(await reader.read(1, NEVER)).to.have.length(1);
      expect((await reader.read(1000, NEVER)).length).to.be.within(1, 10);
      await reader.close();
    });

    it('gives again from a committed offset what was read and not committed', async () => {
      const { log, table } = scene;
      await append(
        scene.broker,
        0,
        Array.from({ length: 30 }, (_, at) => record(String(at))),
        log,
      );
      const counted: string[] = [];
      for (let life = 0; life < 3; life++) {
        const writer = await scene.broker.openWriter('w');
        await scene.broker.refreshTable(table, 0);
        const next = Number(text(await scene.broker.tableGet(table, 0, 'next')) ?? 0);
        const reader = await scene.broker.openReader(log, 0, next);
        const read: LogRecord[] = [];
        while (read.length < 12 && counted.length + read.length < 30) {
          read.push(...(await reader.read(1, NEVER)));
        }
        const committed = read.slice(0, 10);
        const transaction = writer.begin();
        transaction.put(table, 0, 'next', Buffer.from(String((committed.at(-1)?.offset ?? 0) + 1)));
        counted.push(...committed.map((one) => text(one.value) ?? ''));
        await transaction.commit();
        await scene.reopen();
      }
      expect(counted).to.deep.equal(Array.from({ length: 30 }, (_, at) => String(at)));
    });

    it('loses nothing while it pauses, and leaves other readers alone', async () => {
      const { broker, log } = scene;
      const paused = await broker.openReader(log, 0, 0);
      const reading = await broker.openReader(log, 0, 0);
      const writer = await broker.openWriter('w');
      const expected: string[] = [];
      const seen: string[] = [];
      for (let at = 0; at < 15; at++) {
        const transaction = writer.begin();
        transaction.append(log, 0, [record(String(at)), record(`${String(at)} ${'x'.repeat(50_000)}`)]);
        await transaction.commit();
        expected.push(String(at), `${String(at)} ${'x'.repeat(50_000)}`);
        while (seen.length < expected.length) {
          seen.push(...(await reading.read(ALL, NEVER)).map((one) => text(one.value) ?? ''));
        }
      }
      expect(seen).to.deep.equal(expected);
      const late: string[] = [];
      while (late.length < expected.length) {
        late.push(...(await paused.read(100_000, NEVER)).map((one) => text(one.value) ?? ''));
      }
      expect(late).to.deep.equal(expected);
      await paused.close();
      await reading.close();
    });

    it('finds the first record of a time or later, whatever the order of their times', async () => {
      const { broker, log } = scene;
      const times = [1_000, 5_000, 3_000, 9_000, 2_000];
      for (const time of times) {
        await append(broker, 0, [{ ...record(String(time)), timestamp: 1_700_000_000_000 + time }], log);
      }
      const at = async (time: number): Promise<string | undefined> => {
        const offset = await broker.offsetAt(log, 0, 1_700_000_000_000 + time);
        return offset === undefined ? undefined : (await readAll(broker, 0, offset, log))[0];
      };
      expect([await at(0), await at(1_001), await at(3_000), await at(5_001), await at(9_000)]).to.deep.equal(
        ['1000', '5000', '5000', '9000', '9000'],
      );
      expect(await at(9_001)).to.equal(undefined);
      expect(await broker.offsetAt(log, 1, 0)).to.equal(undefined);
    });

    it('finds it inside what was appended at once', async () => {
      const { broker, log } = scene;
      await append(
        broker,
        0,
        Array.from({ length: 100 }, (_, at) => ({
          ...record(String(at)),
          timestamp: 1_700_000_000_000 + at,
        })),
        log,
      );
      const offset = (await broker.offsetAt(log, 0, 1_700_000_000_037)) ?? Number.NaN;
      expect((await readAll(broker, 0, offset, log))[0]).to.equal('37');
    });

    describe('at the end', () => {
      let reader: PartitionReader;

      beforeEach(async () => {
        await append(scene.broker, 0, [record('old')], scene.log);
        reader = await scene.broker.openReader(scene.log, 0, 0);
        await reader.read(ALL, NEVER);
      });

      afterEach(async () => {
        await reader.close();
      });

      it('tells whether a read would wait', async () => {
        expect(reader.ready).to.equal(false);
        await append(scene.broker, 0, [record('new')], scene.log);
        await eventually(() => {
          expect(reader.ready).to.equal(true);
        });
        await reader.read(ALL, NEVER);
        expect(reader.ready).to.equal(false);
      });

      it('is woken by a commit', async () => {
        const waiting = reader.read(ALL, NEVER);
        await append(scene.broker, 0, [record('new')], scene.log);
        expect((await waiting).map((one) => text(one.value))).to.deep.equal(['new']);
      });

      it('gives an empty list when aborted, skips no record, and reads on', async () => {
        const stop = new AbortController();
        const { end } = await scene.broker.offsets(scene.log, 0);
        const waiting = reader.read(ALL, stop.signal);
        stop.abort();
        expect(await waiting).to.deep.equal([]);
        expect(await reader.read(ALL, stop.signal)).to.deep.equal([]);
        expect(reader.position).to.be.at.most(end);
        await append(scene.broker, 0, [record('new')], scene.log);
        expect((await reader.read(ALL, NEVER)).map((one) => text(one.value))).to.deep.equal(['new']);
      });

      it('comes to the end that the log tells, whatever lies before it', async () => {
        const waiting = reader.read(ALL, NEVER);
        await eventually(async () => {
          expect(reader.position).to.equal((await scene.broker.offsets(scene.log, 0)).end);
        });
        await append(scene.broker, 0, [record('new')], scene.log);
        expect((await waiting).map((one) => text(one.value))).to.deep.equal(['new']);
      });
    });
  });
}
