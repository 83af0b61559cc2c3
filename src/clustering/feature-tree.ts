import { type CellAddress, faceOf, leafIndex, MAX_LEVEL, uOnFace, vOnFace } from '../geo/s2.ts';
import { FoldError, InvalidPointError, MAX_WEIGHT, UNIT_TOLERANCE } from './features.ts';
import {
  type CellFeature,
  FACES,
  FeatureNodes,
  type FeatureVisitor,
  NODE_DOUBLES,
  PENDING,
  type Quadtree,
} from './feature-nodes.ts';
import {
  decodeTree,
  encodeTree,
  MAX_FEATURE_LIMIT,
  MIN_FEATURE_LIMIT,
  type TreeRoot,
  type TreeState,
} from './feature-tree-format.ts';
import { rankedAt } from './rank.ts';

/**
 * Coarsening stops at this share of the limit. Each run costs about the limit in node visits; a
 * quarter of it in new features pays for that, whatever the order of the points.
 */
const COARSEN_TO = 0.75;
/** So many trees that lie apart are worth a buffer for all of them. */
const PACK_FROM = 4;
/** A buffer of which a lesser share is in use is left by the trees that are still in it. */
const LEAST_USE = 0.5;
/** Leaf cells along a face. */
const LEAVES = 2 ** MAX_LEVEL;

/**
 * A bounded set of clustering features over an S2 cell or the sphere, as a quadtree on the S2
 * hierarchy; one node holds one feature.
 *
 * After BICO (Fichtenberger, Gille, Schmidt, Schwiegelshohn, Sohler: BICO: BIRCH meets coresets for
 * k-means clustering, ESA 2013), with S2 cells in the place of balls around reference points. A point
 * walks down the cells that hold it. A leaf takes it while the leaf's SSE stays within a threshold
 * T; otherwise the leaf gets a child, and its own feature is never added to again. When there are
 * more features than the limit, T grows and families of cells (a node and its leaves) whose merged
 * SSE is within T become one leaf again.
 *
 * There is no buffer and no chance, so the state after n points is a pure function of their
 * sequence. Identical points merge exactly: few distinct points stay exact.
 */
export class FeatureTree {
  readonly root: TreeRoot;
  private readonly rootLevel: number;
  private readonly only: CellAddress | undefined;
  /** Node of each face's root, 0 where there is none. */
  private roots: Int32Array<ArrayBuffer>;
  private nodes: FeatureNodes;
  private sseLimit: number;
  private most: number;

  /**
   * @param state what it goes on from; by default it is empty, with room for a few features
   * @throws RangeError when the limit is no integer in [MIN_FEATURE_LIMIT, MAX_FEATURE_LIMIT].
   */
  constructor(
    root: TreeRoot,
    limit: number,
    state: Partial<Pick<TreeState, 'nodes' | 'roots' | 'threshold'>> = {},
  ) {
    this.root = root;
    this.most = checkedLimit(limit);
    this.roots = state.roots ?? new Int32Array(FACES);
    this.nodes = state.nodes ?? new FeatureNodes();
    this.sseLimit = state.threshold ?? 0;
    this.only = root === 'sphere' ? undefined : root;
    this.rootLevel = this.only?.level ?? 0;
  }

  /**
   * The tree that `encode` wrote, to the bit: it goes on as the written one would have.
   * @param spare a tree that is of no more use, whose memory is taken over where it is enough
   * @throws SummaryFormatError when the bytes are no tree, or of an unknown version.
   */
  static decode(bytes: Uint8Array, spare?: FeatureTree): FeatureTree {
    const state = decodeTree(bytes, spare?.nodes);
    return new FeatureTree(state.root, state.limit, state);
  }

  /**
   * The exact state as bytes (`feature-tree-format.ts`); equal states give equal bytes.
   * @param before so many bytes are left for what is to come before it
   */
  encode(before?: number): Uint8Array {
    const { most: limit, nodes, root, roots, sseLimit: threshold } = this;
    return encodeTree({ root, limit, threshold, roots, nodes }, before);
  }

  /** Most features kept. */
  get limit(): number {
    return this.most;
  }

  /**
   * Changes the limit from the next insertion on; coarsens at once when there are more features.
   * It changes what the same points give: apply it at a fixed place of their sequence.
   */
  setLimit(limit: number): void {
    this.most = checkedLimit(limit);
    if (this.nodes.live > this.most) {
      this.coarsen();
    }
  }

