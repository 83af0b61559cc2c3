import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { InvalidPointError } from '../../src/clustering/features.ts';
import { StreamingKMeans, type StreamingKMeansOptions } from '../../src/clustering/streaming-kmeans.ts';
import type { TimeUnit } from '../../src/clustering/streaming-kmeans-format.ts';
import { createRandom } from '../../src/clustering/random.ts';

interface Step {
  readonly points: number[][];
  readonly centers: number[][];
  readonly weights: number[];
  readonly predictions: number[];
}

interface Case {
  readonly name: string;
  readonly initialCenters: number[][];
  readonly initialWeights: number[];
  readonly decayFactor: number;
  readonly timeUnit: TimeUnit;
  readonly probes: number[][];
  readonly steps: Step[];
}

const vectors = JSON.parse(
  readFileSync(new URL('../data/spark-streaming-kmeans.json', import.meta.url), 'utf8'),
) as { readonly madeBy: string; readonly cases: Case[] };

const flat = (rows: readonly number[][]): Float64Array => Float64Array.from(rows.flat());

/** The greatest deviation, absolute or relative, whichever is less. */
function deviation(actual: Float64Array, expected: readonly number[]): number {
  expect(actual.length).to.equal(expected.length);
  return Math.max(
    ...expected.map(
      (value, index) => Math.abs((actual[index] as number) - value) / Math.max(1, Math.abs(value)),
    ),
  );
}

function given(
  centers: number[][],
  weights: number[],
  decayFactor = 1,
  timeUnit: TimeUnit = 'batches',
): StreamingKMeans {
  return StreamingKMeans.create({
    k: centers.length,
    dimension: centers[0]?.length ?? 0,
    forgetting: { decayFactor, timeUnit },
    firstCenters: { from: 'given', centers: flat(centers), weights: Float64Array.from(weights) },
  });
}

function update(model: StreamingKMeans, points: number[][]): StreamingKMeans {
  model.update(flat(points), points.length);
  return model;
}

const options: StreamingKMeansOptions = {
  k: 2,
  dimension: 1,
  forgetting: { decayFactor: 1, timeUnit: 'batches' },
  firstCenters: { from: 'data', seed: 1 },
};

