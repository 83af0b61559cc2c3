import { expect } from 'chai';
import fc from 'fast-check';
import { BatchedKMeans, type BatchedKMeansOptions } from '../../src/clustering/batched-kmeans.ts';
import { KMeansFeatures } from '../../src/clustering/kmeans-features.ts';
import { type Model, buildModel } from '../../src/clustering/model.ts';
import type { ModelSource } from '../../src/clustering/model-features.ts';
import { regionOf, regionToken } from '../../src/geo/s2.ts';
import { unitVector, type UnitVector } from '../../src/geo/sphere.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { cityPoints, type Points, pointsAt, spherePoints } from './points.ts';

const OPTIONS: BatchedKMeansOptions = {
  k: 3,
  batchRows: 40,
  forgetting: { decayFactor: 1, timeUnit: 'batches' },
  firstCenters: { from: 'data', seed: 1 },
};

const KINDS: readonly ((count: number, seed: number) => Points)[] = [
  spherePoints,
  (count, seed) => cityPoints(count, 6, seed),
  (count, seed) => cityPoints(count, 5, seed, 174, -4),
  (count, seed) => cityPoints(count, 5, seed, 0, 80),
  (count) => pointsAt(Array.from({ length: count }, () => [7, 7])),
  (count) => pointsAt(Array.from({ length: count }, (_, row) => [row % 3 === 0 ? 20 : 21, 30])),
  // First at one place, then at others: clusters die.
  (count) => pointsAt(Array.from({ length: count }, (_, row) => [10 + Math.floor((4 * row) / count), 40])),
];

/** The state of each region, and the rows with what is left of each. */
class Stream {
  readonly states = new Map<number, BatchedKMeans>();
  readonly rows: { readonly at: UnitVector; readonly weight: number }[] = [];

  constructor({ x, y, z }: Points, level: number, options: BatchedKMeansOptions) {
    const time = new Float64Array(x.length);
    const ordinals = new Map<number, number[]>();
    for (let row = 0; row < x.length; row++) {
      const region = regionOf(x[row] as number, y[row] as number, z[row] as number, level);
      const state = this.states.get(region) ?? BatchedKMeans.empty(region, level, options);
      this.states.set(region, state);
      state.fold(x, y, z, time, row, row + 1);
      const own = ordinals.get(region) ?? [];
      ordinals.set(region, own);
      own.push(row);
    }
    for (const [region, state] of this.states) {
      const { batchRows } = state;
      const discount = state.model.discountOf(batchRows);
      const batches = Math.floor(state.rows / batchRows);
      for (const [ordinal, row] of (ordinals.get(region) ?? []).entries()) {
        const batch = Math.floor(ordinal / batchRows);
        const at: UnitVector = [x[row] as number, y[row] as number, z[row] as number];
        this.rows.push({ at, weight: batch < batches ? discount ** (batches - 1 - batch) : 1 });
      }
    }
  }

  get sources(): readonly ModelSource[] {
    return [...this.states]
      .sort(([a], [b]) => a - b)
      .map(([region, state]) => ({ region, partition: 0, tree: new KMeansFeatures(state) }));
  }

  model(k: number): Model {
    return buildModel(this.sources, { k, seedings: 1 });
  }
}

function costOf(rows: Stream['rows'], { clusters }: Model): number {
  return rows.reduce((sum, { at, weight }) => {
    const squares = clusters.map(({ center: [x, y, z] }) =>
      [at[0] - x, at[1] - y, at[2] - z].reduce((all, part) => all + part * part, 0),
    );
    return sum + weight * Math.min(...squares);
  }, 0);
}

const featuresOf = (features: KMeansFeatures): number[][] => {
  const all: number[][] = [];
  features.forEachFeature((...feature) => all.push(feature));
  return all;
};

const points = fc.tuple(
  fc.constantFrom(...KINDS),
  fc.integer({ min: 1, max: 500 }),
  fc.integer({ min: 0, max: 1e6 }),
);
const firstCenters = fc.constantFrom<BatchedKMeansOptions['firstCenters']>(
  { from: 'data', seed: 3 },
  { from: 'random', seed: 3, weight: 0 },
);
const options = fc.record({
  k: fc.constantFrom(1, 3, 60),
  batchRows: fc.constantFrom(1, 7, 40),
  forgetting: fc.constantFrom<BatchedKMeansOptions['forgetting']>(
    { decayFactor: 1, timeUnit: 'batches' },
    { decayFactor: 0.9, timeUnit: 'batches' },
    { decayFactor: 0, timeUnit: 'batches' },
    { decayFactor: 1e-3, timeUnit: 'batches' },
    { halfLife: 5, timeUnit: 'points' },
  ),
  firstCenters,
});

