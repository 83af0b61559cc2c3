import type { UnitVector } from '../geo/sphere.ts';
import type { FeatureColumns } from './features.ts';

/**
 * The passes over features that k-means consists of. Each works on a range and keeps its sums in the
 * columns that it is given, adding in index order: cutting a pass into ranges changes no bit.
 * Distances are differences squared, never |a|^2 - 2ab + |b|^2: at 1 m apart that cancels to nothing.
 */

/** Distance evaluations between two yields: a twentieth of a millisecond, and 6 before the engine compiles them. */
export const EVALUATIONS_PER_STEP = 20_000;

export interface Centers {
  readonly count: number;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
}

/** Where the features belong, and the sums of one assignment. */
export interface Assignment {
  /** Index of each feature's nearest center, the first of equals. */
  readonly cluster: Int32Array;
  /** Squared distance of each feature's mean to that center. */
  readonly distance: Float64Array;
  /** Per cluster: weight, and weighted sums of the differences to the center. */
  readonly weight: Float64Array;
  readonly dx: Float64Array;
  readonly dy: Float64Array;
  readonly dz: Float64Array;
  /** [0]: sum of weight * distance; [1]: features whose cluster changed. */
  readonly totals: Float64Array;
}

export function allocateCenters(capacity: number): Centers {
  return {
    count: capacity,
    x: new Float64Array(capacity),
    y: new Float64Array(capacity),
    z: new Float64Array(capacity),
  };
}

export function centersAt(vectors: readonly UnitVector[]): Centers {
  const centers = allocateCenters(vectors.length);
  for (const [c, [x, y, z]] of vectors.entries()) {
    centers.x[c] = x;
    centers.y[c] = y;
    centers.z[c] = z;
  }
  return centers;
}

export function allocateAssignment(features: number, centers: number): Assignment {
  return {
    cluster: new Int32Array(features).fill(-1),
    distance: new Float64Array(features),
    weight: new Float64Array(centers),
    dx: new Float64Array(centers),
    dy: new Float64Array(centers),
    dz: new Float64Array(centers),
    totals: new Float64Array(2),
  };
}

export function clearSums(into: Assignment): void {
  into.weight.fill(0);
  into.dx.fill(0);
  into.dy.fill(0);
  into.dz.fill(0);
  into.totals.fill(0);
}

/**
 * Assigns the features of `[from, to)` to their nearest centers and adds to the sums. The nearest are sought
 * among the first `left` of `rivals`, ascending indices of centers.
 */
export function assignRange(
  features: FeatureColumns,
  centers: Centers,
  rivals: Int32Array,
  left: number,
  into: Assignment,
  from: number,
  to: number,
): void {
  const { x, y, z, weight } = features;
  const { x: cx, y: cy, z: cz } = centers;
  const { cluster, distance, weight: sums, dx, dy, dz } = into;
  let cost = into.totals[0] as number;
  let changed = 0;
  for (let f = from; f < to; f++) {
    const fx = x[f] as number;
    const fy = y[f] as number;
    const fz = z[f] as number;
    let best = 0;
    let least = Infinity;
    for (let rival = 0; rival < left; rival++) {
      const c = rivals[rival] as number;
      const ex = fx - (cx[c] as number);
      const ey = fy - (cy[c] as number);
      const ez = fz - (cz[c] as number);
      const d = ex * ex + ey * ey + ez * ez;
      if (d < least) {
        least = d;
        best = c;
      }
    }
    if (cluster[f] !== best) {
      cluster[f] = best;
      changed++;
    }
    distance[f] = least;
    const w = weight[f] as number;
    cost += w * least;
    sums[best] = (sums[best] as number) + w;
    dx[best] = (dx[best] as number) + w * (fx - (cx[best] as number));
    dy[best] = (dy[best] as number) + w * (fy - (cy[best] as number));
    dz[best] = (dz[best] as number) + w * (fz - (cz[best] as number));
  }
  into.totals[0] = cost;
  into.totals[1] = (into.totals[1] as number) + changed;
}

/** Adds to `sum[0]` what the weighted squared distances of `[from, to)` would be with one more center. */
export function potentialRange(
  features: FeatureColumns,
  distance: Float64Array,
  candidate: number,
  sum: Float64Array,
  from: number,
  to: number,
): void {
  const { x, y, z, weight } = features;
  const px = x[candidate] as number;
  const py = y[candidate] as number;
  const pz = z[candidate] as number;
  let total = sum[0] as number;
  for (let f = from; f < to; f++) {
    const ex = (x[f] as number) - px;
    const ey = (y[f] as number) - py;
    const ez = (z[f] as number) - pz;
    total += (weight[f] as number) * Math.min(distance[f] as number, ex * ex + ey * ey + ez * ez);
  }
  sum[0] = total;
}

/** Lowers `distance` of `[from, to)` to the squared distance to the point, where that is less. */
export function lowerRange(
  features: FeatureColumns,
  distance: Float64Array,
  px: number,
  py: number,
  pz: number,
  from: number,
  to: number,
): void {
  const { x, y, z } = features;
  for (let f = from; f < to; f++) {
    const ex = (x[f] as number) - px;
    const ey = (y[f] as number) - py;
    const ez = (z[f] as number) - pz;
    distance[f] = Math.min(distance[f] as number, ex * ex + ey * ey + ez * ez);
  }
}

/** Fills `cumulative` with the running sums of `weight`, or of `weight * distance`; returns the total. */
export function accumulate(
  weight: Float64Array,
  distance: Float64Array | undefined,
  cumulative: Float64Array,
): number {
  let total = 0;
  for (let f = 0; f < cumulative.length; f++) {
    total += distance === undefined ? (weight[f] as number) : (weight[f] as number) * (distance[f] as number);
    cumulative[f] = total;
  }
  return total;
}

/** First index whose running sum is above `at`: an index of a positive share when `at` is below the total. */
export function firstAbove(cumulative: Float64Array, at: number): number {
  // The product of a total and a number below 1 may round up to the total.
  const last = cumulative[cumulative.length - 1] as number;
  const strict = at < last;
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    const sum = cumulative[middle] as number;
    if (strict ? sum > at : sum >= last) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}