  /**
   * Raises the limit for the points to come, and lowers T to what uses it: the number of features that points
   * over an area take is in proportion to 1 / sqrt T. As `setLimit`: at a fixed place of the sequence.
   */
  refine(limit: number): void {
    this.setLimit(limit);
    const goal = COARSEN_TO * this.most;
    if (this.nodes.live < goal) {
      this.sseLimit *= (this.nodes.live / goal) ** 2;
    }
  }

  /**
   * For trees that are not likely to grow: where a few of them lie apart, moves them into one buffer, in which no memory
   * is left that no feature takes, and with them those from buffers that hardly anything is left in. No other state
   * changes. V8 goes through all buffers one after another to find those that are of no more use, and the next
   * collection waits for it: ten thousand of them take some ten milliseconds.
   */
  static pack(trees: readonly FeatureTree[]): void {
    const apart = trees.reduce((count, { nodes }) => (nodes.isPacked ? count : count + 1), 0);
    if (apart < PACK_FROM) {
      return;
    }
    const used = new Map<ArrayBuffer, number>();
    for (const { nodes } of trees) {
      const { buffer } = nodes.features;
      used.set(buffer, (used.get(buffer) ?? 0) + nodes.memoryBytes);
    }
    const moving = trees.filter(({ nodes }) => {
      const { buffer } = nodes.features;
      return !nodes.isPacked || (used.get(buffer) as number) < LEAST_USE * buffer.byteLength;
    });
    const buffer = new ArrayBuffer(moving.reduce((bytes, { nodes }) => bytes + nodes.neededBytes, 0));
    let from = 0;
    for (const tree of moving) {
      tree.roots = tree.nodes.moveTo(buffer, from, tree.roots);
      from += tree.nodes.memoryBytes;
    }
  }

  /** Number of features, at most the limit. */
  get count(): number {
    return this.nodes.live;
  }

  /** The threshold T: the SSE up to which a leaf takes points. */
  get threshold(): number {
    return this.sseLimit;
  }

  /** Bytes of memory that the nodes take. */
  get memoryBytes(): number {
    return this.nodes.memoryBytes;
  }

  /** The nodes themselves, to be read only, and while the tree does not change. */
  get quadtree(): Quadtree {
    return { roots: this.roots, nodes: this.nodes };
  }

  /** Sum of the features' weights: exact for counts up to 2^53. */
  totalWeight(): number {
    return this.nodes.totalWeight();
  }

  /**
   * Folds the unit vectors at `[from, to)`, each with weight 1, in that order.
   * @throws FoldError naming the index of the first point that cannot be folded.
   */
  insertColumns(x: Float64Array, y: Float64Array, z: Float64Array, from: number, to: number): void {
    PENDING[0] = 1;
    PENDING[4] = 0;
    let index = from;
    try {
      for (; index < to; index++) {
        PENDING[1] = x[index] as number;
        PENDING[2] = y[index] as number;
        PENDING[3] = z[index] as number;
        this.insertPending();
      }
    } catch (cause) {
      throw new FoldError(index, cause);
    }
  }

  /**
   * Folds one unit vector with weight 1.
   * @throws InvalidPointError when it is not a unit vector or not in the root cell; nothing changed.
   */
  insert(x: number, y: number, z: number): void {
    PENDING.set([1, x, y, z, 0]);
    this.insertPending();
  }

  /** Folds the pending point. Doubles travel in PENDING: as arguments the engine would box them. */
  private insertPending(): void {
    const x = PENDING[1] as number;
    const y = PENDING[2] as number;
    const z = PENDING[3] as number;
    const excess = x * x + y * y + z * z - 1;
    // Written so that NaN fails too.
    if (!(excess > -UNIT_TOLERANCE && excess < UNIT_TOLERANCE)) {
      throw new InvalidPointError(`(${String(x)}, ${String(y)}, ${String(z)}) is not a unit vector`);
    }
    const face = faceOf(x, y, z);
    const i = leafIndex(uOnFace(face, x, y, z));
    const j = leafIndex(vOnFace(face, x, y, z));
    const only = this.only;
    if (only !== undefined) {
      const shift = MAX_LEVEL - only.level;
      if (face !== only.face || i >> shift !== only.i || j >> shift !== only.j) {
        throw new InvalidPointError(
          `(${String(x)}, ${String(y)}, ${String(z)}) is outside the region's cell`,
        );
      }
    }
    this.place(face, i, j);
  }

