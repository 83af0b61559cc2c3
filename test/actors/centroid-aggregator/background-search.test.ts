import { expect } from 'chai';
import { BackgroundSearch } from '../../../src/actors/centroid-aggregator/background-search.ts';
import { BackgroundTurns } from '../../../src/actors/centroid-aggregator/background-turns.ts';
import { featuresOfPoints } from '../../../src/clustering/features.ts';
import { searchCenters } from '../../../src/clustering/kmeans.ts';
import type { Unsearched } from '../../../src/clustering/live-model.ts';
import { finish } from '../../../src/clustering/slices.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { nextTurn } from '../../../src/system/event-loop.ts';
import { cityPoints } from '../../clustering/points.ts';

const MODEL = { k: 4, seedings: 3 };
const { x, y, z } = cityPoints(4_000, 7, 5);
const FEATURES = featuresOfPoints(x, y, z);
const BEST = finish(searchCenters(FEATURES, MODEL));
const POOR: Unsearched = { features: FEATURES, cost: 2 * BEST.cost };
const GOOD: Unsearched = { features: FEATURES, cost: BEST.cost };

/** A search whose looks at the clock are counted. */
class Bench {
  looks = 0;
  better = 0;
  readonly works: Promise<void>[] = [];
  readonly stop = new AbortController();
  readonly turns = new BackgroundTurns();
  readonly search = new BackgroundSearch({
    context: {
      // A step takes 4 ms by this clock, so that the search has many slices.
      clock: { ...systemClock, monotonic: () => 4 * this.looks++ },
      background: (work) => {
        this.works.push(work(this.stop.signal));
      },
    },
    model: MODEL,
    turns: this.turns,
    onBetter: () => {
      this.better++;
    },
  });

  async done(): Promise<void> {
    await Promise.all(this.works);
  }
}

describe('the search beside the live models', () => {
  it('finds what the search in one go finds, and says whether that is better', async () => {
    const poor = new Bench();
    poor.search.begin(POOR);
    expect(poor.search.found).to.equal(undefined);
    await poor.done();
    expect([poor.search.found?.centers, poor.better]).to.deep.equal([BEST.centers, 1]);
    expect(poor.looks).to.be.above(30);

    const good = new Bench();
    good.search.begin(GOOD);
    await good.done();
    expect([good.search.found?.centers, good.better]).to.deep.equal([BEST.centers, 0]);
  });

  it('is one at a time, and waits until what the last one found is judged', async () => {
    const { search, works, ...bench } = new Bench();
    search.begin(GOOD);
    search.begin(GOOD);
    expect(works).to.have.length(1);
    await Promise.all(works);
    search.begin(GOOD);
    expect(works).to.have.length(1);
    search.judged();
    expect(search.found).to.equal(undefined);
    search.begin(POOR);
    expect(works).to.have.length(2);
    await Promise.all(works);
    expect([search.found?.centers, bench.stop.signal.aborted]).to.deep.equal([BEST.centers, false]);
  });

  it('stands still while a model is made, and goes on after it', async () => {
    const bench = new Bench();
    bench.search.begin(POOR);
    await nextTurn();
    let end: (() => void) | undefined;
    const urgent = bench.turns.goFirst(
      () =>
        new Promise<string>((resolve) => {
          end = () => {
            resolve('made');
          };
        }),
    );
    // The slice that was under way is over.
    await nextTurn();
    const before = bench.looks;
    for (let turn = 0; turn < 50; turn++) {
      await nextTurn();
    }
    expect(bench.looks).to.equal(before);
    expect(bench.search.found).to.equal(undefined);
    end?.();
    expect(await urgent).to.equal('made');
    await bench.done();
    expect([bench.search.found?.centers, bench.better]).to.deep.equal([BEST.centers, 1]);
    expect(bench.looks).to.be.above(before);
  });

  it('goes on after a model that could not be made', async () => {
    const bench = new Bench();
    bench.search.begin(POOR);
    const failed = await bench.turns
      .goFirst(() => Promise.reject(new Error('the broker is gone')))
      .catch((error: unknown) => error);
    expect(failed).to.be.an('error').with.property('message', 'the broker is gone');
    await bench.done();
    expect(bench.search.found?.centers).to.deep.equal(BEST.centers);
  });

  it("leaves nothing behind when the models become another replica's, and can begin anew", async () => {
    const bench = new Bench();
    bench.search.begin(POOR);
    await nextTurn();
    bench.search.cancel();
    await bench.done();
    expect([bench.search.found?.centers, bench.better]).to.deep.equal([undefined, 0]);

    bench.search.begin(POOR);
    bench.search.cancel();
    bench.search.begin(POOR);
    await bench.done();
    expect([bench.search.found?.centers, bench.better]).to.deep.equal([BEST.centers, 1]);
    bench.search.cancel();
    expect(bench.search.found).to.equal(undefined);
  });

  it('ends when the actor stops, also while it stands still', async () => {
    const bench = new Bench();
    bench.search.begin(POOR);
    let end: (() => void) | undefined;
    const urgent = bench.turns.goFirst(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    await nextTurn();
    bench.stop.abort();
    end?.();
    await urgent;
    await bench.done();
    expect([bench.search.found?.centers, bench.better]).to.deep.equal([undefined, 0]);
  });

  it('fails its actor when it cannot be made', async () => {
    const bench = new Bench();
    bench.search.begin({ features: { ...FEATURES, sse: undefined as never }, cost: 1 });
    const failed = await bench.done().catch((error: unknown) => error);
    expect(failed).to.be.an('error');
  });
});
