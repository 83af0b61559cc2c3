import { expect } from 'chai';
import { decodePublished } from '../../../src/actors/centroid-aggregator/published-model.ts';
import type { Model } from '../../../src/clustering/model.ts';
import type { Pipeline, PipelineOptions } from '../../../src/pipeline.ts';
import { SharedStore } from './replicas.ts';
import { asFile, onStage, rowLines, type Settings, type Stage, until } from './support.ts';

const ROWS = 12_000;
/** Live models come often, and the search beside them is a matter of minutes. */
const LONG: Settings = {
  'clustering.k': '50',
  'clustering.seeds': '1000',
  'model.every': '20ms',
  'checkpoint.every': '50ms',
};
const SHORT: Settings = { ...LONG, 'clustering.seeds': '1' };

interface Live {
  readonly pipeline: Pipeline;
  readonly modelOf: (rows: number) => Promise<Model>;
}

async function startLive(
  stage: Stage,
  settings: Settings,
  options: Partial<PipelineOptions> = {},
): Promise<Live> {
  const models: Model[] = [];
  const onModel = (model: Model): void => {
    models.push(model);
  };
  const pipeline = await stage.start(settings, { live: true, onModel, ...options });
  const modelOf = async (rows: number): Promise<Model> => {
    await until(`the model of ${String(rows)} rows`, () => models.at(-1)?.weight === rows, 90_000);
    return models.at(-1) as Model;
  };
  return { pipeline, modelOf };
}

const isInTheWest = (line: string): boolean => Number(line.split(',')[5]) < -20;

const write = (stage: Stage, name: string, rows: number, seed: number): Promise<void> =>
  stage.write(name, asFile(rowLines(rows, seed)));

describe('live models while the search beside them runs', function () {
  this.timeout(300_000);

  it('come without waiting for it, and so does the end', () =>
    onStage(async (stage) => {
      await write(stage, '1.csv', ROWS, 1);
      const first = await startLive(stage, SHORT);
      await first.modelOf(ROWS);
      await stage.stop(first.pipeline);

      const { modelOf, pipeline } = await startLive(stage, LONG);
      for (const turn of [1, 2, 3]) {
        await write(stage, `${String(turn)}-more.csv`, 100, turn + 1);
        const { clusters } = await modelOf(ROWS + 100 * turn);
        expect(clusters).to.have.length(50);
      }
      await stage.stop(pipeline);
    }));

  it('go on at another replica, without it', () =>
    onStage(async (stage) => {
      const store = new SharedStore();
      store.want('geoflock', { a: [0] });
      store.want('geoflock.ingest', { a: [0] });
      store.want('geoflock.models', { a: [0] });
      const openBroker = store.openAs('a');
      await write(stage, '1.csv', ROWS, 1);
      const b = await startLive(stage, SHORT, { openBroker: store.openAs('b') });
      const first = await startLive(stage, SHORT, { openBroker });
      await Promise.all([first.modelOf(ROWS), b.modelOf(ROWS)]);
      await stage.stop(first.pipeline);

      const again = await startLive(stage, LONG, { openBroker });
      await write(stage, '2.csv', 100, 2);
      await again.modelOf(ROWS + 100);
      await store.move('geoflock.models', 0, 'b');
      await write(stage, '3.csv', 100, 3);
      await Promise.all([again.modelOf(ROWS + 200), b.modelOf(ROWS + 200)]);
      await store.move('geoflock.models', 0, 'a');
      await write(stage, '4.csv', 100, 4);
      await Promise.all([again.modelOf(ROWS + 300), b.modelOf(ROWS + 300)]);
    }));

  it('leave the canonical model what it is without them', () =>
    onStage(async (stage) => {
      await write(stage, '1.csv', ROWS, 1);
      const settings = { ...LONG, 'clustering.seeds': '4' };
      const live = await startLive(stage, settings);
      await live.modelOf(ROWS);
      await write(stage, '2.csv', 500, 2);
      await live.modelOf(ROWS + 500);
      // The search over the features of that model has only begun.
      const drained = await live.pipeline.drain({ settleTimeoutMs: 30_000 }, 90_000);
      await stage.stop(live.pipeline);

      await onStage(async (other) => {
        await write(other, '1.csv', ROWS, 1);
        await write(other, '2.csv', 500, 2);
        const once = await other.start(settings, { live: false });
        const alone = await once.drain({ settleTimeoutMs: 30_000 }, 90_000);
        expect(drained.model).to.deep.equal(alone.model);
      });
    }));

  it('take what it found, also when no more rows come', () =>
    onStage(async (stage) => {
      // Centers that follow from the rows of one city to those of all are not the best.
      const lines = rowLines(ROWS, 1);
      const [one, others] = [lines.filter(isInTheWest), lines.filter((line) => !isInTheWest(line))];
      await stage.write('1.csv', asFile(one));
      const first = await startLive(stage, { ...SHORT, 'clustering.k': '8' });
      await first.modelOf(one.length);
      await stage.stop(first.pipeline);
      await stage.write('others.csv', asFile(others));
      const second = await startLive(stage, { ...LONG, 'clustering.k': '8' });
      const { cost } = await second.modelOf(ROWS);
      await stage.stop(second.pipeline);

      const settings = { ...LONG, 'clustering.k': '8', 'clustering.seeds': '4' };
      const { pipeline } = await startLive(stage, settings);
      await write(stage, '2.csv', 1, 2);
      let last: ReturnType<typeof decodePublished> | undefined;
      await until(
        'a model of the same rows that costs less by more than 1 %',
        () => {
          void lastPublished(pipeline).then((published) => {
            last = published;
          });
          return last?.model.weight === ROWS + 1 && last.model.cost < 0.99 * cost;
        },
        90_000,
      );
      expect(last?.kind).to.equal('live');
    }));
});

async function lastPublished({ broker }: Pipeline): Promise<ReturnType<typeof decodePublished>> {
  const { end } = await broker.offsets('geoflock.models', 0);
  const reader = await broker.openReader('geoflock.models', 0, end - 1);
  const [record] = await reader.read(1 << 20, AbortSignal.timeout(5_000));
  await reader.close();
  return decodePublished(record?.value as Uint8Array);
}
