import { bicOf, DIMENSIONS } from './bic.ts';
import { type FeatureColumns, FEATURES_PER_STEP } from './features.ts';
import { assignFeatures, DEFAULT_SEEDINGS, searchCenters, type SearchResult } from './kmeans.ts';
import { allocateCenters, type Centers } from './kmeans-passes.ts';
import type { Steps } from './slices.ts';

export interface KOptions {
  /** Least number of clusters, at least 1. */
  readonly kMin: number;
  /** Greatest number of clusters, at least kMin. */
  readonly kMax: number;
  /**
   * Number of independent rows that the features' weights are worth: (sum of w)^2 / sum of w^2 over the rows,
   * w being a row's weight (Kish: Survey Sampling, 1965). Rows of a pane of factor f weigh f each.
   */
  readonly effectiveRows: number;
  /** The k of the model before: it stays unless another is clearly better. */
  readonly before?: number;
  /** Independent seedings of the searches that decide. Default 4. */
  readonly seedings?: number;
  /** Seed of the generator. Default 1. */
  readonly seed?: number;
}

/** What one number of clusters would give. */
export interface KPoint {
  readonly k: number;
  /** As in `SearchResult`; never more than that of a smaller k. */
  readonly cost: number;
  /** Bayesian information criterion, the less the better. */
  readonly bic: number;
}

export interface KChoice {
  /** In [kMin, kMax]; less than kMin where there are fewer distinct features, 0 without any. */
  readonly k: number;
  /** Found by a full search for this k. */
  readonly centers: Centers;
  /** What they cost: that of k in the curve. */
  readonly cost: number;
  /** Ascending by k, without gaps: all that could be judged. */
  readonly curve: readonly KPoint[];
  /** One sentence for people: why this k. */
  readonly reason: string;
  readonly effectiveRows: number;
}

/**
 * Another k takes the place of the one before when its criterion is better by as much as a cost lower by
 * this share would make it at the same k: no less than what other centers take to replace those of a live
 * model ...
 */
export const STAY_GAIN = 0.01;
/** ... and by this: "very strong" evidence (Kass, Raftery: Bayes factors, JASA 90, 1995, section 3.2). */
const STAY_BIC = 10;
/** Seedings of a k that is only surveyed, beside the start from the centers of the k below. */
const SURVEY_SEEDINGS = 1;

interface Candidate extends KPoint {
  readonly centers: Centers;
}

const NO_CENTERS = allocateCenters(0);

/**
 * Chooses the number of clusters: that of the least Bayesian information criterion (`bicOf`) in [kMin, kMax],
 * of equals the smallest. A pure function of the arguments.
 *
 * Every k is surveyed by a search that starts from the centers of the k below and one more (drawn by greedy
 * k-means++, so where most of the cost is), and by one from nothing, both without swaps of centers. The best, and
 * the one before, are then searched in full; where that lowers a cost, the greater ks are searched anew from it.
 * So the curve of the cost never rises, and what decides is as good as a fixed k would get.
 *
 * A k is judged when there are as many distinct features and it leaves a degree of freedom,
 * k <= effectiveRows - 1. If kMin leaves none it is taken without a judgement.
 *
 * What to expect of it: the penalty grows with ln n, what a better fit gains with n. With many rows nothing
 * but the shape of the data decides. Normal crowds of one spread are counted right whatever n is. One that is
 * wider than the others, or has tails that no normal distribution has, gets several clusters as soon as n is
 * great enough to see it: a finer picture of the same rows, not more crowds. Twelve towns of spreads from 2 to
 * 19 km and 300,000 rows came out as 26 or 15 clusters of at most 50 (seeds 1 and 2), with flat curves in
 * between; data with more structure than that ends at kMax.
 *
 * Rows of one phone are not independent, so that n is truly less than the effective rows that are counted.
 * By how much a summary cannot tell, since it knows no phones. Who knows it can pass less: the rows divided
 * by Kish's design effect, 1 + (rows of a phone - 1) * their correlation.
 * @throws RangeError when the range or the effective rows are none.
 */
export function* chooseK(features: FeatureColumns, options: KOptions): Steps<KChoice> {
  const { kMin, kMax, effectiveRows } = options;
  if (!(Number.isInteger(kMin) && Number.isInteger(kMax) && kMin >= 1 && kMax >= kMin)) {
    throw new RangeError(`[${String(kMin)}, ${String(kMax)}] is no range of numbers of clusters`);
  }
  if (features.count === 0) {
    return { k: 0, centers: NO_CENTERS, cost: 0, curve: [], reason: 'there are no rows', effectiveRows };
  }
  if (!(effectiveRows > 0 && effectiveRows < Infinity)) {
    throw new RangeError(`${String(effectiveRows)} effective rows are no number of rows`);
  }
  const distinct = yield* distinctMeans(features, kMax);
  const first = Math.min(kMin, distinct);
  const last = Math.max(first, Math.min(distinct, Math.floor(effectiveRows) - 1));
  const survey = new Survey(features, options);
  yield* survey.run(first, last);
  yield* survey.refine();
  const { chosen, reason } = survey.verdict();
  return {
    k: chosen.k,
    centers: chosen.centers,
    cost: chosen.cost,
    curve: survey.candidates.map(({ k, cost, bic }) => ({ k, cost, bic })),
    reason: reason + limitOf(options, distinct, last, chosen.k),
    effectiveRows,
  };
}

