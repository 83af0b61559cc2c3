import type { FeatureColumns } from './features.ts';
import { accumulate, type Centers, EVALUATIONS_PER_STEP, firstAbove } from './kmeans-passes.ts';
import type { Random } from './random.ts';
import type { Steps } from './slices.ts';

/** Centers, and the weighted squared distances to them: a cost without the features' own SSE. */
export interface Solution {
  readonly centers: Centers;
  readonly cost: number;
}

/** Lloyd's iteration from given centers, which it moves. It may end early where it would hardly come below a cost. */
export type Iterate = (centers: Centers, below: number) => Steps<Solution>;

/** So many swaps one after another must fail before no more are tried. */
const MOST_FAILURES = 10;
/** Features drawn for each swap; the best is tried. */
const CANDIDATES = 4;
/** A lesser share of the cost is no gain but rounding. */
const LEAST_GAIN = 1e-9;

/**
 * Leaves local optima of Lloyd's iteration: a center moves to another place, all are iterated, and what comes out
 * is kept if it is better. Where to is drawn among the features by their share of the cost, and the center is the
 * one whose move costs least, both as in the local search of Lattanzi and Sohler (A better k-means++ algorithm via
 * local search, ICML 2019, algorithm 2). It is judged after Lloyd's iteration and not before: Conrads, Drexler,
 * Koenen, Schmidt, Schmidt: Local search k-means++ with foresight, SEA 2024.
 *
 * A pure function of its arguments. The result costs no more than `start`.
 */
export function* improveBySwaps(
  features: FeatureColumns,
  start: Solution,
  random: Random,
  iterate: Iterate,
): Steps<Solution> {
  const swaps = new Swaps(features);
  let best = start;
  yield* swaps.measure(best.centers);
  for (let failures = 0; failures < MOST_FAILURES && best.cost > 0; failures++) {
    const swap = yield* swaps.draw(random);
    const below = best.cost * (1 - LEAST_GAIN);
    const found = yield* iterate(swapped(features, best.centers, swap), below);
    if (found.cost < below) {
      best = found;
      failures = -1;
      yield* swaps.measure(best.centers);
    }
  }
  return best;
}

/** The center moves to the feature. */
interface Swap {
  readonly feature: number;
  readonly center: number;
}

/** A copy of the centers with one of them moved. */
function swapped({ x, y, z }: FeatureColumns, centers: Centers, { center, feature }: Swap): Centers {
  const copy = { count: centers.count, x: centers.x.slice(), y: centers.y.slice(), z: centers.z.slice() };
  copy.x[center] = x[feature] as number;
  copy.y[center] = y[feature] as number;
  copy.z[center] = z[feature] as number;
  return copy;
}

/** What swaps of centers would cost before any center moves. */
class Swaps {
  readonly #features: FeatureColumns;
  /** Of each feature the nearest center, and the squared distances to it and to the second nearest. */
  readonly #cluster: Int32Array;
  readonly #first: Float64Array;
  readonly #second: Float64Array;
  readonly #cumulative: Float64Array;
  #count = 0;

  constructor(features: FeatureColumns) {
    const { count } = features;
    this.#features = features;
    this.#cluster = new Int32Array(count);
    this.#first = new Float64Array(count);
    this.#second = new Float64Array(count);
    this.#cumulative = new Float64Array(count);
  }

  /** Takes these centers for those that are to be swapped. */
  *measure(centers: Centers): Steps<void> {
    this.#count = centers.count;
    const { count } = this.#features;
    const step = Math.ceil(EVALUATIONS_PER_STEP / centers.count);
    for (let from = 0; from < count; from += step) {
      this.#measureRange(centers, from, Math.min(count, from + step));
      yield;
    }
  }

  #measureRange({ count, x: cx, y: cy, z: cz }: Centers, from: number, to: number): void {
    const { x, y, z } = this.#features;
    for (let f = from; f < to; f++) {
      const fx = x[f] as number;
      const fy = y[f] as number;
      const fz = z[f] as number;
      let nearest = 0;
      let first = Infinity;
      let second = Infinity;
      for (let c = 0; c < count; c++) {
        const ex = fx - (cx[c] as number);
        const ey = fy - (cy[c] as number);
        const ez = fz - (cz[c] as number);
        const d = ex * ex + ey * ey + ez * ez;
        if (d < first) {
          second = first;
          first = d;
          nearest = c;
        } else {
          second = Math.min(second, d);
        }
      }
      this.#cluster[f] = nearest;
      this.#first[f] = first;
      this.#second[f] = second;
    }
  }

  /** The best swap to one of a few features, drawn by their share of the cost. */
  *draw(random: Random): Steps<Swap> {
    const total = accumulate(this.#features.weight, this.#first, this.#cumulative);
    let swap: Swap = { feature: 0, center: 0 };
    let least = Infinity;
    for (let candidate = 0; candidate < CANDIDATES; candidate++) {
      const feature = firstAbove(this.#cumulative, random() * total);
      const { center, cost } = yield* this.#best(feature);
      if (cost < least) {
        least = cost;
        swap = { feature, center };
      }
    }
    return swap;
  }

  /**
   * Which center is best moved to a feature, and the cost then. Features of the one that goes fall to their second
   * nearest, or to the new one (Resende, Werneck: A fast swap-based local search procedure for location problems,
   * Annals of Operations Research 2007): one pass tells it for all centers.
   */
  *#best(feature: number): Steps<{ readonly center: number; readonly cost: number }> {
    const { count } = this.#features;
    /** By how much more each center's features cost without it. */
    const losses = new Float64Array(this.#count);
    let cost = 0;
    for (let from = 0; from < count; from += EVALUATIONS_PER_STEP) {
      cost += this.#costWith(feature, losses, from, Math.min(count, from + EVALUATIONS_PER_STEP));
      yield;
    }
    const least = losses.reduce((most, loss) => Math.min(most, loss), Infinity);
    return { center: losses.indexOf(least), cost: cost + least };
  }

  /** What the features of a range cost with one more center; adds to the losses without each of the others. */
  #costWith(feature: number, losses: Float64Array, from: number, to: number): number {
    const { weight, x, y, z } = this.#features;
    const px = x[feature] as number;
    const py = y[feature] as number;
    const pz = z[feature] as number;
    let cost = 0;
    for (let f = from; f < to; f++) {
      const ex = (x[f] as number) - px;
      const ey = (y[f] as number) - py;
      const ez = (z[f] as number) - pz;
      const d = ex * ex + ey * ey + ez * ez;
      const w = weight[f] as number;
      const kept = Math.min(this.#first[f] as number, d);
      const c = this.#cluster[f] as number;
      cost += w * kept;
      losses[c] = (losses[c] as number) + w * (Math.min(this.#second[f] as number, d) - kept);
    }
    return cost;
  }
}