  /**
   * Folds a feature; its path is that of its mean's direction (a mean just outside the root cell, as
   * rounding may leave it, goes to the nearest cell inside).
   * @throws InvalidPointError when a value is not finite, the weight not positive, the SSE negative,
   * the mean outside the unit ball or in another half of the sphere than the root cell.
   */
  insertFeature(weight: number, x: number, y: number, z: number, sse: number): void {
    const length = x * x + y * y + z * z;
    if (!(weight > 0 && weight <= MAX_WEIGHT && sse >= 0 && sse < Infinity && length < 1 + UNIT_TOLERANCE)) {
      throw new InvalidPointError(
        `weight ${String(weight)}, mean (${String(x)}, ${String(y)}, ${String(z)}), SSE ${String(sse)} is no feature`,
      );
    }
    PENDING.set([weight, x, y, z, sse]);
    const only = this.only;
    if (only === undefined) {
      const face = faceOf(x, y, z);
      this.place(face, leafIndex(uOnFace(face, x, y, z)), leafIndex(vOnFace(face, x, y, z)));
      return;
    }
    const { face } = only;
    const ahead = [x, y, z, -x, -y, -z][face] as number;
    if (!(ahead > 0)) {
      throw new InvalidPointError(
        `mean (${String(x)}, ${String(y)}, ${String(z)}) is far outside the region's cell`,
      );
    }
    const shift = MAX_LEVEL - only.level;
    const i = clampToCell(leafIndex(clampToFace(uOnFace(face, x, y, z))), only.i, shift);
    const j = clampToCell(leafIndex(clampToFace(vOnFace(face, x, y, z))), only.j, shift);
    this.place(face, i, j);
  }

  /**
   * Folds all features of a tree of the same root. Each stays in a cell that holds all points of it: its own, or
   * the smallest that a ball around its mean lies in. (In its own alone, the first point of the one tree would be
   * merged with that of the other, wherever it is: both are at the root.)
   * @throws RangeError when the roots differ.
   */
  absorb(other: FeatureTree): void {
    if (!sameRoot(this.root, other.root)) {
      throw new RangeError('a feature tree of another root cannot be absorbed');
    }
    // As many as there can be before it coarsens.
    this.nodes.reserve(Math.min(this.count + other.count, this.most + 1));
    const { i, j } = this.only ?? { i: 0, j: 0 };
    for (let face = 0; face < FACES; face++) {
      const node = other.roots[face] as number;
      if (node !== 0) {
        this.absorbNode(other.nodes, node, face, this.rootLevel, i, j);
      }
    }
  }

  /** A node in the cell (i, j) of this level, and those below it. */
  private absorbNode(
    from: FeatureNodes,
    node: number,
    face: number,
    level: number,
    i: number,
    j: number,
  ): void {
    const first = node * NODE_DOUBLES;
    for (let d = 0; d < NODE_DOUBLES; d++) {
      PENDING[d] = from.features[first + d] as number;
    }
    const x = PENDING[1] as number;
    const y = PENDING[2] as number;
    const z = PENDING[3] as number;
    const leafI = leafIndex(clampToFace(uOnFace(face, x, y, z)));
    const leafJ = leafIndex(clampToFace(vOnFace(face, x, y, z)));
    const own = MAX_LEVEL - level;
    if (faceOf(x, y, z) === face && leafI >> own === i && leafJ >> own === j) {
      const shift = shiftAround(leafI, leafJ, own, ballRadius(PENDING[0] as number, PENDING[4] as number));
      this.place(face, leafI, leafJ, MAX_LEVEL - shift);
    } else {
      this.place(face, i << own, j << own, level);
    }
    for (let quadrant = 0; quadrant < 4; quadrant++) {
      const child = from.children[(node << 2) + quadrant] as number;
      if (child !== 0) {
        this.absorbNode(from, child, face, level + 1, 2 * i + (quadrant >> 1), 2 * j + (quadrant & 1));
      }
    }
  }

  /** Visits the features in pre-order, faces and quadrants ascending: a function of the state only. */
  forEachFeature(visit: FeatureVisitor): void {
    for (let face = 0; face < FACES; face++) {
      const node = this.roots[face] as number;
      if (node !== 0) {
        this.nodes.visit(node, visit);
      }
    }
  }

  /** The features in the same order, each with the S2 cell that holds all points of it. */
  *cellFeatures(): Generator<CellFeature, undefined> {
    for (let face = 0; face < FACES; face++) {
      const node = this.roots[face] as number;
      if (node !== 0) {
        yield* this.nodes.cellFeatures(node, this.only ?? { face, level: 0, i: 0, j: 0 });
      }
    }
  }

