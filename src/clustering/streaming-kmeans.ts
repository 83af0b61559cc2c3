import { InvalidPointError } from './features.ts';
import { gaussianCenters, seedCenters } from './first-centers.ts';
import { fusedMultiplyAdd } from './fused.ts';
import { NearestCenter } from './nearest-center.ts';
import { SparkRandom } from './spark-random.ts';
import {
  decodeStreamingKMeans,
  encodeStreamingKMeans,
  isCoordinate,
  isWeight,
  MAX_CENTERS,
  MAX_COORDINATE,
  MAX_DIMENSION,
  type StreamingKMeansState,
  type TimeUnit,
} from './streaming-kmeans-format.ts';

/** A cluster dies when its weight falls below this share of the greatest. */
const DYING_SHARE = 1e-8;

/** The halves of a split cluster move apart by this share of each coordinate, or of 1 if that is more. */
const SPLIT_SHARE = 1e-14;

/** Least divisor of the share of a batch in a cluster. */
const LEAST_WEIGHT = 1e-16;

/** How the weight of the past shrinks: by a factor in [0, 1], or to the half in a number of units. */
export type Forgetting =
  | { readonly decayFactor: number; readonly timeUnit: TimeUnit }
  | { readonly halfLife: number; readonly timeUnit: TimeUnit };

/**
 * Where the first centers come from:
 * - `random`: standard normal coordinates, the numbers of Spark's `setRandomCenters`, each center with
 *   `weight`. Blind to the data: for positions in degrees or on the unit sphere a poor start.
 * - `given`: k rows of coordinates, and k weights.
 * - `data`: drawn from the first batch that has points by k-means++ (`seedCenters`), with weight 0; not
 *   known to Spark.
 *
 * A seed is a safe integer.
 */
export type FirstCenters =
  | { readonly from: 'random'; readonly seed: number; readonly weight: number }
  | { readonly from: 'given'; readonly centers: Float64Array; readonly weights: Float64Array }
  | { readonly from: 'data'; readonly seed: number };

export interface StreamingKMeansOptions {
  /** Number of clusters, in [1, MAX_CENTERS]. */
  readonly k: number;
  /** Number of coordinates of a point, in [1, MAX_DIMENSION]. */
  readonly dimension: number;
  readonly forgetting: Forgetting;
  readonly firstCenters: FirstCenters;
}

/**
 * The rule of Apache Spark MLlib's `StreamingKMeansModel` (as of 3.5): mini-batch k-means with
 * forgetting. Each point of a batch goes to its nearest center; then the weights n shrink by the
 * discount, and a center c that m points with the mean x went to becomes (c n + x m) / (n + m), with
 * weight n + m. A cluster whose weight falls below 1e-8 of the greatest is given up: the heaviest one is
 * split in its place, one such pair a batch. Spark's documentation ("Streaming k-means" in the guide of
 * `spark.mllib`) has the formulas.
 *
 * Equal to Spark on Java 11 or newer, whose linear algebra fuses multiplication and addition, where the
 * batch is one partition there, which fixes the order of its sums: to the last bit with a decay by
 * batches, and but for the rounding of one power with a decay by points. Weights are decayed numbers of
 * points, centers are means: points must not wrap around (use unit vectors, not degrees). Not k-means of
 * the stream: the result depends on the first centers and on the batches.
 */
export class StreamingKMeans {
  readonly k: number;
  readonly dimension: number;
  /** Discount of the past for each unit of `timeUnit`, in [0, 1]. */
  readonly decayFactor: number;
  readonly timeUnit: TimeUnit;
  /** k rows of `dimension` coordinates, changed in place by `update`; zeros while not `started`. */
  readonly centers: Float64Array;
  /** The weight of each center. */
  readonly weights: Float64Array;
  private seed: number | undefined;
  /** Made for the centers as they are; undefined when they have moved since. */
  private search: NearestCenter | undefined;

  private constructor(state: StreamingKMeansState) {
    this.k = state.k;
    this.dimension = state.dimension;
    this.decayFactor = state.decayFactor;
    this.timeUnit = state.timeUnit;
    this.seed = state.seed;
    this.centers = state.centers;
    this.weights = state.weights;
  }

