import { expect } from 'chai';
import fc from 'fast-check';
import { assignRegions } from '../../src/clustering/assigned-regions.ts';
import { costBoundsOf } from '../../src/clustering/bounds.ts';
import { CellWalk } from '../../src/clustering/cell-walk.ts';
import { coarsen } from '../../src/clustering/coarsen.ts';
import { THOROUGH } from '../../src/clustering/excess.ts';
import { costOf } from '../../src/clustering/kmeans.ts';
import { centersAt } from '../../src/clustering/kmeans-passes.ts';
import { FeatureTree } from '../../src/clustering/feature-tree.ts';
import type { FeatureColumns } from '../../src/clustering/features.ts';
import { LayerCache } from '../../src/clustering/layer-cache.ts';
import type { LayeredRegion } from '../../src/clustering/layers.ts';
import { liveFeatures, type ModelSource } from '../../src/clustering/model-features.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { finish } from '../../src/clustering/slices.ts';
import type { UnitVector } from '../../src/geo/sphere.ts';
import { cityPoints, type Points, pointsAt, sourcesOf, spherePoints } from './points.ts';

type TreeSource = ModelSource & { readonly tree: FeatureTree };

/** Rows of one pane, by whatever partition they came. */
interface Rows {
  readonly points: Points;
  readonly factor: number;
  readonly pane: number;
  readonly partition?: number;
}

/** The trees of rows that do not change, made once: as the same objects they are known again. */
const made = new Map<Points, readonly TreeSource[]>();

function sources(panes: readonly Rows[], limit = 40, level = 3): readonly TreeSource[] {
  const all = panes.flatMap(({ factor, pane, partition = 0, points }) => {
    const trees = made.get(points) ?? sourcesOf(points, limit, level);
    made.set(points, trees);
    return trees.map(({ region, tree }) => ({ region, partition, pane, tree, factor }));
  });
  return all.sort((a, b) => a.region - b.region || a.partition - b.partition || a.pane - b.pane);
}

const regionsOf = (panes: readonly Rows[], cache = new LayerCache()): readonly LayeredRegion[] =>
  finish(cache.regionsOf(sources(panes)));

/** Each row at its nearest center, as often as it counts. */
function trueCost(panes: readonly Rows[], centers: readonly UnitVector[]): number {
  let cost = 0;
  for (const { factor, points } of panes) {
    for (const [row, x] of points.x.entries()) {
      const squared = centers.map(
        (c) =>
          (x - c[0]) ** 2 + ((points.y[row] as number) - c[1]) ** 2 + ((points.z[row] as number) - c[2]) ** 2,
      );
      cost += factor * Math.min(...squared);
    }
  }
  return cost;
}

const vectorsOf = ({ x, y, z }: Points): readonly UnitVector[] =>
  Array.from(x, (value, row) => [value, y[row] as number, z[row] as number]);

/** Weight of all rows, their sums, and the sum of their squares: no merge changes them. */
function moments({ count, sse, weight, x, y, z }: FeatureColumns): readonly number[] {
  const sums = [0, 0, 0, 0, 0] as [number, number, number, number, number];
  for (let f = 0; f < count; f++) {
    const w = weight[f] as number;
    const [a, b, c] = [x[f] as number, y[f] as number, z[f] as number];
    [w, w * a, w * b, w * c, (sse[f] as number) + w * (a * a + b * b + c * c)].forEach((value, at) => {
      sums[at as 0] += value;
    });
  }
  return sums;
}

function momentsOfRows(panes: readonly Rows[]): readonly number[] {
  const sums = [0, 0, 0, 0, 0] as [number, number, number, number, number];
  for (const { factor, points } of panes) {
    for (const [x, y, z] of vectorsOf(points)) {
      [1, x, y, z, x * x + y * y + z * z].forEach((value, at) => {
        sums[at as 0] += factor * value;
      });
    }
  }
  return sums;
}

function expectSame(now: readonly number[], then: readonly number[]): void {
  const [weight = 0] = then;
  for (const [at, value] of now.entries()) {
    expect(value).to.be.closeTo(then[at] as number, 1e-9 * weight);
  }
}

const KINDS: readonly ((count: number, seed: number) => Points)[] = [
  spherePoints,
  (count, seed) => cityPoints(count, 5, seed),
  (count, seed) => cityPoints(count, 3, seed, 174, 80),
  (count, seed) => {
    const random = createRandom(seed);
    return pointsAt(Array.from({ length: count }, () => [Math.floor(3 * random()), 47]));
  },
];

const rows: fc.Arbitrary<Points> = fc
  .tuple(fc.constantFrom(...KINDS), fc.integer({ min: 1, max: 250 }), fc.integer())
  .map(([kind, count, seed]) => kind(count, seed));

