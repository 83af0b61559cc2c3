import { criterionOf, STAY_GAIN, stayMargin } from './choose-k.ts';
import { coldSearch, type KRange, type KRecord, type SearchSettings } from './cold-search.ts';
import type { FeatureColumns } from './features.ts';
import { searchCenters, type SearchResult } from './kmeans.ts';
import type { Centers } from './kmeans-passes.ts';
import type { ModelFeatures } from './model-features.ts';
import type { Steps } from './slices.ts';

/** A live model has another k than the one before. */
export interface KChange {
  readonly type: 'k-changed';
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** Centers that a search from nothing found, and where k was to be chosen why there are so many. */
export interface Candidate {
  readonly centers: Centers;
  readonly kChoice?: KRecord;
}

/** What is known of the k of a live model before. */
export interface KnownK {
  readonly k: number;
  readonly kChoice: KRecord;
}

/** The centers of a live model whose k is chosen from a range. */
export interface FollowedK extends SearchResult, KnownK {
  /** Bayesian information criterion of the centers. */
  readonly bic: number;
}

/** Centers at rows that a search from nothing has not seen. */
export interface Standing {
  readonly k: number;
  readonly bic: number;
  readonly effectiveRows: number;
}

/** Lloyd's iteration, going on from what is there. */
export function warmSearch(
  features: FeatureColumns,
  settings: SearchSettings,
  k: number,
  start: Centers,
): Steps<SearchResult> {
  return searchCenters(features, { ...settings, k, seedings: 0, warmStart: start });
}

/** Whether centers are better than others of the same number by enough to take their place. */
export function isGain(found: Pick<SearchResult, 'cost'>, cost: number): boolean {
  return found.cost < (1 - STAY_GAIN) * cost;
}

/**
 * Follows a live model without a k of its own: as many centers as there were, as far as the range and the rows
 * allow, move to where the rows are now. Those of a candidate take their place when they are clearly better at
 * the rows of now: as many of them when they cost less by more than STAY_GAIN, more or fewer when their
 * criterion is less by more than the margin that `chooseK` has for a change of k.
 * @param start at least one center and no more than kMax: those of the live model before.
 */
export function* followK(
  { coarse, effectiveRows }: ModelFeatures,
  settings: SearchSettings,
  range: KRange,
  start: Centers,
  before: Partial<KnownK>,
  candidate: Candidate | undefined,
): Steps<FollowedK> {
  const stay = yield* warmSearch(coarse, settings, Math.max(range.kMin, start.count), start);
  const k = stay.centers.count;
  const bic = yield* criterionOf(coarse, stay, k, effectiveRows);
  const staying = { ...stay, k, bic, kChoice: recordBefore(k, before) };
  const { centers, kChoice } = candidate ?? {};
  if (centers === undefined || kChoice === undefined || centers.count === 0 || centers.count > range.kMax) {
    return staying;
  }
  const other = yield* warmSearch(coarse, settings, centers.count, centers);
  const bicOfOther = yield* criterionOf(coarse, other, centers.count, effectiveRows);
  const taken = { ...other, k: other.centers.count, bic: bicOfOther, kChoice };
  if (taken.k === k) {
    return isGain(other, stay.cost) ? taken : { ...staying, kChoice };
  }
  const margin = stayMargin(effectiveRows);
  if (bic - bicOfOther > margin) {
    return taken;
  }
  const reason =
    `k = ${String(k)} stays: ${String(taken.k)} was chosen, but of the ${effectiveRows.toFixed(1)} effective rows of ` +
    `now BIC is not better by the ${margin.toFixed(1)} that a change takes`;
  return { ...staying, kChoice: { ...kChoice, reason } };
}

/** The reason of the last choice holds as long as k is what was chosen. */
function recordBefore(k: number, before: Partial<KnownK>): KRecord {
  return before.k === k && before.kChoice !== undefined && before.kChoice.curve.length > 0
    ? before.kChoice
    : { reason: `k = ${String(k)} goes on until the next choice`, effectiveRows: null, curve: [] };
}

/** Chooses k beside the live models; `better` when they would take what was found at the rows it was found at. */
export function* chooseBeside(
  features: FeatureColumns,
  settings: SearchSettings,
  { bic, effectiveRows, k }: Standing,
  cost: number,
): Steps<{ readonly candidate: Candidate; readonly better: boolean }> {
  const { kChoice, ...found } = yield* coldSearch({ coarse: features, effectiveRows }, settings, k);
  const better =
    found.centers.count === k
      ? isGain(found, cost)
      : bic - (yield* criterionOf(features, found, found.centers.count, effectiveRows)) >
        stayMargin(effectiveRows);
  return { candidate: { centers: found.centers, kChoice }, better };
}
