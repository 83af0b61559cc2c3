import type { FeatureColumns } from './features.ts';
import {
  accumulate,
  allocateAssignment,
  allocateCenters,
  type Assignment,
  assignRange,
  type Centers,
  clearSums,
  EVALUATIONS_PER_STEP,
  firstAbove,
  lowerRange,
  potentialRange,
} from './kmeans-passes.ts';
import { type Blocks, blocksOf, FEATURES_PER_BLOCK, Rivals } from './kmeans-blocks.ts';
import { createRandom, type Random } from './random.ts';
import { improveBySwaps, type Solution } from './swaps.ts';
import type { Steps } from './slices.ts';

export interface SearchOptions {
  /** Number of clusters asked for, at least 1. */
  readonly k: number;
  /** Independent seedings, each improved by itself; the best result wins. Default 4. */
  readonly seedings?: number;
  /** Whether what a seeding led to is improved by swaps of centers (`swaps.ts`). Default true. */
  readonly swaps?: boolean;
  /** Seed of the generator. Default 1. */
  readonly seed?: number;
  /** Centers of an earlier model, at most k: tried first, so that they win a tie. */
  readonly warmStart?: Centers;
}

export interface SearchResult {
  /** At most k centers, each nearest to at least one feature. */
  readonly centers: Centers;
  /** Sum over the features of SSE + weight * squared distance of the mean to its center. */
  readonly cost: number;
}

/** Evaluations between two yields of an assignment, which a live model also makes before the engine has compiled it. */
const ASSIGNMENT_PER_STEP = EVALUATIONS_PER_STEP / 4;
/** Starts of a search where nobody says how many. */
export const DEFAULT_SEEDINGS = 4;
/** To come below a cost is hopeless when so many steps like the last would not do. */
const PATIENCE = 4;
/** Far above what data needs; a bound on pathological inputs. */
const MAX_ITERATIONS = 1000;

/**
 * Weighted k-means over features: greedy k-means++ seeding (Arthur, Vassilvitskii: k-means++, SODA
 * 2007, with 2 + floor(ln k) candidates a center), then Lloyd's iteration until no feature moves, then the
 * same after moves of single centers (`swaps.ts`). A warm start is iterated only: it is to be fast.
 * The result is a pure function of the arguments, down to the last bit.
 *
 * Fewer distinct means than k give fewer centers. No features give none.
 * @throws RangeError when k is no positive integer or the warm start has more than k centers.
 */
export function* searchCenters(features: FeatureColumns, options: SearchOptions): Steps<SearchResult> {
  const { k, seedings = DEFAULT_SEEDINGS, seed = 1, swaps = true, warmStart } = options;
  if (!(Number.isInteger(k) && k >= 1)) {
    throw new RangeError(`k ${String(k)} is not a positive integer`);
  }
  if (warmStart !== undefined && warmStart.count > k) {
    throw new RangeError(`the warm start has ${String(warmStart.count)} centers, more than k ${String(k)}`);
  }
  const sse = totalSse(features);
  let best: SearchResult = { centers: allocateCenters(0), cost: Infinity };
  if (features.count === 0) {
    return { centers: best.centers, cost: 0 };
  }
  const search = new Search(yield* blocksOf(features), k);
  for (let run = warmStart === undefined || warmStart.count === 0 ? 0 : -1; run < seedings; run++) {
    // Stream 0 is the warm start's.
    const random = createRandom(seed, run + 1);
    const seeded = yield* search.run(random, run < 0 ? warmStart : undefined);
    const found = swaps && run >= 0 ? yield* search.improve(seeded, random) : seeded;
    if (found.cost + sse < best.cost) {
      best = { centers: found.centers, cost: found.cost + sse };
    }
  }
  return best;
}

/**
 * Assigns every feature to its nearest center.
 * The sums are those of one assignment pass, `totals[0]` being the cost without the features' SSE.
 */
export function* assignFeatures(features: FeatureColumns, centers: Centers): Steps<Assignment> {
  const assignment = allocateAssignment(features.count, centers.count);
  yield* assignAll(yield* blocksOf(features), centers, assignment);
  return assignment;
}

/** What `searchCenters` would say that these centers cost. */
export function* costOf(features: FeatureColumns, centers: Centers): Steps<number> {
  const { totals } = yield* assignFeatures(features, centers);
  return (totals[0] as number) + totalSse(features);
}

function totalSse({ count, sse }: FeatureColumns): number {
  let total = 0;
  for (let f = 0; f < count; f++) {
    total += sse[f] as number;
  }
  return total;
}

function* assignAll(blocks: Blocks, centers: Centers, into: Assignment): Steps<void> {
  const { features } = blocks;
  const rivals = new Rivals(blocks, centers);
  clearSums(into);
  let evaluations = 0;
  for (let block = 0; block < blocks.count; block++) {
    const left = rivals.left(block);
    const from = block * FEATURES_PER_BLOCK;
    const to = Math.min(features.count, from + FEATURES_PER_BLOCK);
    assignRange(features, centers, rivals.indices, left, into, from, to);
    evaluations += centers.count + left * (to - from);
    if (evaluations >= ASSIGNMENT_PER_STEP) {
      evaluations = 0;
      yield;
    }
  }
}

class Search {
  private readonly blocks: Blocks;
  private readonly features: FeatureColumns;
  private readonly k: number;
  private readonly assignment: Assignment;
  private readonly cumulative: Float64Array;

  constructor(blocks: Blocks, k: number) {
    const { features } = blocks;
    this.blocks = blocks;
    this.features = features;
    this.k = k;
    this.assignment = allocateAssignment(features.count, k);
    this.cumulative = new Float64Array(features.count);
  }

