import type { CellAddress } from '../geo/s2.ts';
import type { UnitVector } from '../geo/sphere.ts';
import { CellRivals, type CenterSet, Descent, type Patch } from './cell-rivals.ts';
import { type Effort, greatestExcess, greatestExcessOfAny, Leads, THOROUGH } from './excess.ts';
import { OPERATIONS, ROUNDING } from './rounding.ts';
import type { Steps } from './slices.ts';

/** Between these lies the cost of the raw rows: of each its squared chord to the nearest of the centers. */
export interface CostBounds {
  readonly lower: number;
  readonly upper: number;
}

/** What is known of the rows behind a feature. */
export type BoundedFeature = ConfinedFeature | ScatteredFeature;

interface ConfinedFeature {
  readonly weight: number;
  readonly mean: UnitVector;
  readonly sse: number;
  /** All rows are in it. */
  readonly cell: CellAddress;
  /** Undefined: the rows count 1 each, and only their merging (`FeatureTree`) was rounded. */
  readonly doubt?: Doubt | undefined;
}

interface ScatteredFeature extends Omit<ConfinedFeature, 'cell'> {
  /** The rows may be anywhere. */
  readonly cell: undefined;
  readonly doubt: Doubt;
}

/** Of rows that count any amount each: how far mean and SSE may be from theirs. */
export interface Doubt {
  /** Length of the error of the mean. */
  readonly drift: number;
  /** Error of the SSE, for each unit of weight. */
  readonly sse: number;
}

export interface CostTerms {
  cellFeatures(): Iterable<BoundedFeature>;
  /** Of the weight of the features: so much may be that of rows that are elsewhere. Default 0. */
  readonly displaced?: number;
}

/** Rows that were folded one by one, and how much each of them counts. */
export interface CostSource {
  readonly tree: CostTerms;
  /** 0, or between 1e-200 and 1e100. Default 1. */
  readonly factor?: number;
}

/** Centers nearer to each other than this are one, and a feature's cost is not known better. */
const UNDERFLOW = 1e-60;
/** Distances between two yields: about an eighth of a millisecond, and ten times that before the engine compiles them. */
export const DISTANCES_PER_STEP = 10_000;
/** Squared chord of antipodes, and more than any row's to its nearest center inside the unit ball. */
const FARTHEST = 4 * (1 + 1e-6);
/** What a feature takes beside its distances, in distances. */
export const FEATURE_WORK = 50;
/** What `greatestExcessOfAny` takes a lead, in distances. */
const EXCESS_WORK = 500;

/**
 * Bounds of the cost of the rows that the trees were made of, one by one and each of weight 1, or by absorbing
 * trees made like that (not of features given by their means, whose rows may be outside the mean's cell), with
 * respect to `centers`, none longer than 1000 (than 1, where weight is `displaced`): the sum over the trees of
 * `factor` times the rows' squared chords.
 * They hold for certain: what was merged in the trees, and rounding, are in them, outwards.
 *
 * The rows of a feature (weight w, mean m, SSE e) would cost exactly `w |m - c|^2 + e` at the center c that is
 * nearest to m (Huygens and Steiner). They cost no more than that. They cost less where another center r is
 * nearer, by the lead of r over c (`CellRivals`), which is linear in the row: its mean over the rows is
 * `-d = |m - c|^2 - |m - r|^2`, and its variance at most `4 |r - c|^2 e / w`, as if all rows were on a line
 * in that direction. What can be saved on average, the mean of the greatest of 0 and the leads, is at most
 * what `greatestExcess` and `greatestExcessOfAny` make of it, and of the greatest lead at any row. All rows
 * are in two places:
 * - in a ball around m with the radius sqrt(e (w - 1) / w): a row at the distance s of the mean of all w
 *   leaves its part of the SSE to the others, `s^2 w / (w - 1) <= e` (Samuelson 1968, for sums of squares);
 * - in the feature's S2 cell.
 *
 * A center that leads nowhere in one of the two saves nothing. If all others are like that, the rows'
 * cost is certain. What leads nowhere in a cell does not do so in the cells inside: on the way down the tree
 * the centers become fewer.
 *
 * Of rows that do not count the same nothing is known but mean, SSE and cell: the first of the two places is
 * left out. Without a cell there is only the triangle inequality: a row is as near to its nearest center as m
 * is to its own, give or take the row's distance to m, and by Minkowski so are the roots of the weighted sums of
 * squares: the rows cost at least `(sqrt(w |m - c|^2) - sqrt(e))^2`.
 */
