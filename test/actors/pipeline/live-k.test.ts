import { expect } from 'chai';
import type { ModelEvent } from '../../../src/actors/centroid-aggregator/messages.ts';

import type { Model } from '../../../src/clustering/model.ts';
import { createRandom } from '../../../src/clustering/random.ts';
import type { Pipeline } from '../../../src/pipeline.ts';
import { asFile, onStage, published, type Settings, type Stage, timeOfRow, until } from './support.ts';

const SETTINGS: Settings = {
  'clustering.k': 'auto',
  'clustering.kMax': '12',
  'clustering.seeds': '4',
  'model.every': '20ms',
  'checkpoint.every': '50ms',
};

/** Normally distributed crowds, 15 degrees apart on the equator: so many rows in each. */
function spots(first: number, last: number, each: number, seed: number): string {
  const random = createRandom(seed);
  const gauss = (): number => 0.2 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const lines: string[] = [];
  for (let spot = first; spot < last; spot++) {
    for (let row = 0; row < each; row++) {
      const time = new Date(timeOfRow(row)).toISOString();
      lines.push(`${time},d,0,0,9.8,${(15 * spot + gauss()).toFixed(5)},${gauss().toFixed(5)},0`);
    }
  }
  return asFile(lines);
}

interface Live {
  readonly pipeline: Pipeline;
  readonly models: readonly Model[];
  /** Waits for a live model of so many rows, with so many clusters. */
  readonly modelOf: (rows: number, k: number) => Promise<Model>;
}

async function startLive(stage: Stage, settings: Settings = {}): Promise<Live> {
  const models: Model[] = [];
  const onModel = (model: Model): void => {
    models.push(model);
  };
  const pipeline = await stage.start({ ...SETTINGS, ...settings }, { live: true, onModel });
  const modelOf = async (rows: number, k: number): Promise<Model> => {
    await until(
      `the model of ${String(rows)} rows with ${String(k)} clusters`,
      () => models.at(-1)?.weight === rows && models.at(-1)?.k === k,
      60_000,
    );
    return models.at(-1) as Model;
  };
  return { pipeline, models, modelOf };
}

/** Of the cluster of each of the first spots. */
function idsOf({ clusters }: Model, count: number): (number | undefined)[] {
  return Array.from(
    { length: count },
    (_, spot) => clusters.find(({ longitude }) => Math.abs(longitude - 15 * spot) < 2)?.id,
  );
}

const changesOf = (events: readonly ModelEvent[]): readonly string[] =>
  events.flatMap((event) =>
    event.type === 'k-changed' ? [`${String(event.from)} -> ${String(event.to)}`] : [],
  );

describe('live models whose k the rows choose', function () {
  this.timeout(180_000);

  it('follow the crowds when four become eight, without more rows; ids stay, also over a restart', () =>
    onStage(async (stage) => {
      await stage.write('1.csv', spots(0, 4, 150, 1));
      const first = await startLive(stage);
      const four = await first.modelOf(600, 4);
      const ids = idsOf(four, 4);
      expect(new Set(ids)).to.deep.equal(new Set([1, 2, 3, 4]));

      // Live models go on with four until what was chosen beside them comes in: that asks for no more rows.
      await stage.write('2.csv', spots(4, 8, 150, 2));
      const eight = await first.modelOf(1_200, 8);
      expect(eight.kChoice?.reason).to.match(/^k = 8 instead of \d: BIC is least at 8 \(/);
      const grown = idsOf(eight, 8);
      expect(new Set(grown).size).to.equal(8);
      const told = await published(first.pipeline);
      expect(changesOf(told.flatMap(({ events }) => events)).at(-1)).to.match(/ -> 8$/);
      const born = told
        .flatMap(({ events }) => events)
        .filter(({ type }) => type === 'born' || type === 'split');
      expect(born).to.have.length.of.at.least(8);
      expect(told.at(-1)?.model.kChoice).to.deep.equal(eight.kChoice);
      await stage.stop(first.pipeline);

      const second = await startLive(stage);
      for (let more = 1; more <= 4; more++) {
        await stage.write(`${String(more)}-more.csv`, spots(0, 8, 20, 10 + more));
        const model = await second.modelOf(1_200 + 160 * more, 8);
        expect(idsOf(model, 8)).to.deep.equal(grown);
      }
      // The stream stands still, and so does k.
      expect(second.models.every(({ k }) => k === 8)).to.equal(true);
      await stage.stop(second.pipeline);
    }));

  it('are followed by a canonical one that knows nothing of them', () =>
    onStage(async (stage) => {
      await stage.write('1.csv', spots(0, 3, 100, 1));
      const live = await startLive(stage, { 'clustering.k': '9' });
      await live.modelOf(300, 9);
      await stage.stop(live.pipeline);

      const auto = await startLive(stage);
      const drained = await auto.pipeline.drain({ settleTimeoutMs: 5_000 }, 30_000);
      await stage.stop(auto.pipeline);
      await onStage(async (other) => {
        await other.write('1.csv', spots(0, 3, 100, 1));
        const once = await other.start(SETTINGS, { live: false });
        const alone = await once.drain({ settleTimeoutMs: 5_000 }, 30_000);
        expect(drained.model).to.deep.equal(alone.model);
        expect([alone.model.k, alone.model.kChoice?.curve.length]).to.deep.equal([3, 11]);
      });
    }));
});