describe('the features of a streaming k-means', () => {
  it('are the centers that have weight, with the SSE of their rows, then the rows that wait', () => {
    const stream = new Stream(cityPoints(130, 1, 4, 5, 45), 0, OPTIONS);
    const [state] = stream.states.values();
    const features = new KMeansFeatures(state as BatchedKMeans);
    const all = featuresOf(features);
    expect(all).to.have.length(13);
    expect(features.count).to.equal(13);
    const { centers, weights } = (state as BatchedKMeans).model;
    for (const [c, [weight, ...mean]] of all.slice(0, 3).entries()) {
      expect(weight).to.equal(weights[c]);
      expect(mean.slice(0, 3)).to.deep.equal([...centers.subarray(3 * c, 3 * c + 3)]);
    }
    expect(all.slice(3).map(([weight, , , , sse]) => [weight, sse])).to.deep.equal(
      Array.from({ length: 10 }, () => [1, 0]),
    );
    expect([...features.cellFeatures()]).to.have.length(13);
    expect(features.memoryBytes).to.be.above(0);
    // Whatever the partition into clusters: what is in all of them together is known.
    const cost = all.reduce((sum, [, , , , sse]) => sum + (sse as number), 0);
    const mean = all.reduce<number[]>(
      (sum, [w, ...m]) => sum.map((value, axis) => value + ((w as number) * (m[axis] as number)) / 130),
      [0, 0, 0],
    );
    const between = all.reduce(
      (sum, [w, ...m]) =>
        sum +
        (w as number) * mean.reduce((square, value, axis) => square + (value - (m[axis] as number)) ** 2, 0),
      0,
    );
    const total = stream.rows.reduce(
      (sum, { at }) =>
        sum + mean.reduce((square, value, axis) => square + (value - (at[axis] as number)) ** 2, 0),
      0,
    );
    expect(total).to.be.above(1e-5);
    expect((cost + between) / total).to.be.closeTo(1, 1e-9);
  });

  it('weigh exactly as many as there are rows, where nothing is forgotten', () => {
    fc.assert(
      fc.property(points, options, ([pointsOf, count, seed], asked) => {
        const forgetting = { decayFactor: 1, timeUnit: 'batches' as const };
        const stream = new Stream(pointsOf(count, seed), 2, { ...asked, forgetting });
        expect(stream.model(4).weight).to.equal(count);
      }),
      { numRuns: 100 },
    );
  });

  it('weigh exactly as many as there are rows, also where one center is halved again and again', () => {
    const places = pointsAt(Array.from({ length: 1_003 }, (_, row) => [7 + (row % 3) / 2, 7]));
    const firstCenters = { from: 'random', seed: 1, weight: 0 } as const;
    const stream = new Stream(places, 0, { ...OPTIONS, k: 150, batchRows: 5, firstCenters });
    const [state] = stream.states.values();
    const { weights } = (state as BatchedKMeans).model;
    // Else there is nothing to be shown: their sum is another number.
    expect(weights.reduce((sum, weight) => sum + weight, 0)).to.not.equal(1_000);
    const features = featuresOf(new KMeansFeatures(state as BatchedKMeans));
    const handedOver = features.map(([weight]) => weight as number);
    expect(handedOver.toReversed().reduce((sum, weight) => sum + weight, 0)).to.equal(1_003);
    for (const k of [1, 2, 3]) {
      expect(stream.model(k).weight).to.equal(1_003);
    }
  });

  it('leave bounds of the cost that hold for certain, whatever is forgotten', () => {
    fc.assert(
      fc.property(
        points,
        options,
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 6 }),
        ([pointsOf, count, seed], asked, level, k) => {
          const stream = new Stream(pointsOf(count, seed), level, asked);
          const model = stream.model(k);
          const { lower, upper } = model.costBounds;
          expect(model.cost).to.be.within(lower, upper);
          // What is added up here is rounded, too.
          const cost = costOf(stream.rows, model);
          expect(cost).to.be.within(lower * (1 - 1e-12), upper * (1 + 1e-12));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('leave bounds that hold with first centers of any weight, which count like rows', () => {
    const weights = fc.array(fc.constantFrom(0, 1e-9, 1, 50), { minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(points, options, weights, ([pointsOf, count, seed], asked, given) => {
        const places = [
          unitVector({ longitude: longitude(8), latitude: latitude(47) }),
          unitVector({ longitude: longitude(-170), latitude: latitude(-40) }),
        ];
        const stream = new Stream(pointsOf(count, seed), 1, {
          ...asked,
          k: 2,
          firstCenters: {
            from: 'given',
            centers: Float64Array.from(places.flat()),
            weights: Float64Array.from(given),
          },
        });
        for (const state of stream.states.values()) {
          const batches = Math.floor(state.rows / state.batchRows);
          const left = state.model.discountOf(state.batchRows) ** batches;
          for (const [c, at] of places.entries()) {
            stream.rows.push({ at, weight: left * (given[c] as number) });
          }
        }
        const model = stream.model(3);
        const { lower, upper } = model.costBounds;
        expect(costOf(stream.rows, model)).to.be.within(lower * (1 - 1e-12), upper * (1 + 1e-12));
      }),
      { numRuns: 200 },
    );
  });

  it('leave bounds that are near the cost where a region has one cluster', () => {
    const stream = new Stream(cityPoints(4000, 6, 9), 3, { ...OPTIONS, k: 20 });
    const model = stream.model(2);
    const cost = costOf(stream.rows, model);
    expect(model.costBounds.upper / cost).to.be.within(1 - 1e-12, 1.01);
    expect(model.costBounds.lower / cost).to.be.within(0.9, 1 + 1e-12);
  });

  it('leave out centers that weigh next to nothing', () => {
    const forgetting = { decayFactor: 1e-200, timeUnit: 'batches' as const };
    const stream = new Stream(cityPoints(60, 6, 2), 0, { ...OPTIONS, k: 30, batchRows: 10, forgetting });
    for (const [region, state] of stream.states) {
      const kept = featuresOf(new KMeansFeatures(state)).map(([weight]) => weight as number);
      expect(
        kept.every((weight) => weight > 1e-120),
        regionToken(region, 0),
      ).to.equal(true);
      expect([...state.model.weights].some((weight) => weight > 0 && weight < 1e-120)).to.equal(true);
    }
    expect(stream.model(3).clusters.length).to.be.within(1, 3);
  });
});