export function* costBoundsOf(
  sources: readonly CostSource[],
  centers: readonly UnitVector[],
): Steps<CostBounds> {
  if (centers.length === 0) {
    return { lower: 0, upper: 0 };
  }
  const rivals = new CellRivals(centers);
  const descent = new Descent(rivals);
  const sums = { lower: 0, upper: 0, slack: 0 };
  let features = 0;
  let step = DISTANCES_PER_STEP;
  for (const { factor = 1, tree } of sources) {
    descent.begin();
    sums.slack += factor * FARTHEST * (tree.displaced ?? 0);
    for (const feature of tree.cellFeatures()) {
      const left = feature.cell === undefined ? rivals.everyone : descent.enter(feature.cell);
      const [x, y, z] = feature.mean;
      VALUES[0] = feature.weight;
      VALUES[1] = x;
      VALUES[2] = y;
      VALUES[3] = z;
      VALUES[4] = feature.sse;
      addFeature(sums, rivals, left, VALUES, feature, factor, THOROUGH);
      features++;
      if (rivals.distances + features * FEATURE_WORK >= step) {
        step += DISTANCES_PER_STEP;
        yield;
      }
    }
  }
  return widened(sums, features);
}

/** The bounds, of which each of the sums was rounded once a feature. */
export function widened({ lower, slack, upper }: BoundSums, features: number): CostBounds {
  const all = slack + (features + OPERATIONS) * ROUNDING * upper;
  return { lower: Math.max(0, lower - all), upper: upper + all };
}

/**
 * What is not known of a feature that was merged from so many rows at most, which do not count the same. A mean
 * is wrong as in a tree; so is the root of the SSE, where a row of weight a is on the lesser side of
 * log2(weight / a) merges at most, and the mean of that over the rows is an entropy: at most log2(rows).
 */
export function doubtOf(rows: number, weight: number, sse: number): Doubt {
  const drift = driftOf(rows);
  const blur = Math.sqrt(1 + Math.log2(rows)) * drift;
  return { drift, sse: 4 * blur * (Math.sqrt(sse / weight) + blur) };
}

export interface BoundSums {
  lower: number;
  upper: number;
  /** By how much each of them may be wrong, because the features and their terms were rounded. */
  slack: number;
}

/** Where the rows of a feature are for certain, and how well it is known. */
type Whereabouts = Pick<ConfinedFeature, 'cell' | 'doubt'> | Pick<ScatteredFeature, 'cell' | 'doubt'>;

/**
 * Adds a feature whose rows each have their nearest center among `left`; returns that nearest to their mean.
 * @param feature weight, mean x, y, z, SSE
 */
export function addFeature(
  sums: BoundSums,
  rivals: CellRivals,
  left: CenterSet,
  feature: Float64Array,
  { cell, doubt }: Whereabouts,
  factor: number,
  effort: Effort,
): number {
  const own = rivals.nearest(left, feature, 1);
  const squared = rivals.squared[own] as number;
  const weight = feature[0] as number;
  const sse = feature[4] as number;
  findErrors(feature, doubt);
  const drift = ERRORS[DRIFT] as number;
  const cost = weight * squared + sse;
  let saved = 0;
  if (left.count > 1) {
    saved =
      cell === undefined
        ? cost - leastAnywhere(weight, squared)
        : weight * mostSaved(rivals, left, own, weight, cell, doubt, effort);
  }
  sums.lower += factor * Math.max(0, cost - saved);
  sums.upper += factor * cost;
  sums.slack +=
    factor *
    (weight * drift * (2 * Math.sqrt(squared) + drift) +
      (ERRORS[SSE] as number) +
      OPERATIONS * ROUNDING * (cost + saved) +
      UNDERFLOW);
  return own;
}

