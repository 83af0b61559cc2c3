import { expect } from 'chai';
import fc from 'fast-check';
import { allocateFeatures, type FeatureColumns, featuresOfPoints } from '../../src/clustering/features.ts';
import { assignFeatures, searchCenters } from '../../src/clustering/kmeans.ts';
import { accumulate, type Centers, firstAbove } from '../../src/clustering/kmeans-passes.ts';
import { finish, finishInSlices } from '../../src/clustering/slices.ts';
import { cityPoints, pointsAt, spherePoints } from './points.ts';

const points = (n: number, seed: number): FeatureColumns => {
  const { x, y, z } = cityPoints(n, 8, seed);
  return featuresOfPoints(x, y, z);
};

/** The cost by definition. */
function costOf(features: FeatureColumns, centers: Centers): number {
  let cost = 0;
  for (let f = 0; f < features.count; f++) {
    let least = Infinity;
    for (let c = 0; c < centers.count; c++) {
      const dx = (features.x[f] as number) - (centers.x[c] as number);
      const dy = (features.y[f] as number) - (centers.y[c] as number);
      const dz = (features.z[f] as number) - (centers.z[c] as number);
      least = Math.min(least, dx * dx + dy * dy + dz * dz);
    }
    cost += (features.sse[f] as number) + (features.weight[f] as number) * least;
  }
  return cost;
}

