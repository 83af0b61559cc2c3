/**
 * Finds the nearest of k centers in R^d, ties to the lowest index, as Apache Spark (from 3.1 on) finds it
 * for dense vectors. It skips centers by two bounds, the difference of the norms, and half the distance
 * between two centers (Elkan: Using the triangle inequality to accelerate k-means, ICML 2003). Halfway
 * between two centers their rounding decides, and decides otherwise than that of the distances.
 *
 * Takes O(k^2 d) time and 8 k^2 bytes to make. It copies nothing: of no use once the centers have moved.
 */
export class NearestCenter {
  private readonly centers: Float64Array;
  private readonly k: number;
  private readonly dimension: number;
  private readonly norms: Float64Array;
  /** k x k: a quarter of the squared distance of two centers; on the diagonal the least of its row. */
  private readonly quarters: Float64Array;

  /** `centers` holds k rows of `dimension` coordinates, all finite, their squares too. */
  constructor(centers: Float64Array, dimension: number) {
    const k = centers.length / dimension;
    this.centers = centers;
    this.k = k;
    this.dimension = dimension;
    this.norms = Float64Array.from({ length: k }, (_, c) => normAt(centers, c * dimension, dimension));
    const quarters = new Float64Array(k * k);
    for (let c = 0; c < k; c++) {
      quarters[c * k + c] = Infinity;
    }
    for (let a = 0; a < k; a++) {
      for (let b = a + 1; b < k; b++) {
        // Through the root and back, as the reference does it: the last bit depends on it.
        const distance = Math.sqrt(
          squaredDistance(centers, a * dimension, centers, b * dimension, dimension),
        );
        const quarter = 0.25 * distance * distance;
        quarters[a * k + b] = quarter;
        quarters[b * k + a] = quarter;
        quarters[a * k + a] = Math.min(quarters[a * k + a] as number, quarter);
        quarters[b * k + b] = Math.min(quarters[b * k + b] as number, quarter);
      }
    }
    this.quarters = quarters;
  }

  /** Index of the center nearest to the point whose coordinates begin at `points[at]`. */
  find(points: Float64Array, at: number): number {
    const { centers, k, dimension, norms, quarters } = this;
    const norm = normAt(points, at, dimension);
    let nearest = 0;
    let least = squaredDistance(centers, 0, points, at, dimension);
    if (least < (quarters[0] as number)) {
      return 0;
    }
    for (let c = 1; c < k; c++) {
      const difference = (norms[c] as number) - norm;
      if (difference * difference < least && (quarters[nearest * k + c] as number) < least) {
        const distance = squaredDistance(centers, c * dimension, points, at, dimension);
        if (distance < (quarters[c * k + c] as number)) {
          return c;
        }
        if (distance < least) {
          least = distance;
          nearest = c;
        }
      }
    }
    return nearest;
  }
}

/** Squared Euclidean distance of two rows, summed in the order of the coordinates. */
export function squaredDistance(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  dimension: number,
): number {
  let sum = 0;
  for (let j = 0; j < dimension; j++) {
    const difference = (a[atA + j] as number) - (b[atB + j] as number);
    sum += difference * difference;
  }
  return sum;
}

function normAt(rows: Float64Array, at: number, dimension: number): number {
  let sum = 0;
  for (let j = at; j < at + dimension; j++) {
    sum += (rows[j] as number) * (rows[j] as number);
  }
  return Math.sqrt(sum);
}