/** The feature to add, where it comes as an object. */
const VALUES = new Float64Array(5);
/** Of the feature that is being added: as an object's fields and as arguments the engine would box doubles. */
const ERRORS = new Float64Array(3);
/** Those over its own center. */
const LEADS = new Leads();
/** How far the mean may be from that of the rows. */
const DRIFT = 0;
/** The root of the SSE is at most this. */
const SPREAD = 1;
/** By how much the SSE may be wrong. */
const SSE = 2;

function findErrors(feature: Float64Array, doubt: Doubt | undefined): void {
  const weight = feature[0] as number;
  const sse = feature[4] as number;
  if (doubt !== undefined) {
    const wrong = weight * doubt.sse;
    ERRORS[DRIFT] = doubt.drift;
    ERRORS[SPREAD] = Math.sqrt(sse + wrong);
    ERRORS[SSE] = wrong;
    return;
  }
  const drift = driftOf(weight);
  // By how much the root of the SSE may be wrong: Cauchy and Schwarz over at most weight - 1 merges, in
  // which the lesser weights add up to no more than weight * log2(weight).
  const blur = Math.sqrt(weight * (1 + Math.log2(weight))) * drift;
  const spread = Math.sqrt(sse) + blur;
  ERRORS[DRIFT] = drift;
  ERRORS[SPREAD] = spread;
  ERRORS[SSE] = 4 * blur * spread;
}

/** What rows cost at least whose mean has this squared distance to its nearest center, wherever they are. */
function leastAnywhere(weight: number, squared: number): number {
  const [drift, spread] = ERRORS as unknown as readonly [number, number];
  return Math.max(0, Math.sqrt(weight) * (Math.sqrt(squared) - drift) - spread) ** 2;
}

/** What a row saves at most, on average, by going to the nearest of `left` and not to `own`. */
function mostSaved(
  rivals: CellRivals,
  left: CenterSet,
  own: number,
  weight: number,
  cell: CellAddress,
  doubt: Doubt | undefined,
  effort: Effort,
): number {
  const drift = ERRORS[DRIFT] as number;
  const spread = ERRORS[SPREAD] as number;
  // Samuelson's ball is one of rows that count the same.
  const radius = doubt === undefined ? spread * Math.sqrt((weight - 1) / weight) : Infinity;
  const variance = (spread * spread) / weight;
  const squared = rivals.squared[own] as number;
  LEADS.clear();
  let patch: Patch | undefined;
  let sum = 0;
  let worst = 0;
  for (let one = 0; one < left.count; one++) {
    const rival = left.list[one] as number;
    const steep = 2 * rivals.apart(rival, own) * (1 + OPERATIONS * ROUNDING);
    if (steep < UNDERFLOW) {
      continue;
    }
    const theirs = rivals.squared[rival] as number;
    const below = theirs - squared;
    // By how much -below may be wrong as the mean of the leads.
    const wrong = steep * drift + OPERATIONS * ROUNDING * (theirs + squared);
    const inBall = steep * radius - below + wrong;
    if (inBall <= 0) {
      continue;
    }
    patch ??= rivals.patchOf(cell);
    const most = Math.min(inBall, rivals.greatestLead(rival, own, patch) + wrong);
    if (most <= 0) {
      continue;
    }
    const at = LEADS.next();
    const { doubles } = LEADS;
    rivals.fillSlope(rival, own, doubles, at);
    doubles[at + 3] = below;
    doubles[at + 4] = most;
    sum += greatestExcess(below, steep * steep * variance, most);
    worst = Math.max(worst, wrong);
  }
  if (LEADS.count > 1) {
    rivals.distances += LEADS.count * EXCESS_WORK;
    sum = Math.min(sum, greatestExcessOfAny(LEADS, variance, effort));
  }
  return sum + worst;
}

/** How far a mean may be from that of its rows: each merge rounds once, and what was wrong before is averaged. */
function driftOf(weight: number): number {
  return weight > 1 ? OPERATIONS * ROUNDING * weight : 0;
}
