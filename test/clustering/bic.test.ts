import { expect } from 'chai';
import { bicOf } from '../../src/clustering/bic.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { EARTH_RADIUS_KM } from '../../src/geo/sphere.ts';

/** Squared distance of 5 m. */
const FLOOR = (0.005 / EARTH_RADIUS_KM) ** 2;

describe('Bayesian information criterion', () => {
  it('is by definition that of normal distributions with one variance, row by row', () => {
    const random = createRandom(3);
    const centers = [
      [0, 0],
      [3, 1],
      [-1, 4],
    ] as const;
    const sizes = [20, 7, 13];
    const rows = sizes.flatMap((size, cluster) =>
      Array.from({ length: size }, () => ({ cluster, dx: random() - 0.5, dy: random() - 0.5 })),
    );
    const cost = rows.reduce((sum, { dx, dy }) => sum + dx * dx + dy * dy, 0);
    const variance = cost / 2 / (40 - 3);
    let logLikelihood = 0;
    for (const { cluster, dx, dy } of rows) {
      const [cx, cy] = centers[cluster] as readonly [number, number];
      const [x, y] = [cx + dx, cy + dy];
      const density =
        (Math.exp(-((x - cx) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance)) *
        (Math.exp(-((y - cy) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance));
      logLikelihood += Math.log(((sizes[cluster] as number) / 40) * density);
    }
    // 2 shares, 6 coordinates, 1 variance.
    const expected = -2 * logLikelihood + 9 * Math.log(40);
    const clustering = { k: 3, weights: Float64Array.from(sizes), cost, effectiveRows: 40 };
    expect(bicOf(clustering)).to.be.closeTo(expected, 1e-9);
    // A unit of weight is of no meaning, only how many rows the weights are worth.
    const heavier = {
      ...clustering,
      weights: Float64Array.from(sizes, (size) => 1e6 * size),
      cost: 1e6 * cost,
    };
    expect(bicOf(heavier)).to.be.closeTo(expected, 1e-9);
    expect(bicOf({ ...clustering, effectiveRows: 20 })).not.to.be.closeTo(expected, 1);
  });

  it('does not find duplicates infinitely good, nor differences below the noise of positions better', () => {
    const clustering = { k: 2, weights: Float64Array.of(50, 50), effectiveRows: 100 };
    const none = bicOf({ ...clustering, cost: 0 });
    const half = bicOf({ ...clustering, cost: 50 * FLOOR });
    expect(none).to.be.finite;
    // The variance is that of the noise in both: what differs is how near to the centers the rows are.
    expect(half - none).to.be.closeTo(100 * 0.5 * 2, 1e-6);
    expect(bicOf({ ...clustering, cost: 100 * 4 * FLOOR }) - none).to.be.above(100 * 2 * Math.log(3.9));
  });

  it('stays finite when the clusters leave no degree of freedom, or have no rows', () => {
    expect(bicOf({ k: 9, weights: new Float64Array(9).fill(1), cost: 0.1, effectiveRows: 2 })).to.be.finite;
    const empty = { k: 2, weights: Float64Array.of(4, 0), cost: 0.1, effectiveRows: 4 };
    expect(bicOf(empty)).to.be.finite;
    expect(bicOf({ k: 1, weights: Float64Array.of(1e-300), cost: 0, effectiveRows: 1 })).to.be.finite;
  });
});
