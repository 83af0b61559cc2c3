import type { TreeRoot } from './feature-tree-format.ts';
import { FeatureTree } from './feature-tree.ts';
import type { PaneSpan } from './panes.ts';

/** A pane of n rows may hold about so many times the square root of n. */
const FEATURES_PER_ROOT = 5;
/** With fewer rows it may hold as many features as with so many; a power of two. */
const FIRST_GROWTH = 1024;

/** The rows of one region whose event times lie in one span. */
export class Pane {
  span: PaneSpan;
  readonly tree: FeatureTree;
  /** Rows folded. */
  rows = 0;
  /** Least and greatest event time of the rows, and the sum of all; ms since the epoch. */
  earliest = Infinity;
  latest = -Infinity;
  timeSum = 0;

  constructor(span: PaneSpan, tree: FeatureTree) {
    this.span = span;
    this.tree = tree;
  }

  static empty(span: PaneSpan, root: TreeRoot, mostFeatures: number): Pane {
    return new Pane(span, new FeatureTree(root, featureLimit(0, mostFeatures)));
  }

  /** Mean event time of the rows. */
  get meanTime(): number {
    return Math.min(this.latest, Math.max(this.earliest, this.timeSum / this.rows));
  }

  /** Rows that may still be folded before the number of features that are kept grows. */
  get untilGrowth(): number {
    return growsAt(this.rows) - this.rows;
  }

  /** Follows the number of rows: to be called where `untilGrowth` rows were folded, and nowhere else. */
  grow(mostFeatures: number): void {
    this.tree.refine(featureLimit(this.rows, mostFeatures));
  }

  /** Takes over all rows of another pane of the same region. */
  absorb(other: Pane, mostFeatures: number): void {
    this.rows += other.rows;
    this.earliest = Math.min(this.earliest, other.earliest);
    this.latest = Math.max(this.latest, other.latest);
    this.timeSum += other.timeSum;
    this.tree.setLimit(featureLimit(this.rows, mostFeatures));
    this.tree.absorb(other.tree);
  }
}

/**
 * Most features of a pane, by the number of its rows: with the square root of it the mean squared size of a
 * feature falls as fast as it grows, so what a feature adds to the error of the cost stays the same, and all
 * panes of a region together hold a bounded share of its rows.
 */
function featureLimit(rows: number, mostFeatures: number): number {
  const wanted = Math.ceil(FEATURES_PER_ROOT * Math.sqrt(growsAt(rows)));
  return Math.min(mostFeatures, wanted);
}

/** The next power of two above the rows, at least the first. */
function growsAt(rows: number): number {
  let next = FIRST_GROWTH;
  while (next <= rows) {
    next *= 2;
  }
  return next;
}
