import { join } from 'node:path';
import { expect } from 'chai';
import { decodeProgress } from '../../../src/actors/partition/progress.ts';
import {
  requestRewind,
  type RequestedRewind,
  type RewindTo,
} from '../../../src/actors/rewind/request-rewind.ts';
import { PROGRESS_KEY } from '../../../src/actors/topics.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import type { Pipeline } from '../../../src/pipeline.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { SharedStore } from './replicas.ts';
import {
  append,
  asFile,
  drain,
  interceptCommits,
  onStage,
  published,
  rowLines,
  sleep,
  summaries,
  until,
} from './support.ts';

const EARLIEST: RewindTo = { kind: 'offset', offset: 'earliest' };

function rewind({ broker, topology }: Pipeline, to: RewindTo): Promise<RequestedRewind> {
  const partitions = topology.stats.partitions.length;
  return requestRewind(
    { broker, topics: topology.topics, partitions, clock: systemClock, random: Math.random },
    to,
  );
}

async function refusal(asked: Promise<unknown>): Promise<string> {
  return await asked.then(
    () => 'not refused',
    (error: unknown) => String(error),
  );
}

async function epochs(broker: Broker, partitions: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const stored = await broker.tableGet('geoflock.regions', partition, PROGRESS_KEY);
    found.push(stored === undefined ? -1 : decodeProgress(stored).epoch);
  }
  return found;
}

/** Drains when all partitions that have counted anything are of this epoch. */
async function drained(pipeline: Pipeline, epoch: number): Promise<number> {
  const { length } = pipeline.topology.stats.partitions;
  for (let deadline = performance.now() + 40_000; ; ) {
    const found = await epochs(pipeline.broker, length);
    if (found.every((one) => one === epoch || one < 0)) {
      return await drain(pipeline);
    }
    if (performance.now() > deadline) {
      throw new Error(`partitions are of the epochs ${found.join()}, not of ${String(epoch)}`);
    }
    await sleep(20);
  }
}

