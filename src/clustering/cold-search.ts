import { chooseK, type KPoint } from './choose-k.ts';
import { DEFAULT_SEEDINGS, searchCenters, type SearchResult } from './kmeans.ts';
import type { ModelFeatures } from './model-features.ts';
import type { Steps } from './slices.ts';

/** k is to be chosen between these, both of them possible: 1 <= kMin <= kMax. */
export interface KRange {
  readonly kMin: number;
  readonly kMax: number;
}

export interface SearchSettings {
  /** Number of clusters asked for, at least 1, or the range from which the rows choose it. */
  readonly k: number | KRange;
  /** Whose word a number is, to be told with the model. Default clustering.k. */
  readonly fixedBy?: string;
  /** Seed of the search. Default 1. */
  readonly seed?: number;
  /** Seedings of the search. Default 4. */
  readonly seedings?: number;
}

/** Why a model has the k that it has. */
export interface KRecord {
  /** One sentence for people. */
  readonly reason: string;
  /** Number of independent rows that the judged ones are worth: see `effectiveRowsOf`; null: nobody judged. */
  readonly effectiveRows: number | null;
  /** Ascending by k, without gaps: all that could be judged. None where nobody had to judge. */
  readonly curve: readonly KPoint[];
}

/** Centers, and why so many were asked for. */
export interface ColdResult extends SearchResult {
  readonly k: number;
  readonly kChoice: KRecord;
}

/**
 * The search that starts from nothing but the seed, for a given k or for one of a range (`chooseK`).
 * @param before the k of the model before, which stays unless another is clearly better; only of a range.
 */
export function* coldSearch(
  { coarse, effectiveRows }: Pick<ModelFeatures, 'coarse' | 'effectiveRows'>,
  { fixedBy, k, seed = 1, seedings = DEFAULT_SEEDINGS }: SearchSettings,
  before?: number,
): Steps<ColdResult> {
  if (typeof k === 'number') {
    const found = yield* searchCenters(coarse, { k, seed, seedings });
    return { ...found, k, kChoice: fixedChoice(k, fixedBy) };
  }
  const choice = yield* chooseK(coarse, {
    ...k,
    effectiveRows,
    seed,
    seedings,
    ...(before === undefined ? {} : { before }),
  });
  const { centers, cost, curve, reason } = choice;
  return { centers, cost, k: choice.k, kChoice: { reason, effectiveRows, curve } };
}

/** The record of a k that somebody gave. */
export function fixedChoice(k: number, fixedBy = 'clustering.k'): KRecord {
  return { reason: `k = ${String(k)} is fixed by ${fixedBy}`, effectiveRows: null, curve: [] };
}
