import type { TreeRoot } from './feature-tree-format.ts';
import { FeatureNodes } from './feature-nodes.ts';
import { FeatureTree } from './feature-tree.ts';
import type { PaneSpan } from './panes.ts';

/** A pane of n rows may hold so many times n^(5/8) features. */
const FEATURES_OF_ONE_ROW = 2;
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

  /**
   * @param expected So many rows are likely to come: features for them are kept from the first row on. What rows
   * came before a limit grew stays as coarse as it was.
   * @param room for so many features memory is taken at once
   */
  static empty(span: PaneSpan, root: TreeRoot, mostFeatures: number, expected = 0, room?: number): Pane {
    const nodes = new FeatureNodes(room);
    return new Pane(span, new FeatureTree(root, featureLimit(expected, mostFeatures), { nodes }));
  }

  /** Mean event time of the rows. */
  get meanTime(): number {
    return Math.min(this.latest, Math.max(this.earliest, this.timeSum / this.rows));
  }

  /** Another one whenever its bytes are others: with each row, and where it settles to fewer features. */
  get revision(): string {
    return `${String(this.rows)}/${String(this.tree.limit)}`;
  }

  /** Rows that may still be folded before the number of features that are kept grows. */
  get untilGrowth(): number {
    return growsAt(this.rows) - this.rows;
  }

  /** Follows the number of rows: to be called where `untilGrowth` rows were folded, and nowhere else. */
  grow(mostFeatures: number): void {
    const { tree } = this;
    tree.refine(Math.min(mostFeatures, Math.max(tree.limit, featureLimit(this.rows, mostFeatures))));
  }

  /** Gives back what was kept for rows that did not come, when hardly any will; changes nothing the next time. */
  settle(mostFeatures: number): void {
    const { tree } = this;
    tree.setLimit(Math.min(tree.limit, featureLimit(this.rows, mostFeatures)));
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
 * Most features of a pane, by the number of its rows. m features of n rows over an area A have an SSE of about
 * n A / m: in proportion to the square root of n, all panes together would be best for their memory. It is a
 * power a bit above that, because a model of one crowded region alone is to be good as well, and few are crowded.
 * Of roots only: they are the same on every machine, as a power need not be.
 */
function featureLimit(rows: number, mostFeatures: number): number {
  const root = Math.sqrt(growsAt(rows));
  return Math.min(mostFeatures, Math.ceil(FEATURES_OF_ONE_ROW * root * Math.sqrt(Math.sqrt(root))));
}

/** The next power of two above the rows, at least the first. */
function growsAt(rows: number): number {
  let next = FIRST_GROWTH;
  while (next <= rows) {
    next *= 2;
  }
  return next;
}