describe('rewind', () => {
  it('to the earliest offset gives the same summaries and totals, while it runs', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start({ 'topics.partitions': '3' });
      await stage.write('a.csv', asFile([...rowLines(300), 'bad']));
      await append(pipeline.broker, [{ value: `nonsense\n${rowLines(1, 9).join()}`, partition: 1 }]);
      expect(await drain(pipeline)).to.equal(301);
      const [before, totals] = [await summaries(pipeline.broker, 3), await pipeline.totals()];
      const { epoch, partitions } = await rewind(pipeline, EARLIEST);
      expect(epoch).to.equal(1);
      expect(partitions.map(({ to }) => to)).to.deep.equal([0, 0, 0]);
      expect(partitions.map(({ from }) => from)).to.deep.equal(totals.nextOffsets);
      expect(await drained(pipeline, 1)).to.equal(301);
      expect(await summaries(pipeline.broker, 3)).to.deep.equal(before);
      expect(await pipeline.totals()).to.deep.equal(totals);
    }));

  it('is heard of by a drain that is asked for in the next moment', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start({ 'topics.partitions': '2' });
      await stage.write('a.csv', asFile(rowLines(200)));
      expect(await drain(pipeline)).to.equal(200);
      await rewind(pipeline, EARLIEST);
      expect(await drain(pipeline)).to.equal(200);
      expect(await pipeline.totals()).to.deep.include({ leftOut: 0 });
    }));

  it('is heard of by a drain that is asked for before anything is known of the group', () =>
    onStage(async (stage) => {
      const first = await stage.start({}, { intercept: withoutRewinds });
      await stage.write('a.csv', asFile(rowLines(50)));
      expect(await drain(first)).to.equal(50);
      await rewind(first, EARLIEST);
      await stage.stop(first);
      let letGo: () => void = () => undefined;
      const released = new Promise<void>((resolve) => (letGo = resolve));
      const asked: string[] = [];
      const intercept = (broker: Broker): Broker =>
        withRefresh(broker, async (table, refresh) => {
          asked.push(table);
          if (table === 'geoflock.settings') {
            await released;
          }
          await refresh();
        });
      const pipeline = await stage.start({}, { intercept });
      const drained = drain(pipeline);
      await until('the rewinds are asked for', () => asked.includes('geoflock.settings'));
      await sleep(500);
      letGo();
      expect(await drained).to.equal(50);
    }));

  it('into the middle counts what is behind it, and leaves the rest out of the books', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start();
      const lines = rowLines(20);
      for (const value of lines.slice(0, 12)) {
        await append(pipeline.broker, [{ value }]);
      }
      expect(await drain(pipeline)).to.equal(12);
      await rewind(pipeline, { kind: 'offset', offset: 9 });
      expect(await drained(pipeline, 1)).to.equal(3);
      expect(await pipeline.totals()).to.deep.include({
        rows: { read: 3, counted: 3, rejected: 0 },
        leftOut: 9,
        nextOffsets: [12],
      });
      await append(pipeline.broker, [{ value: lines.slice(12).join('\n') }]);
      expect(await drain(pipeline)).to.equal(11);
      await rewind(pipeline, EARLIEST);
      expect(await drained(pipeline, 2)).to.equal(20);
      expect(await pipeline.totals()).to.deep.include({
        rows: { read: 20, counted: 20, rejected: 0 },
        leftOut: 0,
      });
    }));

  it('to a time begins with the first row that arrived then or later', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start({ 'topics.partitions': '2' });
      const now = Date.now();
      const at = (value: string, partition: number, before: number): Promise<void> =>
        append(pipeline.broker, [{ value, partition, timestamp: now - before }]);
      const lines = rowLines(6);
      for (const [n, [partition, before]] of [
        [0, 5_000],
        [0, 3_000],
        [0, 1_000],
        [1, 4_000],
        [1, 3_500],
        [1, 3_400],
      ].entries()) {
        await at(lines[n] ?? '', partition ?? 0, before ?? 0);
      }
      expect(await drain(pipeline)).to.equal(6);
      const { partitions } = await rewind(pipeline, { kind: 'time', time: now - 3_000 });
      // In the second partition nothing has come since: it stays where it is, with nothing counted.
      expect(partitions.map(({ to }) => to)).to.deep.equal([1, 3]);
      expect(await drained(pipeline, 1)).to.equal(2);
      expect((await pipeline.totals()).leftOut).to.equal(4);
    }));

  it('is applied once: by the next start, and not by those after it', () =>
    onStage(async (stage) => {
      const first = await stage.start();
      await stage.write('a.csv', asFile(rowLines(50)));
      expect(await drain(first)).to.equal(50);
      const { end } = await first.broker.offsets('mobile_data', 0);
      await stage.stop(first);
      const asking = await stage.start({}, { intercept: withoutRewinds });
      await rewind(asking, { kind: 'offset', offset: end - 1 });
      await rewind(asking, EARLIEST);
      await stage.stop(asking);
      for (const life of [1, 2]) {
        const pipeline = await stage.start();
        expect(await drained(pipeline, 2), `life ${String(life)}`).to.equal(50);
        expect((await pipeline.totals()).rows).to.deep.equal({ read: 50, counted: 50, rejected: 0 });
        await stage.stop(pipeline);
      }
    }));

  it('is whole or not at all: a partition that fails while it is applied applies it anew', () =>
    onStage(async (stage) => {
      let failures = 0;
      const pipeline = await stage.start(
        {},
        {
          intercept: (broker) =>
            interceptCommits(broker, async ({ commit, leaveOut, writer }) => {
              const [stored] = await epochs(broker, 1);
              if (writer === 'partition-0' && asked && stored === 0 && failures < 2) {
                failures++;
                await leaveOut();
                throw new Error('made to fail');
              }
              return await commit();
            }),
        },
      );
      let asked = false;
      await stage.write('a.csv', asFile(rowLines(50)));
      await drain(pipeline);
      const before = await summaries(pipeline.broker, 1);
      asked = true;
      await rewind(pipeline, EARLIEST);
      expect(await drained(pipeline, 1)).to.equal(50);
      expect(failures).to.equal(2);
      expect(await summaries(pipeline.broker, 1)).to.deep.equal(before);
    }));

  it('makes no model of two epochs: it waits for the partition that has not begun anew', () =>
    onStage(async (stage) => {
      const store = new SharedStore();
      store.want('geoflock', { a: [0], b: [1] });
      store.want('geoflock.ingest', { a: [0, 1] });
      store.want('geoflock.models', { a: [0] });
      let hold = false;
      let held = 0;
      let letGo: () => void = () => undefined;
      const released = new Promise<void>((resolve) => (letGo = resolve));
      const settings = { 'topics.partitions': '2', 'model.every': '50ms', 'checkpoint.every': '50ms' };
      const open = (name: string): Promise<Pipeline> =>
        stage.start(
          { ...settings, 'report.directory': join(stage.folder, `report-${name}`) },
          {
            live: true,
            openBroker: store.openAs(name),
            intercept: (broker) =>
              interceptCommits(broker, async ({ commit, writer }) => {
                if (hold && writer === 'partition-1') {
                  held++;
                  await released;
                }
                return await commit();
              }),
          },
        );
      const [a, b] = [await open('a'), await open('b')];
      await stage.write('a.csv', asFile(rowLines(200)));
      expect(await drain(a)).to.equal(200);
      hold = true;
      await rewind(a, EARLIEST);
      await until('the other partition is about to begin anew', () => held > 0);
      await until('the first has begun anew', () => a.topology.stats.partitions[0]?.checkpoints === 2);
      const models = await published(a);
      const ending = a.end(40_000);
      // Time for many live models.
      await sleep(500);
      expect(await epochs(a.broker, 2)).to.deep.equal([1, 0]);
      expect(await published(a)).to.deep.equal(models);
      expect(models.map(({ epoch }) => epoch)).not.to.include(1);
      letGo();
      expect((await ending).published?.epoch).to.equal(1);
      expect(await drain(b)).to.equal(200);
      await stage.stop(b);
    }));

  it('is refused before the beginning of the log, beyond what is counted, and names what can be had', () =>
    onStage(async (stage) => {
      const settings = { 'broker.embedded.retention.bytes': '1', 'checkpoint.every': '20ms' };
      const pipeline = await stage.start(settings);
      const { broker } = pipeline;
      for (const value of rowLines(10)) {
        await append(broker, [{ value }]);
      }
      expect(await drain(pipeline)).to.equal(10);
      expect(await refusal(rewind(pipeline, { kind: 'offset', offset: 11 }))).to.match(
        /no partition of mobile_data has been counted up to offset 11, the furthest up to 10/,
      );
      let first = 0;
      await until('retention has removed rows', () => {
        void broker.offsets('mobile_data', 0).then((offsets) => (first = offsets.first));
        return first > 0;
      });
      const begins = `partition 0 of mobile_data begins at offset ${String(first)}, which is not before`;
      expect(await refusal(rewind(pipeline, { kind: 'offset', offset: first - 1 }))).to.contain(
        `${begins} offset ${String(first - 1)}: what retention has removed cannot be counted again; --to-offset earliest`,
      );
      expect(await refusal(rewind(pipeline, { kind: 'time', time: Date.UTC(2025, 0, 1) }))).to.contain(
        `${begins} 2025-01-01T00:00:00.000Z`,
      );
      await rewind(pipeline, EARLIEST);
      expect(await drained(pipeline, 1)).to.equal(10 - first);
      expect(await pipeline.totals()).to.deep.include({ leftOut: first });
    }));
});

/** Sees no rewind that is asked for: asks for it and leaves it to others. */
function withoutRewinds(broker: Broker): Broker {
  return new Proxy(broker, {
    get(target, property) {
      if (property === 'tableGet') {
        return async (table: string, partition: number, key: string) =>
          table === 'geoflock.settings' ? undefined : await target.tableGet(table, partition, key);
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Stands before each refresh of a table. */
function withRefresh(
  broker: Broker,
  refreshed: (table: string, refresh: () => Promise<void>) => Promise<void>,
): Broker {
  return new Proxy(broker, {
    get(target, property) {
      if (property === 'refreshTable') {
        return (table: string, partition: number) =>
          refreshed(table, () => target.refreshTable(table, partition));
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
