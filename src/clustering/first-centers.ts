import { squaredDistance } from './nearest-center.ts';
import type { SparkRandom } from './spark-random.ts';

/** k rows of `dimension` standard normal numbers: Apache Spark's random centers. */
export function gaussianCenters(k: number, dimension: number, random: SparkRandom): Float64Array {
  return Float64Array.from({ length: k * dimension }, () => random.nextGaussian());
}

/**
 * k of the `count` points (rows of `dimension` coordinates, at least one), drawn one after another with
 * a chance proportional to the squared distance to the nearest drawn before (Arthur, Vassilvitskii:
 * k-means++, SODA 2007). They are distinct points as long as there are any; then row 0 repeats.
 */
export function seedCenters(
  points: Float64Array,
  count: number,
  k: number,
  dimension: number,
  random: SparkRandom,
): Float64Array {
  const centers = new Float64Array(k * dimension);
  const nearest = new Float64Array(count).fill(Infinity);
  let chosen = Math.floor(random.nextDouble() * count);
  for (let c = 0; c < k; c++) {
    const at = c * dimension;
    centers.set(points.subarray(chosen * dimension, (chosen + 1) * dimension), at);
    let total = 0;
    for (let row = 0; row < count; row++) {
      const distance = squaredDistance(centers, at, points, row * dimension, dimension);
      nearest[row] = Math.min(nearest[row] as number, distance);
      total += nearest[row] as number;
    }
    chosen = drawn(nearest, random.nextDouble() * total);
  }
  return centers;
}

/**
 * The first row whose running total exceeds `target`: its own share is above 0. When rounding leaves
 * none, the last row with a share; row 0 when all are 0.
 */
function drawn(shares: Float64Array, target: number): number {
  let running = 0;
  let last = 0;
  for (let row = 0; row < shares.length; row++) {
    const share = shares[row] as number;
    if (share > 0) {
      running += share;
      last = row;
      if (running > target) {
        break;
      }
    }
  }
  return last;
}