  /** @throws RangeError for an option out of its range, or centers and weights of another shape. */
  static create(options: StreamingKMeansOptions): StreamingKMeans {
    const { k, dimension, forgetting } = options;
    checkCount('k', k, MAX_CENTERS);
    checkCount('dimension', dimension, MAX_DIMENSION);
    const decayFactor = decayFactorOf(forgetting);
    return new StreamingKMeans({
      k,
      dimension,
      decayFactor,
      timeUnit: forgetting.timeUnit,
      ...firstState(options),
    });
  }

  /** Whether there are centers: always, but with those from data before the first point. */
  get started(): boolean {
    return this.seed === undefined;
  }

  /**
   * Takes one batch: the first `count` rows of `points`, `dimension` coordinates each. An empty batch
   * counts as a batch: it discounts the weights when the unit is batches, and may split a cluster.
   * @returns the weight of a cluster that was given up and now counts where another one was split; else 0.
   * @throws InvalidPointError when a coordinate is not a number of at most MAX_COORDINATE; nothing changed.
   * @throws RangeError when there are fewer than `count` rows.
   */
  update(points: Float64Array, count: number): number {
    const { k, dimension } = this;
    this.checkPoints(points, count);
    if (this.seed !== undefined) {
      if (count === 0) {
        return 0;
      }
      this.centers.set(seedCenters(points, count, k, dimension, new SparkRandom(this.seed)));
      this.seed = undefined;
    }
    const sums = new Float64Array(k * dimension);
    const counts = new Float64Array(k);
    const search = new NearestCenter(this.centers, dimension);
    const rowsEnd = count * dimension;
    for (let at = 0; at < rowsEnd; at += dimension) {
      const nearest = search.find(points, at);
      counts[nearest] = (counts[nearest] as number) + 1;
      const into = nearest * dimension;
      for (let j = 0; j < dimension; j++) {
        sums[into + j] = (sums[into + j] as number) + (points[at + j] as number);
      }
    }
    this.search = undefined;
    this.move(sums, counts, this.discountOf(count));
    return this.splitForDying();
  }

  /** By what a batch of so many points multiplies the weight of what was before it. */
  discountOf(count: number): number {
    return this.timeUnit === 'batches' ? this.decayFactor : this.decayFactor ** count;
  }

  /**
   * Index of the center nearest to the point whose coordinates begin at `point[at]`, ties to the lowest.
   * @throws InvalidPointError when a coordinate is missing or not a number of at most MAX_COORDINATE.
   * @throws Error when there are no centers yet.
   */
  predict(point: Float64Array, at = 0): number {
    if (!this.started) {
      throw new Error('there are no centers before the first point');
    }
    for (let j = at; j < at + this.dimension; j++) {
      checkCoordinate(point[j] ?? Number.NaN);
    }
    this.search ??= new NearestCenter(this.centers, this.dimension);
    return this.search.find(point, at);
  }

  /** The exact state (`streaming-kmeans-format.ts`); equal states give equal bytes. */
  encode(): Uint8Array {
    const { k, dimension, decayFactor, timeUnit, seed, centers, weights } = this;
    return encodeStreamingKMeans({ k, dimension, decayFactor, timeUnit, seed, centers, weights });
  }

  /**
   * What `encode` wrote, to the bit: it goes on as the written one would have.
   * @throws SummaryFormatError when the bytes are damaged or of an unknown version.
   */
  static decode(bytes: Uint8Array): StreamingKMeans {
    return new StreamingKMeans(decodeStreamingKMeans(bytes));
  }

  private checkPoints(points: Float64Array, count: number): void {
    const values = count * this.dimension;
    if (!(Number.isSafeInteger(count) && count >= 0 && values <= points.length)) {
      throw new RangeError(`there are no ${String(count)} rows in ${String(points.length)} coordinates`);
    }
    for (let at = 0; at < values; at++) {
      checkCoordinate(points[at] as number);
    }
  }