describe('k-means search', () => {
  it('ends where centers are the means of what is nearest to them, at the cost that it says', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 12 }), fc.boolean(), (seed, k, wide) => {
        const raw = wide ? spherePoints(300, seed) : cityPoints(300, 6, seed);
        const features = { ...featuresOfPoints(raw.x, raw.y, raw.z), weight: new Float64Array(300) };
        features.weight.forEach((_, f) => {
          features.weight[f] = 1 + (f % 5);
          features.sse[f] = (f % 3) * 1e-6;
        });
        const { centers, cost } = finish(searchCenters(features, { k, seedings: 2 }));
        expect(centers.count).to.equal(k);
        expect(cost / costOf(features, centers)).to.be.closeTo(1, 1e-9);
        const { weight, dx, dy, dz, totals } = finish(assignFeatures(features, centers));
        expect(totals[0]).to.be.closeTo(costOf({ ...features, sse: new Float64Array(300) }, centers), 1e-9);
        for (let c = 0; c < k; c++) {
          expect(weight[c]).to.be.above(0);
          for (const sum of [dx, dy, dz]) {
            expect((sum[c] as number) / (weight[c] as number)).to.be.closeTo(0, 1e-12);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('assigns as if every feature were compared with every center, to the bit', () => {
    const shapes = fc.record({
      seed: fc.integer(),
      n: fc.integer({ min: 1, max: 500 }),
      k: fc.integer({ min: 1, max: 40 }),
      wide: fc.boolean(),
      // From the whole globe down to a millimetre, and all at one place.
      scale: fc.constantFrom(1, 1e-3, 1e-9, 0),
      among: fc.boolean(),
      twice: fc.boolean(),
    });
    fc.assert(
      fc.property(shapes, ({ among, k, n, scale, seed, twice, wide }) => {
        const raw = wide ? spherePoints(n, seed) : cityPoints(n, 6, seed);
        const near = (column: Float64Array): Float64Array =>
          column.map((value) => (column[0] as number) + scale * (value - (column[0] as number)));
        const features = featuresOfPoints(near(raw.x), near(raw.y), near(raw.z));
        const away = spherePoints(k, seed + 1);
        const pick = (column: Float64Array, other: Float64Array): Float64Array =>
          other.map((value, c) => (among ? (column[(7 * (twice ? c >> 1 : c)) % n] as number) : value));
        const centers = {
          count: k,
          x: pick(features.x, away.x),
          y: pick(features.y, away.y),
          z: pick(features.z, away.z),
        };
        const { cluster, distance } = finish(assignFeatures(features, centers));
        for (let f = 0; f < n; f++) {
          let best = 0;
          let least = Infinity;
          for (let c = 0; c < k; c++) {
            const dx = (features.x[f] as number) - (centers.x[c] as number);
            const dy = (features.y[f] as number) - (centers.y[c] as number);
            const dz = (features.z[f] as number) - (centers.z[c] as number);
            const d = dx * dx + dy * dy + dz * dz;
            if (d < least) {
              least = d;
              best = c;
            }
          }
          expect([cluster[f], distance[f]]).to.deep.equal([best, least]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('finds well separated places exactly', () => {
    const places: [number, number][] = [
      [0, 0],
      [90, 0],
      [180, 0],
      [-90, 0],
      [0, 90],
      [0, -90],
    ];
    const { x, y, z } = pointsAt(Array.from({ length: 600 }, (_, n) => places[n % 6] as [number, number]));
    const { centers, cost } = finish(searchCenters(featuresOfPoints(x, y, z), { k: 6 }));
    expect(cost).to.equal(0);
    const found = Array.from(centers.x, (_, c) => [centers.x[c], centers.y[c], centers.z[c]].join());
    expect(found.sort()).to.deep.equal(Array.from({ length: 6 }, (_, n) => [x[n], y[n], z[n]].join()).sort());
  });

  it('gives one center a distinct place when there are fewer places than k, and none of nothing', () => {
    const { x, y, z } = pointsAt(
      Array.from({ length: 90 }, (_, n): [number, number] => [(n % 3) * 1e-6, 45]),
    );
    const three = finish(searchCenters(featuresOfPoints(x, y, z), { k: 10 }));
    expect([three.centers.count, three.cost]).to.deep.equal([3, 0]);
    const none = finish(searchCenters(allocateFeatures(0), { k: 4 }));
    expect([none.centers.count, none.cost]).to.deep.equal([0, 0]);
  });

  it('is the same to the bit again and however it is sliced, and another seed may differ', async () => {
    const features = points(3000, 5);
    const options = { k: 7, seedings: 3 };
    const whole = finish(searchCenters(features, options));
    expect(finish(searchCenters(features, options))).to.deep.equal(whole);
    let clock = 0;
    let pauses = 0;
    const sliced = await finishInSlices(searchCenters(features, options), {
      now: () => clock++,
      pause: () => {
        pauses++;
        return Promise.resolve();
      },
      sliceMs: 3,
    });
    expect(sliced).to.deep.equal(whole);
    expect(pauses).to.be.above(5);
    const { x, y, z } = spherePoints(500, 1);
    const withSeed = (seed: number): Centers =>
      finish(searchCenters(featuresOfPoints(x, y, z), { k: 20, seedings: 1, seed })).centers;
    expect(withSeed(2)).not.to.deep.equal(withSeed(1));
  });

  it('stops between slices when it is aborted', async () => {
    const abort = new AbortController();
    const outcome = finishInSlices(searchCenters(points(2000, 1), { k: 5 }), {
      now: () => 0,
      pause: () => Promise.reject(new Error('not reached')),
      sliceMs: 0,
      signal: AbortSignal.abort(new Error('stopped')),
    });
    abort.abort();
    expect(await outcome.catch((error: unknown) => (error as Error).message)).to.equal('stopped');
  });

  it('tries the warm start first, fills it up to k, and is never worse for it', () => {
    const features = points(2000, 6);
    const cold = finish(searchCenters(features, { k: 6 }));
    const warm = finish(searchCenters(features, { k: 6, seedings: 0, warmStart: cold.centers }));
    expect(warm.cost / cold.cost).to.be.closeTo(1, 1e-9);
    const two = { ...cold.centers, count: 2 };
    const filled = finish(searchCenters(features, { k: 6, seedings: 0, warmStart: two }));
    expect(filled.centers.count).to.equal(6);
    const both = finish(searchCenters(features, { k: 6, warmStart: two }));
    expect(both.cost).to.be.at.most(cold.cost);
    expect(() => finish(searchCenters(features, { k: 5, warmStart: cold.centers }))).to.throw(
      RangeError,
      'warm start',
    );
  });

  it('gives a center that nothing is near to the costliest feature', () => {
    const features = points(500, 8);
    const away: Centers = {
      count: 3,
      x: Float64Array.of(1, -1, 0),
      y: Float64Array.of(0, 0, 0),
      z: Float64Array.of(0, 0, -1),
    };
    const { centers, cost } = finish(searchCenters(features, { k: 3, seedings: 0, warmStart: away }));
    expect(centers.count).to.equal(3);
    const one = finish(searchCenters(features, { k: 1 }));
    expect(cost).to.be.below(one.cost / 1.5);
  });

  it('drops a warm center that nothing can be given to', () => {
    const { x, y, z } = pointsAt([[8, 47]]);
    const start: Centers = {
      count: 2,
      x: Float64Array.of(1, -1),
      y: Float64Array.of(0, 0),
      z: Float64Array.of(0, 0),
    };
    const { centers } = finish(
      searchCenters(featuresOfPoints(x, y, z), { k: 2, seedings: 0, warmStart: start }),
    );
    expect([centers.count, centers.x[0], centers.y[0]]).to.deep.equal([1, x[0], y[0]]);
  });

  it('refuses a k that is none', () => {
    for (const k of [0, -1, 1.5, Number.NaN]) {
      expect(() => finish(searchCenters(points(10, 1), { k }))).to.throw(RangeError, 'k ');
    }
  });

  it('draws only features that have a share', () => {
    const cumulative = new Float64Array(5);
    const total = accumulate(Float64Array.of(0, 2, 0, 3, 0), undefined, cumulative);
    expect(total).to.equal(5);
    expect([0, 1.9, 2, 4.9, 5].map((at) => firstAbove(cumulative, at))).to.deep.equal([1, 1, 3, 3, 3]);
  });
});