  *run(random: Random, start: Centers | undefined): Steps<Solution> {
    const seeded = yield* this.seed(random, start);
    return yield* this.iterate(seeded);
  }

  /** The same or better, by swaps of centers. */
  *improve(found: Solution, random: Random): Steps<Solution> {
    if (found.centers.count === 1) {
      return found;
    }
    return yield* improveBySwaps(this.features, found, random, (centers, below) =>
      this.iterate(centers, below),
    );
  }

  /** Greedy k-means++, going on from the given centers. */
  private *seed(random: Random, start: Centers | undefined): Steps<Centers> {
    const { features, k, cumulative } = this;
    const { count } = features;
    const { distance } = this.assignment;
    const centers = allocateCenters(k);
    const candidates = 2 + Math.floor(Math.log(k));
    const sum = new Float64Array(1);
    distance.fill(Infinity);
    // Where all are given no other is drawn by its distance to them.
    const missing = (start?.count ?? 0) < k;
    let chosen = 0;
    const choose = (x: number, y: number, z: number): void => {
      centers.x[chosen] = x;
      centers.y[chosen] = y;
      centers.z[chosen] = z;
      chosen++;
      if (missing) {
        lowerRange(features, distance, x, y, z, 0, count);
      }
    };
    const chooseFeature = (f: number): void => {
      choose(features.x[f] as number, features.y[f] as number, features.z[f] as number);
    };
    if (start === undefined) {
      chooseFeature(firstAbove(cumulative, random() * accumulate(features.weight, undefined, cumulative)));
    } else {
      for (let c = 0; c < start.count; c++) {
        choose(start.x[c] as number, start.y[c] as number, start.z[c] as number);
        yield;
      }
    }
    while (chosen < k) {
      const total = accumulate(features.weight, distance, cumulative);
      if (total === 0) {
        break;
      }
      let best = -1;
      let least = Infinity;
      for (let candidate = 0; candidate < candidates; candidate++) {
        const f = firstAbove(cumulative, random() * total);
        sum[0] = 0;
        for (let from = 0; from < count; from += EVALUATIONS_PER_STEP) {
          potentialRange(features, distance, f, sum, from, Math.min(count, from + EVALUATIONS_PER_STEP));
          yield;
        }
        const potential = sum[0];
        if (potential < least) {
          least = potential;
          best = f;
        }
      }
      chooseFeature(best);
    }
    return { ...centers, count: chosen };
  }

  /**
   * Lloyd's iteration, in place; stops when no feature moves or rounding ends the descent, or when it would hardly
   * come below a cost.
   */
  private *iterate(centers: Centers, below = Infinity): Steps<Solution> {
    const { assignment } = this;
    assignment.cluster.fill(-1);
    let before = Infinity;
    for (let iteration = 1; ; iteration++) {
      yield* assignAll(this.blocks, centers, assignment);
      const cost = assignment.totals[0] as number;
      const hopeless = cost - PATIENCE * (before - cost) > below;
      if (assignment.totals[1] === 0 || !(cost < before) || hopeless || iteration >= MAX_ITERATIONS) {
        return { centers: withoutEmpty(centers, assignment), cost };
      }
      before = cost;
      this.update(centers);
    }
  }

  /** Moves each center to the mean of its features; one without any first takes the costliest feature. */
  private update(centers: Centers): void {
    const { weight, dx, dy, dz } = this.assignment;
    for (let c = 0; c < centers.count; c++) {
      if (weight[c] === 0) {
        this.reseed(centers, c);
      }
    }
    for (let c = 0; c < centers.count; c++) {
      const w = weight[c] as number;
      if (w > 0) {
        centers.x[c] = (centers.x[c] as number) + (dx[c] as number) / w;
        centers.y[c] = (centers.y[c] as number) + (dy[c] as number) / w;
        centers.z[c] = (centers.z[c] as number) + (dz[c] as number) / w;
      }
    }
  }

  /** Gives an empty center the costliest feature, unless that would only move the emptiness. */
  private reseed(centers: Centers, empty: number): void {
    const { features } = this;
    const { weight, dx, dy, dz, cluster, distance } = this.assignment;
    const f = this.costliest();
    const from = cluster[f] as number;
    const w = features.weight[f] as number;
    if (distance[f] === 0 || (weight[from] as number) <= w) {
      return;
    }
    const x = features.x[f] as number;
    const y = features.y[f] as number;
    const z = features.z[f] as number;
    dx[from] = (dx[from] as number) - w * (x - (centers.x[from] as number));
    dy[from] = (dy[from] as number) - w * (y - (centers.y[from] as number));
    dz[from] = (dz[from] as number) - w * (z - (centers.z[from] as number));
    weight[from] = (weight[from] as number) - w;
    centers.x[empty] = x;
    centers.y[empty] = y;
    centers.z[empty] = z;
    weight[empty] = w;
    cluster[f] = empty;
    distance[f] = 0;
  }

  /** Feature with the greatest share of the cost, the first of equals. */
  private costliest(): number {
    const { weight } = this.features;
    const { distance } = this.assignment;
    let best = 0;
    let most = -1;
    for (let f = 0; f < this.features.count; f++) {
      const cost = (weight[f] as number) * (distance[f] as number);
      if (cost > most) {
        most = cost;
        best = f;
      }
    }
    return best;
  }
}

function withoutEmpty(centers: Centers, assignment: Assignment): Centers {
  const kept = Array.from({ length: centers.count }, (_, c) => c).filter((c) => assignment.weight[c] !== 0);
  const pick = (column: Float64Array): Float64Array => Float64Array.from(kept, (c) => column[c] as number);
  return { count: kept.length, x: pick(centers.x), y: pick(centers.y), z: pick(centers.z) };
}