  /** Discounts the weights and moves each center towards the mean of its points. */
  private move(sums: Float64Array, counts: Float64Array, discount: number): void {
    const { k, dimension, centers, weights } = this;
    for (let c = 0; c < k; c++) {
      weights[c] = (weights[c] as number) * discount;
      const count = counts[c] as number;
      if (count === 0) {
        continue;
      }
      const weight = (weights[c] as number) + count;
      const share = count / Math.max(weight, LEAST_WEIGHT);
      weights[c] = weight;
      for (let at = c * dimension; at < (c + 1) * dimension; at++) {
        const kept = (1 - share) * (centers[at] as number);
        centers[at] = fusedMultiplyAdd(share / count, sums[at] as number, kept);
      }
    }
  }

  /**
   * Splits the heaviest cluster (the first such) in the place of the lightest when that is dying.
   * @returns what that one weighed.
   */
  private splitForDying(): number {
    const { k, dimension, centers, weights } = this;
    let heaviest = 0;
    let lightest = 0;
    for (let c = 1; c < k; c++) {
      if ((weights[c] as number) > (weights[heaviest] as number)) {
        heaviest = c;
      }
      if ((weights[c] as number) < (weights[lightest] as number)) {
        lightest = c;
      }
    }
    const most = weights[heaviest] as number;
    const least = weights[lightest] as number;
    if (least >= DYING_SHARE * most) {
      return 0;
    }
    weights[heaviest] = (most + least) / 2;
    weights[lightest] = (most + least) / 2;
    for (let j = 0; j < dimension; j++) {
      const x = centers[heaviest * dimension + j] as number;
      const apart = SPLIT_SHARE * Math.max(Math.abs(x), 1);
      centers[heaviest * dimension + j] = x + apart;
      centers[lightest * dimension + j] = x - apart;
    }
    return least;
  }
}

function decayFactorOf(forgetting: Forgetting): number {
  if ('halfLife' in forgetting) {
    const { halfLife } = forgetting;
    if (!(halfLife > 0 && halfLife < Infinity)) {
      throw new RangeError(`half-life ${String(halfLife)} is not a positive number`);
    }
    return Math.exp(Math.log(0.5) / halfLife);
  }
  const { decayFactor } = forgetting;
  if (!(decayFactor >= 0 && decayFactor <= 1)) {
    throw new RangeError(`decay factor ${String(decayFactor)} is not in [0, 1]`);
  }
  return decayFactor;
}

function firstState({
  k,
  dimension,
  firstCenters,
}: StreamingKMeansOptions): Pick<StreamingKMeansState, 'centers' | 'weights' | 'seed'> {
  switch (firstCenters.from) {
    case 'random': {
      checkWeight(firstCenters.weight);
      const centers = gaussianCenters(k, dimension, new SparkRandom(firstCenters.seed));
      return { centers, weights: new Float64Array(k).fill(firstCenters.weight), seed: undefined };
    }
    case 'given': {
      const { centers, weights } = firstCenters;
      if (centers.length !== k * dimension || weights.length !== k) {
        throw new RangeError(
          `${String(centers.length)} coordinates and ${String(weights.length)} weights are not ${String(k)} centers of ${String(dimension)} coordinates`,
        );
      }
      centers.forEach(checkCoordinate);
      weights.forEach(checkWeight);
      return { centers: centers.slice(), weights: weights.slice(), seed: undefined };
    }
    case 'data':
      if (!Number.isSafeInteger(firstCenters.seed)) {
        throw new RangeError(`seed ${String(firstCenters.seed)} is not a safe integer`);
      }
      return {
        centers: new Float64Array(k * dimension),
        weights: new Float64Array(k),
        seed: firstCenters.seed,
      };
  }
}

function checkCount(what: string, value: number, most: number): void {
  if (!(Number.isInteger(value) && value >= 1 && value <= most)) {
    throw new RangeError(`${what} ${String(value)} is not an integer in [1, ${String(most)}]`);
  }
}

function checkCoordinate(value: number): void {
  if (!isCoordinate(value)) {
    throw new InvalidPointError(
      `coordinate ${String(value)} is not a number of at most ${String(MAX_COORDINATE)}`,
    );
  }
}

function checkWeight(weight: number): void {
  if (!isWeight(weight)) {
    throw new RangeError(`weight ${String(weight)} is not a finite number from 0 on`);
  }
}
