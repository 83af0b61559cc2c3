/**
 * Clustering features as columns. A feature stands for a set of points of the unit sphere by its
 * weight, its mean (in R^3, not normalised) and its SSE, the weighted sum of the points' squared
 * distances to the mean (squared chords, in units of the earth's radius squared).
 * (Zhang, Ramakrishnan, Livny: BIRCH, SIGMOD 1996, in the stable form with the mean.)
 */
export interface FeatureColumns {
  /** Number of features; the columns may be longer. */
  readonly count: number;
  readonly weight: Float64Array;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly sse: Float64Array;
}

export function allocateFeatures(count: number): FeatureColumns {
  return {
    count,
    weight: new Float64Array(count),
    x: new Float64Array(count),
    y: new Float64Array(count),
    z: new Float64Array(count),
    sse: new Float64Array(count),
  };
}

/** Raw points as features of weight 1 and SSE 0. The coordinate columns are shared, not copied. */
export function featuresOfPoints(x: Float64Array, y: Float64Array, z: Float64Array): FeatureColumns {
  return {
    count: x.length,
    weight: new Float64Array(x.length).fill(1),
    x,
    y,
    z,
    sse: new Float64Array(x.length),
  };
}

/** Features between two yields of what takes some 100 ns for each. */
export const FEATURES_PER_STEP = 1024;

/** Largest deviation of a point's squared length from 1; unit vectors made of degrees stay below 1e-15. */
export const UNIT_TOLERANCE = 1e-9;

/** Largest weight up to which counts of rows are exact. */
export const MAX_WEIGHT = Number.MAX_SAFE_INTEGER;

/** A point or feature that cannot be folded: not finite, not on the sphere, not in the region. */
export class InvalidPointError extends RangeError {
  override readonly name = 'InvalidPointError';
}

/**
 * A row of a batch could not be folded. The rows before `index` were folded, the row itself left no
 * trace, and the rows after it were not tried.
 */
export class FoldError extends Error {
  override readonly name = 'FoldError';
  /** Index of the row in the columns that were passed. */
  readonly index: number;

  constructor(index: number, cause: unknown) {
    super(`row ${String(index)} of the batch cannot be folded: ${describe(cause)}`, { cause });
    this.index = index;
  }
}

/** Bytes that are no summary, or one of a version this program does not know. */
export class SummaryFormatError extends Error {
  override readonly name = 'SummaryFormatError';
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