/** By how much the criterion of another k must be better than that of the k before. */
export function stayMargin(effectiveRows: number): number {
  return Math.max(STAY_BIC, -effectiveRows * DIMENSIONS * Math.log(1 - STAY_GAIN));
}

/** What each k gives, the more exactly the more it matters. */
class Survey {
  readonly candidates: Candidate[] = [];
  private readonly features: FeatureColumns;
  private readonly options: KOptions;

  constructor(features: FeatureColumns, options: KOptions) {
    this.features = features;
    this.options = options;
  }

  *run(first: number, last: number): Steps<void> {
    for (let k = first; k <= last; k++) {
      this.candidates.push(
        yield* this.search(k, SURVEY_SEEDINGS, this.candidates.at(-1)?.centers ?? NO_CENTERS, false),
      );
    }
  }

  /** Searches in full for the best and the one before, until none of them is another. */
  *refine(): Steps<void> {
    const refined = new Set<number>();
    for (;;) {
      const open = [this.best(), this.before()].find((one) => one !== undefined && !refined.has(one.k));
      if (open === undefined) {
        return;
      }
      refined.add(open.k);
      yield* this.improve(open);
    }
  }

  /** Of the candidates that are refined. */
  verdict(): { readonly chosen: Candidate; readonly reason: string } {
    const best = this.best();
    const before = this.before();
    const second = leastBic(this.candidates.filter((one) => one !== best));
    if (second === undefined) {
      return { chosen: best, reason: `k = ${String(best.k)} is the only one possible` };
    }
    const scores =
      `BIC is least at ${String(best.k)} (${best.bic.toFixed(1)}), ` +
      `then at ${String(second.k)} (${second.bic.toFixed(1)})`;
    if (before === undefined || before === best) {
      return { chosen: best, reason: `k = ${String(best.k)}: ${scores}` };
    }
    const margin = stayMargin(this.options.effectiveRows);
    const lead = before.bic - best.bic;
    const held = lead <= margin;
    const chosen = held ? before : best;
    return {
      chosen,
      reason:
        `k = ${String(chosen.k)}${held ? ' stays' : ` instead of ${String(before.k)}`}: ${scores}, ` +
        `by ${lead.toFixed(1)} better than at ${String(before.k)}, where a change takes more than ${margin.toFixed(1)}`,
    };
  }

  private best(): Candidate {
    return leastBic(this.candidates) as Candidate;
  }

  private before(): Candidate | undefined {
    return this.candidates.find(({ k }) => k === this.options.before);
  }

  /** Searches in full for one k; what that gains, the greater ones get as a start. */
  private *improve({ k }: Candidate): Steps<void> {
    const { candidates, options } = this;
    let at = candidates.findIndex((one) => one.k === k);
    let seedings = options.seedings ?? DEFAULT_SEEDINGS;
    let start = (candidates[at] as Candidate).centers;
    for (; at < candidates.length; at++) {
      const known = candidates[at] as Candidate;
      const found = yield* this.search(known.k, seedings, start);
      if (!(found.cost < known.cost)) {
        return;
      }
      candidates[at] = found;
      start = found.centers;
      seedings = 0;
    }
  }

  /** One more center never costs more than the warm start without it. */
  private *search(k: number, seedings: number, warmStart: Centers, swaps = true): Steps<Candidate> {
    const { effectiveRows, seed = 1 } = this.options;
    const { centers, cost } = yield* searchCenters(this.features, { k, seed, seedings, swaps, warmStart });
    const bic = yield* criterionOf(this.features, { centers, cost }, k, effectiveRows);
    return { k, cost, bic, centers };
  }
}

/** The criterion of given centers that were asked for as k. */
export function* criterionOf(
  features: FeatureColumns,
  { centers, cost }: SearchResult,
  k: number,
  effectiveRows: number,
): Steps<number> {
  const { weight } = yield* assignFeatures(features, centers);
  return bicOf({ k, weights: weight, cost, effectiveRows });
}

/** The first of equals. */
function leastBic(candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.reduce<Candidate | undefined>(
    (best, one) => (best === undefined || one.bic < best.bic ? one : best),
    undefined,
  );
}

/** What stands between the choice and a greater k. */
function limitOf({ effectiveRows, kMax, kMin }: KOptions, distinct: number, last: number, k: number): string {
  if (last < kMax) {
    return last === distinct
      ? `; the number of distinct places is ${String(distinct)}`
      : `; ${effectiveRows.toFixed(1)} effective rows cannot tell of more than ${String(last)} clusters`;
  }
  return k === kMax && kMin < kMax ? '; more might be better still, but are not allowed' : '';
}

/** Number of distinct means, counted up to `most`. */
function* distinctMeans(features: FeatureColumns, most: number): Steps<number> {
  const { count, x, y, z } = features;
  const places = new Set<string>();
  for (let f = 0; f < count && places.size < most; f++) {
    places.add(`${String(x[f])} ${String(y[f])} ${String(z[f])}`);
    if (f % FEATURES_PER_STEP === FEATURES_PER_STEP - 1) {
      yield;
    }
  }
  return places.size;
}
