import { type CellAddress, regionAddress } from '../geo/s2.ts';
import type { UnitVector } from '../geo/sphere.ts';
import type { BatchedKMeans } from './batched-kmeans.ts';
import type { BoundedFeature, Doubt } from './bounds.ts';
import type { FeatureVisitor } from './feature-nodes.ts';
import { FeatureTree } from './feature-tree.ts';
import { MIN_FEATURE_LIMIT } from './feature-tree-format.ts';
import { UNIT_TOLERANCE } from './features.ts';
import type { FeatureSource } from './model-features.ts';
import { ROUNDING } from './rounding.ts';

/** Whatever was rounded on the way of a row into a center: in steps of `ROUNDING`, of vectors no longer than 1. */
const ROUNDED_PER_ROW = 32;
/** The same for a batch: the halves of a split cluster are moved apart. */
const ROUNDED_PER_BATCH = 256;
/** Weights are handed over in multiples of it where nothing is forgotten: their sums are exact in any order. */
const GRAIN = 2 ** -16;
/** A center that weighs less is left out: squares of it are still numbers. */
const LEAST_WEIGHT = 2 ** -400;
/** For what the discounts of the displaced weight were rounded. */
const DISCOUNTS_ROUNDED = 1 + 1e-3;

interface Center {
  readonly weight: number;
  readonly mean: UnitVector;
  readonly sse: number;
}

/**
 * The features of a region that follows Spark's rule: its centers that have weight, then the rows that wait for
 * their batch to be complete, each with weight 1.
 *
 * A center of weight n is the mean c of the rows that went to it, each counting as much as is left of it: the
 * rule changes weight and mean together. The rows are unit vectors, so their squared distances to c are
 * known too, though the rule does not keep them: `sum w |x - c|^2 = sum w |x|^2 - n |c|^2 = n (1 - |c|^2)`.
 *
 * What is not so exact is told with it. Each batch rounds: `drift`. A cluster that is given up leaves its weight
 * to the halves of another one: `displaced`. First centers that were given weight count like rows, wherever they
 * are.
 */
export class KMeansFeatures implements FeatureSource {
  readonly displaced: number;
  readonly #centers: readonly Center[];
  readonly #waiting: FeatureTree;
  /** Of all rows; undefined: some may be elsewhere. */
  readonly #cell: CellAddress | undefined;
  readonly #doubt: Doubt;

  constructor(state: BatchedKMeans) {
    const { batchRows, level, model, region, rows, waitingPoints, waitingRows, weighted } = state;
    const cell = regionAddress(region, level);
    const weights = model.decayFactor === 1 && !weighted ? inGrains(model.weights) : model.weights;
    const regrained = weights.reduce((sum, w, c) => sum + Math.abs(w - (model.weights[c] as number)), 0);
    this.displaced = DISCOUNTS_ROUNDED * state.displaced + regrained;
    this.#centers = centersOf(weights, model.centers);
    this.#cell = weighted ? undefined : cell;
    const folded = rows - waitingRows;
    const drift = ROUNDING * (ROUNDED_PER_ROW * folded + (ROUNDED_PER_BATCH * folded) / batchRows);
    // 1 - |c|^2 is off by 2 drift + drift^2 at most, and the weights are by less than another drift.
    this.#doubt = { drift, sse: UNIT_TOLERANCE + 4 * drift + drift * drift };
    this.#waiting = new FeatureTree(cell, Math.max(MIN_FEATURE_LIMIT, waitingRows));
    for (let at = 0; at < waitingPoints.length; at += 3) {
      const [x, y, z] = waitingPoints.subarray(at, at + 3) as unknown as UnitVector;
      this.#waiting.insert(x, y, z);
    }
  }

  get count(): number {
    return this.#centers.length + this.#waiting.count;
  }

  get memoryBytes(): number {
    return this.#centers.length * 64 + this.#waiting.memoryBytes;
  }

  forEachFeature(visit: FeatureVisitor): void {
    for (const { mean, sse, weight } of this.#centers) {
      visit(weight, ...mean, sse);
    }
    this.#waiting.forEachFeature(visit);
  }

  *cellFeatures(): Generator<BoundedFeature, undefined> {
    const [cell, doubt] = [this.#cell, this.#doubt];
    for (const center of this.#centers) {
      yield { ...center, cell, doubt };
    }
    yield* this.#waiting.cellFeatures();
  }
}

function centersOf(weights: Float64Array, centers: Float64Array): readonly Center[] {
  return Array.from(weights, (weight, c) => {
    const mean = [...centers.subarray(3 * c, 3 * c + 3)] as unknown as UnitVector;
    const squared = mean.reduce((sum, value) => sum + value * value, 0);
    return { weight, mean, sse: weight * Math.max(0, 1 - squared) };
  }).filter(({ weight }) => weight >= LEAST_WEIGHT);
}

/** Weights that are multiples of GRAIN and add up to the same whole number, each off by a grain at most. */
function inGrains(weights: Float64Array): Float64Array {
  let [running, given] = [0, 0];
  return weights.map((weight) => {
    running += weight;
    const upTo = Math.round(running / GRAIN) * GRAIN;
    const own = upTo - given;
    given = upTo;
    return own;
  });
}
