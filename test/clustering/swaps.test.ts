import { expect } from 'chai';
import fc from 'fast-check';
import { type FeatureColumns, featuresOfPoints } from '../../src/clustering/features.ts';
import { assignFeatures, searchCenters } from '../../src/clustering/kmeans.ts';
import { accumulate, type Centers, firstAbove } from '../../src/clustering/kmeans-passes.ts';
import { createRandom, type Random } from '../../src/clustering/random.ts';
import { finish, type Steps } from '../../src/clustering/slices.ts';
import { improveBySwaps, type Iterate } from '../../src/clustering/swaps.ts';
import { pointsAt, spherePoints } from './points.ts';

const uniform = (count: number, seed: number): FeatureColumns => {
  const { x, y, z } = spherePoints(count, seed);
  const random = createRandom(seed);
  return { ...featuresOfPoints(x, y, z), weight: x.map(() => 0.1 + 10 * random()) };
};

const costOf = (features: FeatureColumns, centers: Centers): number =>
  finish(assignFeatures(features, centers)).totals[0] as number;

// What a step leads to is given, not searched.
function* given<T>(value: T): Steps<T> {
  yield;
  return value;
}

/** What is tried from these centers, while nothing is better. */
function triedFrom(features: FeatureColumns, centers: Centers, seed: number): readonly Centers[] {
  const cost = costOf(features, centers);
  const tried: Centers[] = [];
  const iterate: Iterate = (swapped) => {
    tried.push(swapped);
    return given({ centers: swapped, cost });
  };
  const start = { centers, cost };
  expect(finish(improveBySwaps(features, start, createRandom(seed), iterate))).to.equal(start);
  return tried;
}

/** What the best of four swaps costs, by definition: of all centers, to each of four features that are drawn. */
function leastCost(features: FeatureColumns, centers: Centers, random: Random): number {
  const { distance } = finish(assignFeatures(features, centers));
  const cumulative = new Float64Array(features.count);
  const total = accumulate(features.weight, distance, cumulative);
  const drawn = Array.from({ length: 4 }, () => firstAbove(cumulative, random() * total));
  const costs = drawn.flatMap((feature) =>
    Array.from({ length: centers.count }, (_, c) => {
      const [x, y, z] = (['x', 'y', 'z'] as const).map((axis) =>
        centers[axis].with(c, features[axis][feature] as number),
      ) as [Float64Array, Float64Array, Float64Array];
      return costOf(features, { count: centers.count, x, y, z });
    }),
  );
  return Math.min(...costs);
}

describe('swaps of centers', () => {
  it('try the best for four features drawn by their cost, of the centers that are the best so far', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 7 }), fc.nat(1e6), (k, seed) => {
        const features = uniform(60, seed);
        const centers: Centers = { count: k, ...spherePoints(k, seed + 1) };
        let best = { centers, cost: costOf(features, centers) };
        const draws = createRandom(seed);
        const iterate: Iterate = (tried) => {
          expect(costOf(features, tried)).to.be.closeTo(leastCost(features, best.centers, draws), 1e-9);
          const found = { centers: tried, cost: costOf(features, tried) };
          if (found.cost < best.cost) {
            best = found;
          }
          return given(found);
        };
        expect(finish(improveBySwaps(features, best, createRandom(seed), iterate))).to.equal(best);
      }),
      { numRuns: 50 },
    );
  });

  it('go where the cost is', () => {
    // A crowd that has a center, and one lonely place that has none.
    const { x, y, z } = pointsAt([...Array.from({ length: 99 }, (): [number, number] => [0, 0]), [90, 0]]);
    const {
      x: cx,
      y: cy,
      z: cz,
    } = pointsAt([
      [0, 0],
      [1, 0],
    ]);
    const [first] = triedFrom(featuresOfPoints(x, y, z), { count: 2, x: cx, y: cy, z: cz }, 1);
    expect([first?.x[1], first?.y[1]]).to.deep.equal([x[99], y[99]]);
  });

  it('end after ten failures on end, at nothing worse than the start, and at once where nothing is to be gained', () => {
    const features = uniform(200, 3);
    const centers = { count: 4, ...spherePoints(4, 1) };
    expect(triedFrom(features, centers, 1)).to.have.length(10);
    const cost = costOf(features, centers);
    let calls = 0;
    // The sixth is better, the others are worse, or better by rounding only.
    const iterate: Iterate = (swapped) => {
      calls++;
      return given({
        centers: swapped,
        cost: calls === 6 ? 0.9 * cost : 0.9 * cost * (1 - 1e-12) + cost / 1e3,
      });
    };
    const better = finish(improveBySwaps(features, { centers, cost }, createRandom(1), iterate));
    expect([better.cost, calls]).to.deep.equal([0.9 * cost, 16]);
    const none = { centers, cost: 0 };
    calls = 0;
    expect(finish(improveBySwaps(features, none, createRandom(1), iterate))).to.equal(none);
    expect(calls).to.equal(0);
  });

  it('lead out of local optima: of twenty starts all find the best, most of which do not without', () => {
    const random = createRandom(3);
    const places = Array.from({ length: 40 }, () => [100 * random(), 60 * random()] as const);
    const { x, y, z } = pointsAt(
      places.flatMap(([east, north], place) =>
        Array.from({ length: 5 + place }, (): [number, number] => [east + random(), north + random()]),
      ),
    );
    const features = featuresOfPoints(x, y, z);
    const costs = (swaps: boolean): readonly number[] =>
      Array.from(
        { length: 20 },
        (_, seed) => finish(searchCenters(features, { k: 40, seedings: 1, seed, swaps })).cost,
      );
    const [alone, swapped] = [costs(false), costs(true)];
    const least = Math.min(...alone, ...swapped);
    const misses = (found: readonly number[]): number =>
      found.filter((cost) => cost > 1.000001 * least).length;
    expect(misses(swapped)).to.equal(0);
    expect(misses(alone)).to.be.above(10);
  });
});