const centers: fc.Arbitrary<readonly UnitVector[]> = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.integer())
  .map(([k, seed]) => vectorsOf(spherePoints(k, seed)).concat(vectorsOf(cityPoints(k, 4, seed))));

describe('layers of panes', () => {
  it('hold all rows, as often as each counts, in cells that hold the cells below', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(rows, fc.double({ min: 1e-3, max: 9, noNaN: true })), { minLength: 1 }),
        (all) => {
          const panes = all.map(([points, factor], pane) => ({ points, factor, pane }));
          const walk = new CellWalk();
          let [whole, own] = [0, 0];
          for (const region of regionsOf(panes)) {
            walk.enter(region);
            for (let first = true; walk.next(); first = false) {
              whole += first ? (walk.whole[0] as number) : 0;
              const { isLeaf } = walk;
              const together = [...walk.whole];
              walk.descend();
              own += walk.own[0] as number;
              expect(isLeaf).to.equal(together.every((value, at) => value === walk.own[at]));
            }
          }
          const [weight = 0] = momentsOfRows(panes);
          expect(whole / weight).to.be.closeTo(1, 1e-12);
          expect(own / weight).to.be.closeTo(1, 1e-12);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('bound the cost of the rows for certain, whatever changed since those before', () => {
    const change = fc.record({
      drop: fc.nat(9),
      changed: fc.array(fc.tuple(fc.nat(9), rows), { maxLength: 2 }),
      newest: fc.option(rows),
      age: fc.constantFrom(1, 1, 0.5, 0.9, 1e-6),
      uneven: fc.constantFrom(1, 1, 1, 0.999),
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(rows, fc.double({ min: 1e-3, max: 1, noNaN: true }), fc.nat(1)), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.array(change, { maxLength: 5 }),
        centers,
        fc.constantFrom(0, 1e-9, 1e-6, 1e-3, Infinity),
        (first, changes, at, sseBound) => {
          const cache = new LayerCache();
          let panes: Rows[] = first.map(([points, factor, partition], pane) => ({
            points,
            factor,
            pane,
            partition,
          }));
          for (const { age, changed, drop, newest, uneven } of [undefined, ...changes].map(
            (one) => one ?? { age: 1, changed: [], drop: 99, newest: null, uneven: 1 },
          )) {
            panes = panes
              .filter((_, index) => index !== drop)
              .map((one, index) => ({
                ...one,
                factor: one.factor * age * (index === 0 ? uneven : 1),
                points: changed.find(([which]) => which === index)?.[1] ?? one.points,
              }));
            if (newest !== null) {
              panes.push({ points: newest, factor: 1, pane: 1 + Math.max(-1, ...panes.map((p) => p.pane)) });
            }
            const regions = regionsOf(panes, cache);
            const { bounds, features, nearest } = finish(assignRegions(regions, at));
            expect(trueCost(panes, at)).to.be.within(bounds.lower, bounds.upper);
            expectSame(moments(features), momentsOfRows(panes));
            expect(nearest).to.have.length(features.count);
            const coarse = finish(assignRegions(regions, at, { sseBound }));
            expect(trueCost(panes, at)).to.be.within(coarse.bounds.lower, coarse.bounds.upper);
            expectSame(moments(coarse.features), momentsOfRows(panes));
            expect(coarse.features.count).to.be.at.most(features.count);
            // As if nothing had been known, but for rounding.
            const afresh = finish(assignRegions(regionsOf(panes), at)).bounds;
            const [weight = 0] = momentsOfRows(panes);
            expect(bounds.upper - afresh.upper).to.be.closeTo(0, 0.02 * (afresh.upper + 1e-9 * weight));
          }
        },
      ),
      { numRuns: 120 },
    );
  });

  it('bound it as closely as every feature by itself', () => {
    // Where rows do not count 1 each, there is no ball that holds them: that costs a little.
    for (const [points, k, factor, wider] of [
      [cityPoints(20_000, 40, 3), 12, 1, 1e-9],
      [spherePoints(20_000, 4), 30, 1, 1e-9],
      [cityPoints(20_000, 40, 3), 12, 0.75, 1e-3],
      [spherePoints(20_000, 4), 30, 0.75, 1e-3],
    ] as const) {
      const at = vectorsOf(points).slice(0, k);
      const own = sourcesOf(points, 1_000).map((source) => ({ ...source, factor }));
      const one = finish(costBoundsOf(own, at));
      const regions = finish(new LayerCache().regionsOf(own));
      const { bounds, features, nearest } = finish(assignRegions(regions, at, { effort: THOROUGH }));
      const quick = finish(assignRegions(regions, at)).bounds;
      expect(quick.upper).to.equal(bounds.upper);
      expect(quick.lower).to.be.within(bounds.lower - 0.05 * (bounds.upper - bounds.lower), bounds.lower);
      expect(bounds.lower / one.lower).to.be.closeTo(1, wider);
      // Both are rounded outwards, in sums of other lengths.
      expect(bounds.upper / one.upper).to.be.closeTo(1, 1e-8);
      // As in a live model: fewer features, and bounds that are wider by less than two thousandths of the cost.
      const all = own.reduce((count, { tree }) => count + tree.count, 0);
      const { features: coarse } = finish(coarsen(regions, all / 4));
      const sseBound = (1e-3 * finish(costOf(coarse, centersAt(at)))) / coarse.count;
      const fewer = finish(assignRegions(regions, at, { sseBound }));
      expect(features.count).to.be.below(all);
      expect(fewer.features.count).to.be.below(features.count);
      const widened = fewer.bounds.upper - fewer.bounds.lower - (quick.upper - quick.lower);
      expect(widened).to.be.within(0, 2e-3 * quick.lower);
      for (let f = 0; f < features.count; f += 97) {
        const mean = [features.x[f], features.y[f], features.z[f]] as unknown as UnitVector;
        const squared = at.map((c) => (mean[0] - c[0]) ** 2 + (mean[1] - c[1]) ** 2 + (mean[2] - c[2]) ** 2);
        expect(nearest[f]).to.equal(squared.indexOf(Math.min(...squared)));
      }
    }
  });

  it('are used again as long as what is in them counts in the same proportion', () => {
    const townOf = (seed: number): Points =>
      pointsAt(vectorsOf(spherePoints(300, seed)).map(([x, y]) => [8 + x, 47 + y]));
    const panes = [1, 2, 3, 4, 5].map((seed, pane) => ({
      points: townOf(seed),
      factor: 2 ** (pane - 5),
      pane,
    }));
    const cache = new LayerCache();
    const layersOf = (of: readonly Rows[]): readonly unknown[] =>
      regionsOf(of, cache).flatMap(({ layers }) => layers);
    const before = regionsOf(panes, cache);
    expect(regionsOf(panes, cache)).to.deep.equal(before);
    const first = layersOf(panes);
    const common = (now: readonly unknown[]): number => now.filter((one) => first.includes(one)).length;
    // Two layers a region, the base and the newest pane.
    expect(first).to.have.length(2 * before.length);
    expect(common(layersOf(panes.map((one) => ({ ...one, factor: one.factor / 3 }))))).to.equal(first.length);
    const grown = panes.map((one, at) => (at === 4 ? { ...one, points: townOf(6) } : one));
    expect(common(layersOf(grown))).to.equal(before.length);
    const faded = panes.map((one, at) => (at === 1 ? { ...one, factor: one.factor / 3 } : one));
    expect(common(layersOf(faded))).to.be.below(before.length);
    expect(layersOf([])).to.deep.equal([]);
  });

  it('are right again after a model that was given up half way, whose layers took over memory of those before', () => {
    const at = vectorsOf(spherePoints(8, 5));
    const newest = (seed: number): readonly Rows[] => [
      { points: cityPoints(600, 8, 9), factor: 1, pane: 0 },
      { points: cityPoints(400, 8, seed), factor: 1, pane: 1 },
    ];
    // Of both the same objects, as they are given again.
    const [first, second] = [sources(newest(1)), sources(newest(2))];
    const cache = new LayerCache();
    const assigned = (of: readonly TreeSource[], by: LayerCache): unknown =>
      finish(assignRegions(finish(by.regionsOf(of)), at)).bounds;
    const before = assigned(first, cache);
    for (const steps of [1, 2, 3]) {
      const givenUp = cache.regionsOf(second);
      for (let step = 0; step < steps; step++) {
        expect(givenUp.next().done).to.equal(false);
      }
      expect(assigned(first, cache)).to.deep.equal(before);
    }
    expect(assigned(second, cache)).to.deep.equal(assigned(second, new LayerCache()));
  });

  it('of the sphere are walked face by face', () => {
    const { x, y, z } = spherePoints(500, 3);
    const tree = new FeatureTree('sphere', 60);
    tree.insertColumns(x, y, z, 0, 500);
    const regions = finish(new LayerCache().regionsOf([{ region: 0, partition: 0, tree }]));
    const at = vectorsOf(spherePoints(6, 1));
    const { bounds, features } = finish(assignRegions(regions, at));
    expect(trueCost([{ points: { x, y, z }, factor: 1, pane: 0 }], at)).to.be.within(
      bounds.lower,
      bounds.upper,
    );
    expect(features.count).to.be.within(6, tree.count);
  });

  it('yield often', () => {
    const regions = finish(
      new LayerCache().regionsOf(sourcesOf(spherePoints(30_000, 1), 500).map((one) => ({ ...one }))),
    );
    const stepsOf = (steps: Generator): number => {
      let count = 0;
      while (steps.next().done !== true) {
        count++;
      }
      return count;
    };
    expect(stepsOf(assignRegions(regions, vectorsOf(spherePoints(50, 2))))).to.be.at.least(8);
    expect(stepsOf(coarsen(regions, 20_000))).to.be.at.least(5);
  });
});

describe('features coarsened by cells', () => {
  it('are of the same rows, and no more than they may be, whichever bound they begin with', () => {
    fc.assert(
      fc.property(
        fc.array(rows, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 400 }),
        fc.constantFrom(undefined, 0, 1e-12, 1e-3, 1e6),
        (all, most, before) => {
          const panes = all.map((points, pane) => ({ points, factor: 1 + pane, pane }));
          const regions = regionsOf(panes);
          const { features, sseBound } = finish(coarsen(regions, most, before));
          expect(features.count).to.be.within(1, most);
          expectSame(moments(features), momentsOfRows(panes));
          expect(sseBound).to.be.at.least(0);
          // The next ones of the same rows are the same.
          expect(finish(coarsen(regions, most, sseBound)).features.count).to.equal(features.count);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('are all there are where they fit, and else more than half of what they may be', () => {
    const points = cityPoints(30_000, 30, 5);
    const regions = regionsOf([{ points, factor: 1, pane: 0 }]);
    const trees = sources([{ points, factor: 1, pane: 0 }]);
    const all = trees.reduce((count, { tree }) => count + tree.count, 0);
    expect(finish(coarsen(regions, all)).features.count).to.equal(all);
    expect(finish(coarsen(regions, all, 1e9)).features.count).to.be.within(all / 2, all);
    expect(finish(coarsen(regions, Math.floor(all / 3))).features.count).to.be.within(all / 6, all / 3);
  });

  it('are fewer than half where all cells would have to be divided at once', () => {
    const towns = [-174, -84, 6, 96].flatMap((east) => [[east, 6] as const, [east, -6] as const]);
    const corners = [0, 1, -1].flatMap((a) => [[a, a] as const, [a, -a] as const]).slice(1);
    const town = pointsAt(
      towns.flatMap(([east, north]) => corners.map(([a, b]) => [east + 2 * a, north + 2 * b] as const)),
    );
    const regions = regionsOf([{ points: town, factor: 1, pane: 0 }]);
    expect(regions).to.have.length(8);
    expect(finish(coarsen(regions, 20, 1)).features.count).to.equal(8);
  });

  it('of more regions than they may be are merged along their order', () => {
    const regions = regionsOf([{ points: spherePoints(2_000, 8), factor: 1, pane: 0 }]);
    expect(regions.length).to.be.above(300);
    const { features } = finish(coarsen(regions, 40));
    expect(features.count).to.be.within(10, 40);
    const places = pointsAt(Array.from({ length: 100 }, (_, row) => [(row % 10) * 36 - 170, 5]));
    const few = regionsOf([{ points: places, factor: 1, pane: 0 }]);
    expect(finish(coarsen(few, 4)).features.count).to.be.within(1, 4);
  });
});

describe('features of a live model', () => {
  it('of rows that no tree holds are merged along their order, as soon as they are too many', () => {
    const trees = sources([{ points: cityPoints(3_000, 6, 5), factor: 1, pane: 0 }], 500);
    const others = trees.map(({ tree, ...place }) => ({
      ...place,
      tree: {
        count: tree.count,
        cellFeatures: () => tree.cellFeatures(),
        forEachFeature: tree.forEachFeature.bind(tree),
      },
    }));
    const cache = new LayerCache();
    const merged = finish(liveFeatures(others, { searchFeatures: 50 }, cache));
    expect([merged.regions, (merged.all?.count ?? 0) > 50, merged.coarse.count <= 50]).to.deep.equal([
      undefined,
      true,
      true,
    ]);
    const few = finish(liveFeatures(others, { assignFeatures: 100, searchFeatures: 50 }, cache));
    expect([few.all, few.coarse.count <= 50]).to.deep.equal([undefined, true]);
    const ofTrees = finish(liveFeatures(trees, { searchFeatures: 50 }, cache));
    expect([ofTrees.all, ofTrees.coarse.count <= 50]).to.deep.equal([undefined, true]);
    expect(ofTrees.regions?.reduce((rows, region) => rows + region.rows, 0)).to.equal(3_000);
    expect(ofTrees.effectiveRows).to.equal(3_000);
  });
});
