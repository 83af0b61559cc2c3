import { readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import { decodeLedgerEntry, type LedgerEntry } from '../../../src/actors/ingest/ledger.ts';
import { decodeProgress } from '../../../src/actors/partition/progress.ts';
import { CREATED_PREFIX, FILE_PREFIX, PROGRESS_KEY } from '../../../src/actors/topics.ts';
import type { Committed } from '../../../src/broker/broker.ts';
import { partitionOf } from '../../../src/broker/partitioner.ts';
import type { Model } from '../../../src/clustering/model.ts';
import type { Pipeline, PipelineOptions } from '../../../src/pipeline.ts';
import { type Clock, systemClock } from '../../../src/system/clock.ts';
import { within } from '../../support/within.ts';
import { SharedStore } from './replicas.ts';
import {
  asFile,
  type Attempt,
  drain,
  end,
  interceptCommits,
  onStage,
  rowLines,
  type Settings,
  sleep,
  type Stage,
  summaries,
  until,
} from './support.ts';

const ROWS = 400;
const SETTINGS: Settings = {
  'topics.partitions': '2',
  'source.maxLineBytes': '128',
  'publisher.transactionBytes': '1KiB',
  'checkpoint.rows': '100',
  'checkpoint.every': '200ms',
  'regions.features': '12',
};
const [ROWS_GROUP, INGEST, MODELS] = ['geoflock', 'geoflock.ingest', 'geoflock.models'];

/** Names of files whose ledger partition, of two, is the given one. */
function filesOf(partition: number, count: number): string[] {
  const names: string[] = [];
  for (let n = 0; names.length < count; n++) {
    if (partitionOf(`f${String(n)}.csv`, 2) === partition) {
      names.push(`f${String(n)}.csv`);
    }
  }
  return names;
}

/** On this clock no time-out of seconds ends: what depends on one does not happen. */
const withoutTimeouts: Clock = {
  ...systemClock,
  after: (ms, callback) => (ms < 4_000 ? systemClock.after(ms, callback) : () => undefined),
};

interface Replicas {
  readonly stage: Stage;
  readonly store: SharedStore;
  readonly start: (
    name: string,
    options?: Partial<PipelineOptions>,
    settings?: Settings,
  ) => Promise<Pipeline>;
}

/** Each of two ledger partitions, and each of two input partitions, has another owner. */
function withReplicas(work: (replicas: Replicas) => Promise<void>): Promise<void> {
  return onStage(async (stage) => {
    const store = new SharedStore();
    store.want(ROWS_GROUP, { a: [0], b: [1] });
    store.want(INGEST, { a: [0], b: [1] });
    store.want(MODELS, { a: [0] });
    const start: Replicas['start'] = (name, options = {}, settings = {}) =>
      stage.start(
        { ...SETTINGS, 'report.directory': join(stage.folder, `report-${name}`), ...settings },
        { openBroker: store.openAs(name), ...options },
      );
    await work({ stage, store, start });
  });
}

/** Commits of the chosen kind wait until the gate is opened. */
class Gate {
  #open: () => void = () => undefined;
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });
  waiting = 0;

  open(): void {
    this.#open();
  }

  intercept(closed: (attempt: Attempt) => boolean): NonNullable<PipelineOptions['intercept']> {
    return (broker) =>
      interceptCommits(broker, async (attempt): Promise<Committed> => {
        if (closed(attempt)) {
          this.waiting++;
          await this.#opened;
        }
        return await attempt.commit();
      });
  }
}

async function entriesOf(pipeline: Pipeline): Promise<readonly LedgerEntry[]> {
  const entries: LedgerEntry[] = [];
  for (const partition of [0, 1]) {
    for await (const { value } of pipeline.broker.tableEntries('geoflock.files', partition, FILE_PREFIX)) {
      entries.push(decodeLedgerEntry(value));
    }
  }
  return entries;
}

async function expectTotals(pipeline: Pipeline, stage: Stage, files: number): Promise<void> {
  const lines = await stage.countLines();
  expect(await pipeline.totals()).to.deep.include({
    files: { done: files, failed: 0 },
    rows: { read: lines, counted: lines, rejected: 0 },
  });
}

