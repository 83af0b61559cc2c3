import { expect } from 'chai';
import fc from 'fast-check';
import { type CostBounds, costBoundsOf } from '../../src/clustering/bounds.ts';
import { buildModel } from '../../src/clustering/model.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { finish } from '../../src/clustering/slices.ts';
import { unitVector, type UnitVector } from '../../src/geo/sphere.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { cityPoints, type Points, pointsAt, sourcesOf, spherePoints } from './points.ts';

/** Each row at its nearest center, with Neumaier's compensated sum: exact to the last places. */
function trueCost({ x, y, z }: Points, centers: readonly UnitVector[]): number {
  let [sum, lost] = [0, 0];
  for (let row = 0; row < x.length; row++) {
    let least = Infinity;
    for (const c of centers) {
      least = Math.min(
        least,
        ((x[row] as number) - c[0]) ** 2 +
          ((y[row] as number) - c[1]) ** 2 +
          ((z[row] as number) - c[2]) ** 2,
      );
    }
    const next = sum + least;
    lost += sum >= least ? sum - next + least : least - next + sum;
    sum = next;
  }
  return sum + lost;
}

function vectorsOf({ x, y, z }: Points): readonly UnitVector[] {
  return Array.from(x, (value, row) => [value, y[row] as number, z[row] as number]);
}

function boundsOf(points: Points, centers: readonly UnitVector[], limit: number, level?: number): CostBounds {
  const trees = sourcesOf(points, limit, level).map(({ tree }) => tree);
  return finish(costBoundsOf(trees, centers));
}

/** Every kind of rows that could break it. */
const KINDS: Readonly<Record<string, (count: number, seed: number) => Points>> = {
  'over the sphere': spherePoints,
  'in cities': (count, seed) => cityPoints(count, 7, seed),
  'on the antimeridian': (count, seed) => cityPoints(count, 5, seed, 174, -4),
  'around a pole': (count, seed) => cityPoints(count, 5, seed, 0, 80),
  'in few places': (count, seed) => {
    const random = createRandom(seed);
    const places = Array.from({ length: 4 }, () => [360 * random() - 180, 180 * random() - 90] as const);
    return pointsAt(Array.from({ length: count }, () => places[Math.floor(4 * random())] ?? [0, 0]));
  },
  'at two antipodes': (count) =>
    pointsAt(Array.from({ length: count }, (_, row) => (row % 2 === 0 ? [20, 30] : [-160, -30]))),
  'within a metre': (count, seed) => {
    const random = createRandom(seed);
    return pointsAt(Array.from({ length: count }, () => [8 + 1e-5 * random(), 47 + 1e-5 * random()]));
  },
};

describe('bounds of the cost', () => {
  for (const [kind, pointsOf] of Object.entries(KINDS)) {
    it(`hold of a model of rows ${kind}, however coarse the features`, () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 600 }),
          fc.integer(),
          fc.integer({ min: 1, max: 8 }),
          fc.constantFrom(8, 12, 40, 2000),
          (count, seed, k, limit) => {
            const points = pointsOf(count, seed);
            const { clusters, cost, costBounds } = buildModel(sourcesOf(points, limit), { k, seedings: 1 });
            const rows = trueCost(
              points,
              clusters.map(({ center }) => center),
            );
            expect(rows).to.be.within(costBounds.lower, costBounds.upper);
            expect(cost).to.be.within(costBounds.lower, costBounds.upper);
            expect(costBounds.lower).to.be.at.least(0);
          },
        ),
        { numRuns: 60 },
      );
    });

    it(`hold for any centers beside rows ${kind}, at any level of the regions`, () => {
      const coordinate = fc.double({ min: -1.5, max: 1.5, noNaN: true });
      const center = fc.tuple(coordinate, coordinate, coordinate) as fc.Arbitrary<UnitVector>;
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 400 }),
          fc.integer(),
          fc.array(center, { minLength: 1, maxLength: 6 }),
          fc.integer({ min: 0, max: 5 }),
          (count, seed, given, level) => {
            const points = pointsOf(count, seed);
            // Also two that are the same, and one that is a row.
            const row: UnitVector = [points.x[0] as number, points.y[0] as number, points.z[0] as number];
            const centers = [...given, given[0] as UnitVector, row];
            const { lower, upper } = boundsOf(points, centers, 8, level);
            expect(trueCost(points, centers)).to.be.within(lower, upper);
          },
        ),
        { numRuns: 40 },
      );
    });
  }

  it('are tight with the settings of the product', () => {
    for (const [points, k] of [
      [cityPoints(100_000, 60, 1), 5],
      [cityPoints(100_000, 60, 2), 20],
      [spherePoints(100_000, 3), 5],
    ] as const) {
      const { clusters, costBounds } = buildModel(sourcesOf(points, 2000), { k, seedings: 2 });
      const cost = trueCost(
        points,
        clusters.map(({ center }) => center),
      );
      expect(cost).to.be.within(costBounds.lower, costBounds.upper);
      expect((costBounds.upper - costBounds.lower) / cost).to.be.below(0.05);
    }
  }).timeout(60_000);

  it('are the cost itself where no row is near a border, but for rounding', () => {
    const one = boundsOf(cityPoints(5_000, 9, 4), [[0.5, 0.1, 0.4]], 8);
    expect(one.upper / one.lower - 1).to.be.below(1e-7);
    const apart = pointsAt(
      Array.from({ length: 3_000 }, (_, row) => [(row % 2) * 90 + (row % 7) * 0.01, (row % 11) * 0.01]),
    );
    const centers = [0, 90].map((east) => unitVector({ longitude: longitude(east), latitude: latitude(0) }));
    const two = boundsOf(apart, centers, 8);
    expect(two.upper / two.lower - 1).to.be.below(1e-7);
  });

  it('are next to nothing a row where the cost is nothing', () => {
    const { costBounds, weight } = buildModel(
      sourcesOf(pointsAt(Array.from({ length: 100_000 }, (_, row) => [row % 3, 47])), 2000),
      { k: 3, seedings: 2 },
    );
    expect(costBounds.lower).to.equal(0);
    expect(costBounds.upper / weight).to.be.below(1e-12);
  });

  it('of nothing are nothing', () => {
    expect(finish(costBoundsOf([], []))).to.deep.equal({ lower: 0, upper: 0 });
    expect(buildModel([], { k: 3 }).costBounds).to.deep.equal({ lower: 0, upper: 0 });
  });

  it('hold beside many centers, of which few are left in a cell', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 50, max: 300 }),
        fc.constantFrom(0, 2, 5),
        (seed, k, level) => {
          const points = spherePoints(1_000, seed);
          const centers = vectorsOf(spherePoints(k, seed + 1));
          const { lower, upper } = boundsOf(points, centers, 8, level);
          expect(trueCost(points, centers)).to.be.within(lower, upper);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are computed in small steps, the more the more centers are in doubt', () => {
    const trees = sourcesOf(spherePoints(20_000, 5), 2000).map(({ tree }) => tree);
    const stepsWith = (centers: readonly UnitVector[]): number => {
      const steps = costBoundsOf(trees, centers);
      let count = 0;
      while (steps.next().done !== true) {
        count++;
      }
      return count;
    };
    const one: UnitVector = [1, 0, 0];
    expect(stepsWith([one])).to.be.at.least(15);
    // Centers that are the same can never be told apart: each feature is held against all of them.
    expect(stepsWith(Array.from({ length: 500 }, () => one))).to.be.at.least((20_000 * 500) / 50_000);
  });
});