describe('StreamingKMeans', () => {
  describe(`equals ${vectors.madeBy} to 1e-9`, () => {
    it('in nine cases, each with steps', () => {
      expect(vectors.madeBy).to.equal('Apache Spark 3.5.5');
      expect(vectors.cases.map((one) => one.steps.length)).to.deep.equal([8, 5, 6, 8, 6, 6, 12, 5, 2]);
      expect(new Set(vectors.cases.map((one) => one.name)).size).to.equal(9);
    });

    for (const one of vectors.cases) {
      it(one.name, () => {
        const model = given(one.initialCenters, one.initialWeights, one.decayFactor, one.timeUnit);
        one.steps.forEach((step, number) => {
          update(model, step.points);
          expect(
            deviation(model.centers, step.centers.flat()),
            `centers after ${String(number)}`,
          ).to.be.below(1e-9);
          expect(deviation(model.weights, step.weights), `weights after ${String(number)}`).to.be.below(1e-9);
          if (one.timeUnit === 'batches') {
            // Without a power to compute, the last bit too.
            expect([...model.centers]).to.deep.equal(step.centers.flat());
            expect([...model.weights]).to.deep.equal(step.weights);
          }
          const predictions = one.probes.map((probe) => model.predict(Float64Array.from(probe)));
          expect(predictions, `predictions after ${String(number)}`).to.deep.equal(step.predictions);
        });
      });
    }
  });

  it('discounts for an empty batch in batches, and not in points', () => {
    const batches = update(given([[0], [9]], [2, 4], 0.5), []);
    expect([...batches.weights]).to.deep.equal([1, 2]);
    const points = update(given([[0], [9]], [2, 4], 0.5, 'points'), []);
    expect([...points.weights]).to.deep.equal([2, 4]);
    expect([...points.centers]).to.deep.equal([0, 9]);
    expect([...update(points, [[0], [9], [9]]).weights]).to.deep.equal([1.25, 2.5]);
  });

  it('forgets all of the past with a decay factor of 0', () => {
    const model = update(given([[0], [9]], [7, 7], 0), [[1], [2], [8]]);
    expect([...model.centers, ...model.weights]).to.deep.equal([1.5, 8, 2, 1]);
  });

  it('splits the first of the heaviest in the place of the first of the lightest, to both sides', () => {
    const model = update(given([[300], [0], [-0.5], [300]], [5, 0, 0, 5]), []);
    expect([...model.weights]).to.deep.equal([2.5, 2.5, 0, 5]);
    expect([...model.centers]).to.deep.equal([300 + 3e-12, 300 - 3e-12, -0.5, 300]);
    const small = update(
      given(
        [
          [0.5, -2],
          [7, 7],
        ],
        [1, 1e-9],
      ),
      [],
    );
    expect([...small.centers]).to.deep.equal([0.5 + 1e-14, -2 + 2e-14, 0.5 - 1e-14, -2 - 2e-14]);
    expect([...small.weights]).to.deep.equal([(1 + 1e-9) / 2, (1 + 1e-9) / 2]);
  });

  it('lets a cluster live from 1e-8 of the greatest on', () => {
    const model = update(given([[0], [9]], [1, 1e-8]), []);
    expect([...model.centers, ...model.weights]).to.deep.equal([0, 9, 1, 1e-8]);
  });

  it('does nothing while no cluster has weight, and lets a single one live', () => {
    expect([...update(given([[0], [9]], [0, 0]), []).centers]).to.deep.equal([0, 9]);
    expect([...update(given([[4]], [0]), [[1], [2]]).centers]).to.deep.equal([1.5]);
  });

  it('halves the weight in one half-life', () => {
    const cases: [timeUnit: TimeUnit, batches: number[][][]][] = [
      ['batches', [[[0]], [[0]], [[0]]]],
      ['points', [[[0], [0]], [], [[0]]]],
    ];
    for (const [timeUnit, batches] of cases) {
      const model = StreamingKMeans.create({
        k: 1,
        dimension: 1,
        forgetting: { halfLife: 3, timeUnit },
        firstCenters: { from: 'given', centers: Float64Array.of(0), weights: Float64Array.of(1e9) },
      });
      for (const batch of batches) {
        update(model, batch);
      }
      expect(model.weights[0]).to.be.closeTo(0.5e9, 4);
    }
  });

  it('begins with the random centers of Spark', () => {
    const model = StreamingKMeans.create({
      ...options,
      dimension: 3,
      firstCenters: { from: 'random', seed: 42, weight: 0.25 },
    });
    // new StreamingKMeans().setK(2).setRandomCenters(3, 0.25, 42)
    expect([...model.centers].slice(0, 4)).to.deep.equal([
      2.384479054241165, 0.1920934041293524, 0.7337336533286575, -0.5224480195716871,
    ]);
    expect([...model.weights]).to.deep.equal([0.25, 0.25]);
    expect(model.started).to.equal(true);
  });

  it('begins with distinct points of the first batch that has any', () => {
    const model = StreamingKMeans.create({ ...options, k: 5 });
    expect(() => model.predict(Float64Array.of(1))).to.throw('no centers');
    update(model, []);
    expect(model.started).to.equal(false);
    const batch = [3, 1, 4, 1, 5, 1, 9, 3].map((x) => [x]);
    update(model, batch);
    expect(model.started).to.equal(true);
    expect([...model.centers].sort()).to.deep.equal([1, 3, 4, 5, 9]);
    expect(model.weights[model.predict(Float64Array.of(1))]).to.equal(3);
    expect([...model.weights].reduce((sum, weight) => sum + weight)).to.equal(8);
  });

  it('needs fewer distinct points than clusters no special case', () => {
    const model = StreamingKMeans.create({ ...options, k: 4 });
    for (let batch = 0; batch < 6; batch++) {
      update(model, [[2], [2], [7]]);
    }
    for (const center of model.centers) {
      expect(Math.min(Math.abs(center - 2), Math.abs(center - 7))).to.be.below(1e-12);
    }
    expect([...model.weights].reduce((sum, weight) => sum + weight)).to.equal(18);
  });

  it('finds in its data what a good start finds, and depends on the seed only', () => {
    const random = createRandom(3);
    const batch = Array.from({ length: 400 }, (_, row) => [100 * (row % 4) + random(), random()]);
    for (let seed = 0; seed < 20; seed++) {
      const create = (): StreamingKMeans =>
        update(
          StreamingKMeans.create({ ...options, k: 4, dimension: 2, firstCenters: { from: 'data', seed } }),
          batch,
        );
      const model = create();
      expect([...model.weights]).to.deep.equal([100, 100, 100, 100]);
      expect(create().centers).to.deep.equal(model.centers);
    }
  });

  it('refuses a point that is no number, and a count that is too high, and changes nothing', () => {
    const model = given(
      [
        [0, 0],
        [9, 9],
      ],
      [1, 2],
      0.5,
    );
    const before = model.encode();
    for (const bad of [Number.NaN, Infinity, -Infinity, 1.1e150]) {
      expect(() =>
        update(model, [
          [1, 1],
          [1, bad],
        ]),
      ).to.throw(InvalidPointError, String(bad));
      expect(() => model.predict(Float64Array.of(bad, 0))).to.throw(InvalidPointError);
    }
    expect(() => model.predict(Float64Array.of(1))).to.throw(InvalidPointError);
    for (const count of [2, -1, 0.5, Number.NaN]) {
      expect(() => {
        model.update(Float64Array.of(1, 1, 1), count);
      }).to.throw(RangeError, 'rows');
    }
    expect(model.encode()).to.deep.equal(before);
    update(model, [
      [1e150, -1e150],
      [-1e150, 1e150],
    ]);
    expect(model.centers.every(Number.isFinite)).to.equal(true);
  });

  it('refuses options that are out of range', () => {
    const firstCenters = {
      from: 'given',
      centers: Float64Array.of(0, 1),
      weights: Float64Array.of(1, 1),
    } as const;
    const refused: Partial<StreamingKMeansOptions>[] = [
      { k: 0 },
      { k: 1001 },
      { k: 1.5 },
      { dimension: 0 },
      { dimension: 1001 },
      { forgetting: { decayFactor: -0.1, timeUnit: 'batches' } },
      { forgetting: { decayFactor: 1.1, timeUnit: 'batches' } },
      { forgetting: { decayFactor: Number.NaN, timeUnit: 'points' } },
      { forgetting: { halfLife: 0, timeUnit: 'points' } },
      { forgetting: { halfLife: Infinity, timeUnit: 'points' } },
      { firstCenters: { from: 'data', seed: 0.5 } },
      { firstCenters: { from: 'random', seed: 2 ** 53, weight: 0 } },
      { firstCenters: { from: 'random', seed: 1, weight: -1 } },
      { firstCenters: { ...firstCenters, centers: Float64Array.of(0) } },
      { firstCenters: { ...firstCenters, centers: Float64Array.of(0, Number.NaN) } },
      { firstCenters: { ...firstCenters, weights: Float64Array.of(1) } },
      { firstCenters: { ...firstCenters, weights: Float64Array.of(1, Infinity) } },
    ];
    for (const change of refused) {
      expect(() => StreamingKMeans.create({ ...options, ...change }), JSON.stringify(change)).to.throw(
        RangeError,
      );
    }
    const model = StreamingKMeans.create({ ...options, firstCenters });
    update(model, [[5]]);
    expect([...firstCenters.centers, ...firstCenters.weights]).to.deep.equal([0, 1, 1, 1]);
  });
});
