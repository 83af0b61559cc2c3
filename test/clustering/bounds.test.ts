import { expect } from 'chai';
import fc from 'fast-check';
import { type CostBounds, costBoundsOf } from '../../src/clustering/bounds.ts';
import { FeatureTree } from '../../src/clustering/feature-tree.ts';
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

function boundsOf(
  points: Points,
  centers: readonly UnitVector[],
  limit: number,
  level?: number,
  factor = 1,
): CostBounds {
  const sources = sourcesOf(points, limit, level).map(({ tree }) => ({ tree, factor }));
  return finish(costBoundsOf(sources, centers));
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
  'at two places in a cell': (count, seed) => {
    const random = createRandom(seed);
    const [east, share] = [1e-3 * random(), random()];
    return pointsAt(Array.from({ length: count }, () => (random() < share ? [5 + east, 45] : [5, 45.001])));
  },
  'of which most are one': (count, seed) => {
    const { x, y, z } = cityPoints(count, 3, seed);
    const random = createRandom(seed + 1);
    for (const [row] of x.entries()) {
      const from = random() < 0.9 ? 0 : row;
      [x[row], y[row], z[row]] = [x[from] as number, y[from] as number, z[from] as number];
    }
    return { x, y, z };
  },
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

  it('hold for panes that count by factors, of any size', () => {
    const exponent = fc.double({ min: -12, max: 12, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...Object.values(KINDS)), exponent), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer(),
        fc.constantFrom(8, 40),
        (panes, count, seed, limit) => {
          const centers = vectorsOf(spherePoints(3, seed)).concat(vectorsOf(cityPoints(3, 3, seed)));
          const rows = panes.map(([pointsOf], pane) => pointsOf(count, seed + pane));
          const factors = panes.map(([, power]) => 10 ** power);
          const sources = rows.flatMap((points, pane) =>
            sourcesOf(points, limit).map(({ tree }) => ({ tree, factor: factors[pane] as number })),
          );
          const { lower, upper } = finish(costBoundsOf(sources, centers));
          const costs = rows.map((points, pane) => (factors[pane] as number) * trueCost(points, centers));
          expect(costs.reduce((sum, cost) => sum + cost, 0)).to.be.within(lower, upper);
        },
      ),
      { numRuns: 100 },
    );
  });

  for (const [kind, pointsOf] of Object.entries(KINDS)) {
    it(`hold for panes that absorbed each other, of rows ${kind}`, () => {
      fc.assert(
        fc.property(
          fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 2, maxLength: 4 }),
          fc.integer(),
          fc.constantFrom(8, 40),
          (counts, seed, limit) => {
            const root = new FeatureTree('sphere', limit);
            const rows = counts.map((count, pane) => pointsOf(count, seed + pane));
            for (const { x, y, z } of rows) {
              const tree = new FeatureTree('sphere', limit);
              tree.insertColumns(x, y, z, 0, x.length);
              root.absorb(tree);
            }
            const centers = vectorsOf(spherePoints(3, seed)).concat(vectorsOf(pointsOf(4, seed + 9)));
            const { lower, upper } = finish(costBoundsOf([{ tree: root }], centers));
            const cost = rows.reduce((sum, points) => sum + trueCost(points, centers), 0);
            expect(cost).to.be.within(lower, upper);
          },
        ),
        { numRuns: 40 },
      );
    });
  }

  it('grow in proportion to the factor', () => {
    const points = cityPoints(2_000, 5, 9);
    const centers = vectorsOf(cityPoints(5, 5, 9));
    const one = boundsOf(points, centers, 40);
    const quarter = boundsOf(points, centers, 40, 3, 0.25);
    expect(one.lower).to.be.above(0);
    expect(quarter.lower).to.be.closeTo(one.lower / 4, 1e-12 * one.lower);
    expect(quarter.upper).to.be.closeTo(one.upper / 4, 1e-12 * one.upper);
    expect(boundsOf(points, centers, 40, 3, 0)).to.deep.equal({ lower: 0, upper: 0 });
  });

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
  });

  it('are tight where one region holds a whole city, whose clusters touch', () => {
    const random = createRandom(7);
    const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const points = pointsAt(
      Array.from({ length: 50_000 }, () => [2.35 + 0.2 * gauss(), 48.86 + 0.15 * gauss()]),
    );
    const { clusters, costBounds } = buildModel(sourcesOf(points, 500), { k: 12, seedings: 2 });
    const cost = trueCost(
      points,
      clusters.map(({ center }) => center),
    );
    expect(cost).to.be.within(costBounds.lower, costBounds.upper);
    // 0.107 without a view on several centers together, 0.151 without one on the cell.
    expect((costBounds.upper - costBounds.lower) / costBounds.upper).to.be.below(0.1);
  });

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
    const stepsOf = (points: Points, centers: readonly UnitVector[], limit: number): number => {
      const sources = sourcesOf(points, limit).map(({ tree }) => ({ tree, factor: 1 }));
      const steps = costBoundsOf(sources, centers);
      let count = 0;
      while (steps.next().done !== true) {
        count++;
      }
      return count;
    };
    expect(stepsOf(spherePoints(20_000, 5), [[1, 0, 0]], 2000)).to.be.at.least(15);
    // As many centers as rows: in each of the cells, some are nearest to some row.
    const points = cityPoints(2_000, 7, 5);
    expect(stepsOf(points, vectorsOf(points).slice(0, 1), 100)).to.be.at.most(1);
    expect(stepsOf(points, vectorsOf(points), 100)).to.be.at.least(10);
  });
});