describe('replicas that share a folder and a log', () => {
  it('each publishes the files of its own partitions, and all rows are counted once', () =>
    withReplicas(async ({ stage, start }) => {
      const [mine, theirs] = [filesOf(0, 3), filesOf(1, 2)];
      for (const [n, name] of [...mine, ...theirs].entries()) {
        await stage.write(name, asFile(rowLines(ROWS, n)));
      }
      const a = await start('a');
      const b = await start('b');
      const [weightA, weightB] = await Promise.all([drain(a), drain(b)]);
      expect([weightA, weightB]).to.deep.equal([5 * ROWS, 5 * ROWS]);
      expect(a.topology.stats.publisher.rowsRead).to.equal(3 * ROWS);
      expect(b.topology.stats.publisher.rowsRead).to.equal(2 * ROWS);
      await expectTotals(a, stage, 5);
      await expectTotals(b, stage, 5);
    }));

  it('a sweep waits for the files of the others, and its drain for their partitions', () =>
    withReplicas(async ({ stage, start }) => {
      const [name = ''] = filesOf(1, 1);
      await stage.write(name, asFile(rowLines(ROWS)));
      const [files, checkpoints] = [new Gate(), new Gate()];
      const a = await start('a');
      const b = await start('b', {
        intercept: (broker) =>
          files.intercept(({ writer }) => writer === 'publisher-1')(
            checkpoints.intercept(({ writer }) => writer === 'partition-1')(broker),
          ),
      });
      let drained = false;
      const draining = drain(a).then((weight) => {
        drained = true;
        return weight;
      });
      await until('the file is claimed', () => files.waiting > 0);
      await sleep(700);
      expect(drained, 'before the file is read').to.equal(false);
      files.open();
      await until('the rows are read', () => b.topology.stats.publisher.rowsRead === ROWS);
      await until('a checkpoint is begun', () => checkpoints.waiting > 0);
      await sleep(700);
      expect(drained, 'before the rows are counted').to.equal(false);
      checkpoints.open();
      expect(await draining).to.equal(ROWS);
    }));

  it('a file that failed at another replica ends the sweep and is known as failed there', () =>
    withReplicas(async ({ stage, start }) => {
      const [good = ''] = filesOf(0, 1);
      const [bad = ''] = filesOf(1, 1);
      await stage.write(good, asFile(rowLines(ROWS)));
      await stage.write(bad, 'a,b\n1,2\n');
      const a = await start('a');
      await start('b');
      expect(await drain(a)).to.equal(ROWS);
      expect((await a.totals()).files).to.deep.equal({ done: 1, failed: 1 });
      expect(a.topology.stats.publisher.filesFailed).to.equal(0);
      expect(a.topology.stats.fileWatcher.failedElsewhere).to.equal(1);
    }));

  it('a file handed over in the middle goes on from its committed byte: no row lost, none twice', () =>
    withReplicas(async ({ stage, store, start }) => {
      const [name = ''] = filesOf(0, 1);
      await stage.write(name, asFile(rowLines(4 * ROWS)));
      const a = await start('a');
      const b = await start('b');
      const read = (pipeline: Pipeline): number => pipeline.topology.stats.publisher.rowsRead;
      await until('a has begun', () => read(a) > ROWS / 4);
      await store.move(INGEST, 0, 'b');
      const handedOver = read(a);
      expect(handedOver).to.be.lessThan(4 * ROWS);
      expect(await drain(a)).to.equal(4 * ROWS);
      expect(read(a), 'nothing is read after the partition is let go of').to.equal(handedOver);
      expect(read(b)).to.equal(4 * ROWS - handedOver);
      await expectTotals(a, stage, 1);
      expect((await entriesOf(a)).map(({ generation, state }) => ({ generation, state }))).to.deep.equal([
        { generation: 0, state: 'done' },
      ]);
    }));

  it('an input partition handed over is checkpointed first: nothing is read again', () =>
    withReplicas(async ({ stage, store, start }) => {
      // No checkpoint is due by itself, and the first drain is that of the end.
      const rarely = { 'checkpoint.rows': '1000000', 'checkpoint.every': '1h' };
      store.want(ROWS_GROUP, { a: [0, 1] });
      for (const name of filesOf(0, 3)) {
        await stage.write(name, asFile(rowLines(ROWS)));
      }
      const a = await start('a', {}, rarely);
      const b = await start('b', {}, rarely);
      const read = (pipeline: Pipeline): number =>
        pipeline.topology.stats.partitions.reduce((rows, { rowsRead }) => rows + rowsRead, 0);
      await until('a has read all', () => read(a) === 3 * ROWS);
      await store.move(ROWS_GROUP, 0, 'b');
      await store.move(ROWS_GROUP, 1, 'b');
      expect(await drain(b)).to.equal(3 * ROWS);
      expect(read(b)).to.equal(0);
      await expectTotals(b, stage, 3);
    }));

  it('an owner that slept through its expulsion commits nothing, and goes on with what is left to it', () =>
    withReplicas(async ({ stage, store, start }) => {
      for (const [n, name] of [...filesOf(0, 2), ...filesOf(1, 2)].entries()) {
        await stage.write(name, asFile(rowLines(ROWS, n)));
      }
      store.want(INGEST, { a: [0, 1] });
      store.want(ROWS_GROUP, { a: [0, 1] });
      const asleep = new Gate();
      const a = await start('a', {
        intercept: asleep.intercept(
          ({ topics, writer }) =>
            writer === 'partition-0' || (writer === 'publisher-0' && topics.has('mobile_data')),
        ),
      });
      await until('a transaction and a checkpoint are begun', () => asleep.waiting >= 1);
      const b = await start('b');
      const tell = [await store.steal(INGEST, 0, 'b'), await store.steal(ROWS_GROUP, 0, 'b')];
      await until('b has opened both', () =>
        ['b publisher-0', 'b partition-0'].every((opened) => store.writers.includes(opened)),
      );
      asleep.open();
      await until('the sleeper has noticed', () => a.actors().some(({ restarts }) => restarts > 0));
      for (const revoked of tell) {
        await revoked();
      }
      expect(await drain(b)).to.equal(4 * ROWS);
      await expectTotals(b, stage, 4);
      // Another group counts the same log undisturbed, and comes to the same bytes.
      const empty = join(stage.folder, 'empty');
      await mkdir(empty);
      const c = await start('c', {}, { 'topics.group': 'second', 'input.directory': empty });
      expect(await drain(c)).to.equal(4 * ROWS);
      expect(await summaries(b.broker, 2)).to.deep.equal(await summaries(c.broker, 2, 'second.regions'));
      const restarts = a.actors().reduce((sum, actor) => sum + actor.restarts, 0);
      expect(restarts, 'the sleeper restarts, and does not loop').to.be.within(1, 4);
    }));

  it('an owner that is told of its expulsion in the middle of a checkpoint lets go as soon as that fails', () =>
    withReplicas(async ({ stage, store, start }) => {
      store.want(INGEST, { a: [0, 1] });
      store.want(ROWS_GROUP, { a: [0, 1] });
      await stage.write(filesOf(0, 1)[0] ?? '', asFile(rowLines(ROWS)));
      const asleep = new Gate();
      await start('a', {
        clock: withoutTimeouts,
        intercept: asleep.intercept(({ writer }) => writer === 'partition-0'),
      });
      await until('a checkpoint is begun', () => asleep.waiting > 0);
      const b = await start('b');
      const revoked = (await store.steal(ROWS_GROUP, 0, 'b'))();
      await until('b has opened it', () => store.writers.includes('b partition-0'));
      asleep.open();
      await within(20_000, 'the letting go', revoked);
      expect(await drain(b)).to.equal(ROWS);
    }));

  it('a replica that stops hands its files and partitions on', () =>
    withReplicas(async ({ stage, start }) => {
      for (const [n, name] of [...filesOf(0, 3), ...filesOf(1, 3)].entries()) {
        await stage.write(name, asFile(rowLines(ROWS, n)));
      }
      const a = await start('a');
      const b = await start('b');
      await until('a has begun', () => a.topology.stats.publisher.rowsRead > 0);
      await end(a);
      await stage.stop(a);
      expect(await drain(b)).to.equal(6 * ROWS);
      await expectTotals(b, stage, 6);
    }));

  it('all serve the model that the owner of the models topic publishes', () =>
    withReplicas(async ({ stage, store, start }) => {
      const models: Record<'a' | 'b', Model[]> = { a: [], b: [] };
      const live = (name: 'a' | 'b'): Partial<PipelineOptions> => ({
        live: true,
        onModel: (model) => models[name].push(model),
      });
      const often = { 'model.every': '50ms' };
      const [first = '', second = '', third = ''] = filesOf(0, 3);
      await stage.write(first, asFile(rowLines(ROWS)));
      await start('a', live('a'), often);
      await start('b', live('b'), often);
      const weight = (name: 'a' | 'b'): number => models[name].at(-1)?.weight ?? 0;
      // The search beside the models may find a better one of the same rows.
      const agree = (files: number): boolean =>
        weight('a') === files * ROWS &&
        weight('b') === files * ROWS &&
        isDeepStrictEqual(models.a.at(-1), models.b.at(-1));
      await until('both have the model of the first file', () => agree(1));
      const report = (name: string): string =>
        readFileSync(join(stage.folder, `report-${name}`, 'model.json'), 'utf8');
      await until('both have written it', () => report('b') === report('a'));

      await store.move(MODELS, 0, 'b');
      await stage.write(second, asFile(rowLines(ROWS, 2)));
      await until('both have the model of the second file', () => agree(2));

      // A sleeping owner of the models fails to publish, and nothing else happens.
      const tell = await store.steal(MODELS, 0, 'a');
      await stage.write(third, asFile(rowLines(ROWS, 3)));
      await until('both have the third file', () => weight('a') === 3 * ROWS);
      await tell();
      await until('and the other follows', () => weight('b') === 3 * ROWS);
    }));

  it("a replica stops at once while it waits to see what has become of another's file", () =>
    withReplicas(async ({ stage, start }) => {
      let looks = 0;
      const a = await start('a', {
        intercept: (broker) =>
          new Proxy(broker, {
            get(target, property) {
              if (property === 'tableGet') {
                return (table: string, partition: number, key: string): Promise<Uint8Array | undefined> => {
                  const foreign =
                    table === 'geoflock.files' && partition === 1 && key.startsWith(FILE_PREFIX);
                  looks += foreign ? 1 : 0;
                  // The broker is away.
                  return foreign ? new Promise(() => undefined) : target.tableGet(table, partition, key);
                };
              }
              const value: unknown = Reflect.get(target, property, target);
              return typeof value === 'function' ? (value.bind(target) as unknown) : value;
            },
          }),
      });
      const [name = ''] = filesOf(1, 1);
      await stage.write(name, asFile(rowLines(10)));
      await until('it looks at what has become of the file', () => looks > 0);
      // Who does not hear of the end is given up after a while, and `terminated` tells of that.
      await stage.stop(a);
      expect(await a.terminated).to.deep.equal({ kind: 'stopped' });
    }));

  it('a replica that may not publish the canonical model computes and serves the same', () =>
    withReplicas(async ({ stage, start }) => {
      await stage.write(filesOf(1, 1)[0] ?? '', asFile(rowLines(ROWS)));
      const a = await start('a');
      const b = await start('b');
      expect(await drain(b)).to.equal(ROWS);
      expect((await b.broker.offsets('geoflock.models', 0)).end, 'published by b').to.equal(0);
      expect(await drain(a)).to.equal(ROWS);
      expect((await b.broker.offsets('geoflock.models', 0)).end, 'published by a').to.equal(1);
      const report = (name: string): Promise<string> =>
        readFile(join(stage.folder, `report-${name}`, 'model.json'), 'utf8');
      expect(await report('b')).to.equal(await report('a'));
    }));

  it('with folders of their own each publishes all of its files, and the totals are those of all', () =>
    onStage(async (other) => {
      await withReplicas(async ({ stage, start }) => {
        const local = { 'ingest.ownership': 'local' };
        for (const name of [...filesOf(0, 1), ...filesOf(1, 1)]) {
          await stage.write(name, asFile(rowLines(ROWS)));
          await other.write(name, asFile(rowLines(ROWS, 2)));
        }
        const a = await start('a', {}, { ...local, 'source.name': 'here' });
        const elsewhere = { 'source.name': 'there', 'input.directory': join(other.folder, 'input') };
        const b = await start('b', {}, { ...local, ...elsewhere });
        await drain(a);
        expect(await drain(b)).to.equal(4 * ROWS);
        for (const pipeline of [a, b]) {
          expect(pipeline.topology.stats.publisher.rowsRead).to.equal(2 * ROWS);
        }
        expect(await b.totals()).to.deep.include({
          files: { done: 4, failed: 0 },
          rows: { read: 4 * ROWS, counted: 4 * ROWS, rejected: 0 },
        });
      });
    }));

  it('remembers that it made the rows topic, and packs; on one that was there it sends line by line', async () => {
    const lines = (before: boolean): Promise<number> => {
      let most = 0;
      return withReplicas(async ({ stage, store, start }) => {
        store.want(INGEST, { a: [0, 1] });
        store.want(ROWS_GROUP, { a: [0, 1] });
        const open: PipelineOptions['openBroker'] = async (configuration, options) => {
          const broker = await store.openAs('a')(configuration, options);
          await (before
            ? broker.declareTopics([{ name: 'mobile_data', kind: 'log', partitions: 2 }])
            : undefined);
          return broker;
        };
        await stage.write('a.csv', asFile(rowLines(ROWS)));
        const first = await start('a', { openBroker: open });
        await stage.stop(first);
        // The mark outlives the one who made the topic.
        const a = await start('a');
        await drain(a);
        const mark = await a.broker.tableGet('geoflock.files', 0, `${CREATED_PREFIX}mobile_data`);
        expect(mark !== undefined).to.equal(!before);
        for (const partition of [0, 1]) {
          const { end } = await a.broker.offsets('mobile_data', partition);
          const reader = await a.broker.openReader('mobile_data', partition, 0);
          while (reader.position < end) {
            for (const { value } of await reader.read(1 << 20, AbortSignal.timeout(5_000))) {
              most = Math.max(
                most,
                Buffer.from(value ?? [])
                  .toString()
                  .split('\n').length,
              );
            }
          }
          await reader.close();
        }
      }).then(() => most);
    };
    expect(await lines(true)).to.equal(1);
    expect(await lines(false)).to.be.greaterThan(1);
  });

  it('progress takes in what no reader sees, so that a drain ends behind transaction markers', () =>
    withReplicas(async ({ stage, store, start }) => {
      store.want(INGEST, { a: [0, 1] });
      store.want(ROWS_GROUP, { a: [0, 1] });
      await stage.write('a.csv', asFile(rowLines(ROWS)));
      const a = await start('a', {
        // One marker at the end of each partition that has anything.
        intercept: (broker) => ({
          ...broker,
          consumedUpTo: () => Promise.resolve(),
          offsets: async (topic, partition) => {
            const { end, first } = await broker.offsets(topic, partition);
            return { first, end: end === 0 ? 0 : end + 1 };
          },
          openReader: async (topic, partition, offset) => {
            const reader = await broker.openReader(topic, partition, offset);
            let end = 0;
            return {
              topic,
              partition,
              get position() {
                return reader.position > 0 && reader.position === end ? end + 1 : reader.position;
              },
              get ready() {
                return reader.ready;
              },
              read: async (maxBytes, signal) => {
                end = (await broker.offsets(topic, partition)).end;
                return await reader.read(maxBytes, signal);
              },
              close: () => reader.close(),
            };
          },
        }),
      });
      expect(await drain(a)).to.equal(ROWS);
      for (const partition of [0, 1]) {
        const { end } = await a.broker.offsets('mobile_data', partition);
        const stored = await a.broker.tableGet('geoflock.regions', partition, PROGRESS_KEY);
        expect(stored === undefined ? 0 : decodeProgress(stored).nextOffset).to.equal(
          end === 0 ? 0 : end + 1,
        );
      }
    }));
});