  /** Puts the pending feature into the leaf cell (i, j) of a face, or a cell of level `deepest` around it. */
  private place(face: number, i: number, j: number, deepest = MAX_LEVEL): void {
    const nodes = this.nodes;
    // Room first: a failing allocation must not leave half an insertion behind.
    nodes.ensureRoom(this.most + 1);
    let node = this.roots[face] as number;
    if (node === 0) {
      this.roots[face] = nodes.create();
    } else {
      const children = nodes.children;
      let shift = MAX_LEVEL - 1 - this.rootLevel;
      for (;;) {
        if (shift < MAX_LEVEL - deepest) {
          nodes.merge(node, Infinity);
          return;
        }
        const slot = (node << 2) | (((i >> shift) & 1) << 1) | ((j >> shift) & 1);
        const child = children[slot] as number;
        if (child === 0) {
          if (nodes.isLeaf(node) && nodes.merge(node, this.sseLimit)) {
            return;
          }
          children[slot] = nodes.create();
          break;
        }
        node = child;
        shift--;
      }
    }
    if (nodes.live > this.most) {
      this.coarsen();
    }
  }

  /**
   * Raises T and folds families until at most COARSEN_TO of the limit are left, in each round the deepest first. T at
   * least doubles, and reaches the median cost of the foldable families, so every round folds at least half of
   * them: it ends, at the latest with one feature a face.
   */
  private coarsen(): void {
    const { nodes, roots } = this;
    const goal = Math.max(FACES, Math.floor(this.most * COARSEN_TO));
    while (nodes.live > goal) {
      const families = nodes.families(roots);
      const median = rankedAt((families.count - 1) >> 1, families.costs, families.count);
      this.sseLimit = Math.max(2 * this.sseLimit, median);
      nodes.foldWithin(families, this.sseLimit);
    }
  }
}

/**
 * Radius of a ball around the mean of a feature that holds all its points (Samuelson 1968, for sums of squares),
 * with what rounding adds.
 */
function ballRadius(weight: number, sse: number): number {
  if (sse === 0) {
    return 0;
  }
  const drift = weight * 2 ** -48;
  return Math.sqrt(sse) + drift * (1 + Math.sqrt(weight * (1 + Math.log2(Math.max(1, weight)))));
}

/**
 * The smallest cell around the direction of a mean, its leaf (i, j), that is sure to hold what lies within `radius` of
 * the mean: how many levels it is above the leaf, at most `most`.
 *
 * Points whose coordinates s (`leafIndex` in 2^-30) differ by d on one axis are more than 0.44 d apart: u changes by
 * at least 4/3 d, the planes of the two u through the sphere's middle are at least 0.5 of that apart in angle, and
 * on the face nothing is nearer than 0.7 to the line in which they meet. The mean's direction is no further from
 * the points than twice the radius.
 */
function shiftAround(i: number, j: number, most: number, radius: number): number {
  const reach = Math.ceil(8 * radius * LEAVES);
  // In a smaller cell no leaf is so far from two opposite edges.
  const least = 2 * reach < LEAVES ? 32 - Math.clz32(2 * reach) : MAX_LEVEL;
  for (let shift = least; shift < most; shift++) {
    const last = (1 << shift) - 1;
    const a = i & last;
    const b = j & last;
    if (Math.min(a, last - a, b, last - b) >= reach) {
      return shift;
    }
  }
  return most;
}

function sameRoot(a: TreeRoot, b: TreeRoot): boolean {
  if (a === 'sphere' || b === 'sphere') {
    return a === b;
  }
  return a.face === b.face && a.level === b.level && a.i === b.i && a.j === b.j;
}

function checkedLimit(limit: number): number {
  if (!(Number.isInteger(limit) && limit >= MIN_FEATURE_LIMIT && limit <= MAX_FEATURE_LIMIT)) {
    throw new RangeError(
      `feature limit ${String(limit)} is not an integer in [${String(MIN_FEATURE_LIMIT)}, ${String(MAX_FEATURE_LIMIT)}]`,
    );
  }
  return limit;
}

function clampToFace(u: number): number {
  return Math.min(1, Math.max(-1, u));
}

function clampToCell(leaf: number, cell: number, shift: number): number {
  const first = cell * 2 ** shift;
  return Math.min(first + 2 ** shift - 1, Math.max(first, leaf));
}
