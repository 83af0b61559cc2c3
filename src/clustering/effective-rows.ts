import type { Steps } from './slices.ts';

/** Sources between two yields, where nothing is to be added up. */
const SOURCES_PER_STEP = 1024;

/** Rows that count the same. */
export interface CountedRows {
  /** Each counts so much, above 0. Default 1. */
  readonly factor?: number;
  /** How many. Default the weight of the tree. */
  readonly rows?: number;
  readonly tree: { forEachFeature(visit: (weight: number) => void): void };
}

/**
 * The number of rows of equal weight that tell as much as these of unequal weight: (sum of f n)^2 / sum of
 * f^2 n, n being the rows of a source and f what each of them counts (Kish: Survey Sampling, 1965, section
 * 11.7). It depends on no unit of weight, is never more than the rows, and 0 without any.
 */
export function* effectiveRowsOf(sources: readonly CountedRows[]): Steps<number> {
  let sum = 0;
  let squares = 0;
  for (let at = 0; at < sources.length; at++) {
    const { factor = 1, rows, tree } = sources[at] as CountedRows;
    const n = rows ?? weightOf(tree);
    sum += factor * n;
    squares += factor * factor * n;
    if (rows === undefined || at % SOURCES_PER_STEP === SOURCES_PER_STEP - 1) {
      yield;
    }
  }
  return squares === 0 ? 0 : (sum * sum) / squares;
}

function weightOf(tree: CountedRows['tree']): number {
  let total = 0;
  tree.forEachFeature((weight) => {
    total += weight;
  });
  return total;
}
