import { expect } from 'chai';
import type { Committed } from '../../../src/broker/broker.ts';
import { UnknownOutcomeError } from '../../../src/broker/errors.ts';
import type { Model } from '../../../src/clustering/model.ts';
import type { Pipeline, PipelineOptions } from '../../../src/pipeline.ts';
import { nameModel } from '../../../src/places/places.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { SharedStore } from './replicas.ts';
import {
  asFile,
  drain,
  interceptCommits,
  onStage,
  type Settings,
  type Stage,
  timeOfRow,
  until,
  published,
} from './support.ts';

const TOWNS = { paris: [2.35, 48.86], delhi: [77.2, 28.6], lima: [-77, -12] } as const;
type Town = keyof typeof TOWNS;

const SETTINGS: Settings = { 'clustering.k': '3', 'model.every': '20ms', 'checkpoint.every': '50ms' };

/** A file of so many rows in each town. */
function rowsIn(counts: Partial<Record<Town, number>>): string {
  const lines = Object.entries(counts).flatMap(([town, count]) => {
    const [east, north] = TOWNS[town as Town];
    return Array.from({ length: count }, (_, row) => {
      const time = new Date(timeOfRow(row)).toISOString();
      return `${time},d,0,0,9.8,${(east + 0.001 * row).toFixed(4)},${north.toFixed(4)},0`;
    });
  });
  return asFile(lines);
}

const FIRST = { paris: 30, delhi: 20, lima: 10 };
/** After it Lima is the heaviest. */
const SECOND = { lima: 100 };

/** Which id the cluster of each town has. */
function idsOf(model: Model | undefined): Partial<Record<Town, number>> {
  const towns = Object.entries(TOWNS).map(([town, [east]]) => {
    const cluster = model?.clusters.find(({ longitude }) => Math.abs(longitude - east) < 1);
    return [town, cluster?.id];
  });
  return Object.fromEntries(towns) as Partial<Record<Town, number>>;
}

interface Live {
  readonly pipeline: Pipeline;
  readonly models: readonly Model[];
  /** Waits for the live model of so many rows. */
  readonly modelOf: (rows: number) => Promise<Model>;
}

async function startLive(
  stage: Stage,
  settings: Settings = {},
  options: Partial<PipelineOptions> = {},
): Promise<Live> {
  const models: Model[] = [];
  const onModel = (model: Model): void => {
    models.push(model);
  };
  const pipeline = await stage.start({ ...SETTINGS, ...settings }, { live: true, onModel, ...options });
  const modelOf = async (rows: number): Promise<Model> => {
    await until(`the model of ${String(rows)} rows`, () => models.at(-1)?.weight === rows);
    return models.at(-1) as Model;
  };
  return { pipeline, models, modelOf };
}

describe('the ids of live clusters', () => {
  it('stay with their towns over restarts and canonical models, which have their own by rank', () =>
    onStage(async (stage) => {
      await stage.write('1.csv', rowsIn(FIRST));
      const first = await startLive(stage);
      expect(idsOf(await first.modelOf(60))).to.deep.equal({ paris: 1, delhi: 2, lima: 3 });
      await stage.stop(first.pipeline);

      const second = await startLive(stage);
      await stage.write('2.csv', rowsIn(SECOND));
      const model = await second.modelOf(160);
      expect(idsOf(model)).to.deep.equal({ paris: 1, delhi: 2, lima: 3 });
      expect(model.clusters.map(({ id }) => id)).to.deep.equal([3, 1, 2]);
      const last = (await published(second.pipeline)).at(-1);
      expect(last?.kind).to.equal('live');
      // Names are not kept: they are given when a model is shown.
      expect(await nameModel(last?.model as Model, systemClock)).to.deep.equal(model);
      expect(JSON.stringify(last?.model)).not.to.include('Lima');

      await drain(second.pipeline);
      const canonical = (await published(second.pipeline)).at(-1);
      expect([canonical?.kind, canonical?.events]).to.deep.equal(['canonical', []]);
      expect(idsOf(canonical?.model)).to.deep.equal({ lima: 1, paris: 2, delhi: 3 });
      await stage.stop(second.pipeline);

      const third = await startLive(stage);
      await stage.write('3.csv', rowsIn({ delhi: 200 }));
      expect(idsOf(await third.modelOf(360))).to.deep.equal({ paris: 1, delhi: 2, lima: 3 });
    }));

  it('are not given again after k became less and more, and the log tells what became of them', () =>
    onStage(async (stage) => {
      for (const [n, k] of [3, 2, 3].entries()) {
        await stage.write(`${String(n)}.csv`, rowsIn(FIRST));
        const { modelOf, pipeline } = await startLive(stage, { 'clustering.k': String(k) });
        await modelOf(60 * (n + 1));
        if (n === 2) {
          const models = await published(pipeline);
          const last = models.at(-1)?.model;
          // With two clusters Paris and Delhi were one.
          expect(last?.clusters.map(({ id }) => id).sort()).to.deep.equal([1, 3, 4]);
          const events = models.flatMap((one) => one.events).filter(({ type }) => type !== 'moved');
          const told = events.map((event) =>
            event.type === 'k-changed'
              ? `k ${String(event.from)} -> ${String(event.to)}`
              : 'id' in event
                ? `${event.type} ${String(event.id)}`
                : event.type,
          );
          expect(told).to.deep.equal([
            'born 1',
            'born 2',
            'born 3',
            'k 3 -> 2',
            'merged 2',
            'k 2 -> 3',
            'split 4',
          ]);
        }
        await stage.stop(pipeline);
      }
    }));

  it('follow the model of which the commit got no answer, once it is known', () =>
    onStage(async (stage) => {
      await stage.write('1.csv', rowsIn(FIRST));
      let tries = 0;
      const counted = async (rows: number): Promise<void> => {
        let done = 0;
        await until('rows are counted', () => {
          void live.pipeline.totals().then((totals) => {
            done = totals.rows.counted;
          });
          return done === rows;
        });
      };
      const intercept = (broker: Pipeline['broker']): Pipeline['broker'] =>
        interceptCommits(broker, async ({ commit, writer }): Promise<Committed> => {
          if (writer !== 'models-0' || tries++ > 0) {
            return await commit();
          }
          const { flushed } = await commit();
          await flushed;
          await stage.write('2.csv', rowsIn(SECOND));
          await counted(160);
          throw new UnknownOutcomeError('the answer was lost');
        });
      const live = await startLive(stage, {}, { intercept });
      expect(idsOf(await live.modelOf(160))).to.deep.equal({ paris: 1, delhi: 2, lima: 3 });
    }));

  it('go on at another replica', () =>
    onStage(async (stage) => {
      const store = new SharedStore();
      store.want('geoflock', { a: [0] });
      store.want('geoflock.ingest', { a: [0] });
      store.want('geoflock.models', { a: [0] });
      await stage.write('1.csv', rowsIn(FIRST));
      const a = await startLive(stage, {}, { openBroker: store.openAs('a') });
      const b = await startLive(stage, {}, { openBroker: store.openAs('b') });
      const ids = { paris: 1, delhi: 2, lima: 3 };
      const bothHave = async (rows: number): Promise<void> => {
        for (const model of await Promise.all([a.modelOf(rows), b.modelOf(rows)])) {
          expect(idsOf(model)).to.deep.equal(ids);
        }
      };
      await bothHave(60);
      await stage.write('2.csv', rowsIn(SECOND));
      await bothHave(160);
      await store.move('geoflock.models', 0, 'b');
      await stage.write('3.csv', rowsIn({ delhi: 200 }));
      await bothHave(360);
    }));
});
