import type { CellAddress } from '../geo/s2.ts';
import type { UnitVector } from '../geo/sphere.ts';
import { Slab } from './slab.ts';

/** Doubles of one node: weight, mean x, y, z, SSE. */
export const NODE_DOUBLES = 5;
/** Faces of the sphere's cube. */
export const FACES = 6;

/**
 * The feature to insert next, in whichever tree: weight, mean x, y, z, SSE. (One for all: there are thousands of trees,
 * and the garbage collector goes through what each has of its own.)
 */
export const PENDING = new Float64Array(NODE_DOUBLES);
/** The feature that `mergeFamily` computed last. */
const MERGED = new Float64Array(NODE_DOUBLES);

const FIRST_CAPACITY = 16;
/** What takes over memory and finds too little is likely to be followed by more: it gets so many times what it needs. */
const ROOM_TO_FOLLOW = 1.5;

/** What is decoded for the first time: until one of them changes, or a few of their region are moved together. */
const TOGETHER = new Slab(1024 * 1024);

/** Receives features in a tree's fixed order. */
export type FeatureVisitor = (weight: number, x: number, y: number, z: number, sse: number) => void;

/** A feature with the cell that holds all points of it. */
export interface CellFeature {
  readonly weight: number;
  readonly mean: UnitVector;
  readonly sse: number;
  readonly cell: CellAddress;
}

/** A quadtree of features: the node of each face's root, 0 where there is none, and the nodes. */
export interface Quadtree {
  readonly roots: Int32Array;
  readonly nodes: FeatureNodes;
}

/** Nodes whose children are leaves, until it is asked for others, of whichever tree. */
export interface Families {
  readonly count: number;
  /** The first `count`. */
  readonly nodes: Int32Array;
  /** By family: the SSE of its features, merged. */
  readonly costs: Float64Array;
  /** By node that is no leaf: the node above it, 0 where there is none. */
  readonly parents: Int32Array;
}

/**
 * The nodes of a quadtree of clustering features, in typed arrays that grow by doubling up to a
 * bound; released nodes are used again. A node is an integer above 0; 0 means "none".
 */
export class FeatureNodes {
  /** NODE_DOUBLES a node. */
  features: Float64Array<ArrayBuffer>;
  /** Four children a node, by quadrant; of a free node the first entry is the next free node. */
  children: Int32Array<ArrayBuffer>;
  /** Number of nodes in use. */
  live = 0;
  /** Whether these are the first nodes, and each has a greater number than the one that it is a child of. */
  isDescending = true;
  private capacity: number;
  /** For so many nodes there is memory from the features' first byte on: the capacity, or more. */
  private room: number;
  private used = 1;
  private free = 0;

  /** Makes room for so many nodes. */
  constructor(nodes = FIRST_CAPACITY - 1, memory: Memory = allocateNodes(nodes + 1)) {
    this.capacity = nodes + 1;
    this.room = memory.byteLength / NODE_BYTES;
    [this.features, this.children] = nodesIn(memory.buffer, memory.byteOffset, this.capacity);
  }

  get memoryBytes(): number {
    return this.room * NODE_BYTES;
  }

  /** Those of them that the nodes in use need. */
  get neededBytes(): number {
    return (this.live + 1) * NODE_BYTES;
  }

  /** Whether the buffer is, or was, that of others, too. */
  get isPacked(): boolean {
    return this.features.buffer.byteLength > this.memoryBytes;
  }

  /** Makes room for one more node; never for more than `most` in all. */
  ensureRoom(most: number): void {
    if (this.free === 0 && this.used === this.capacity) {
      this.grow(Math.min(2 * this.capacity, most + 1));
    }
  }

  /** Forgets all nodes, and keeps the memory. */
  clear(): void {
    this.children.fill(0, 0, 4 * this.used);
    this.used = 1;
    this.free = 0;
    this.live = 0;
    this.isDescending = true;
  }

  /** Makes room for so many nodes in all. */
  reserve(nodes: number): void {
    if (this.capacity <= nodes) {
      this.grow(nodes + 1);
    }
  }

  private grow(capacity: number): void {
    const [features, children] = nodesIn(new ArrayBuffer(capacity * NODE_BYTES), 0, capacity);
    features.set(this.features);
    children.set(this.children);
    this.features = features;
    this.children = children;
    this.capacity = capacity;
    this.room = capacity;
  }

  /**
   * Moves the trees of these roots (0: none), which are all nodes in use, to a place in a buffer, where they take the
   * bytes that they need; returns their new roots.
   */
  moveTo(buffer: ArrayBuffer, from: number, roots: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
    const { children, features } = this;
    const capacity = this.live + 1;
    this.capacity = capacity;
    this.room = capacity;
    [this.features, this.children] = nodesIn(buffer, from, capacity);
    if (this.used === capacity) {
      this.features.set(features.subarray(0, capacity * NODE_DOUBLES));
      this.children.set(children.subarray(0, capacity * 4));
      return roots;
    }
    this.used = 1;
    this.free = 0;
    this.isDescending = true;
    const move = (node: number): number => {
      const to = this.used++;
      for (let d = 0; d < NODE_DOUBLES; d++) {
        this.features[to * NODE_DOUBLES + d] = features[node * NODE_DOUBLES + d] as number;
      }
      for (let quadrant = 0; quadrant < 4; quadrant++) {
        const child = children[(node << 2) + quadrant] as number;
        if (child !== 0) {
          this.children[(to << 2) + quadrant] = move(child);
        }
      }
      return to;
    };
    return roots.map((root) => (root === 0 ? 0 : move(root)));
  }

  /** A new leaf with the pending feature. There must be room. */
  create(): number {
    let node = this.free;
    if (node === 0) {
      node = this.used++;
    } else {
      this.free = this.children[node << 2] as number;
      this.children[node << 2] = 0;
    }
    const { features } = this;
    const at = node * NODE_DOUBLES;
    features[at] = PENDING[0] as number;
    features[at + 1] = PENDING[1] as number;
    features[at + 2] = PENDING[2] as number;
    features[at + 3] = PENDING[3] as number;
    features[at + 4] = PENDING[4] as number;
    this.live++;
    return node;
  }

  /** Nodes 1 to `count`, without children, and still without features. */
  static of(count: number, memory?: Memory): FeatureNodes {
    const nodes = new FeatureNodes(count, memory);
    nodes.used = count + 1;
    nodes.live = count;
    return nodes;
  }

  /**
   * The same, for what is not likely to grow: many of them in one buffer.
   * @param spare of no more use: its memory is taken over where it is enough
   * @param most that those who will take over this memory can have
   */
  static toFill(count: number, spare: FeatureNodes | undefined, most: number): FeatureNodes {
    const capacity = count + 1;
    if (spare === undefined) {
      return FeatureNodes.of(count, TOGETHER.take(capacity * NODE_BYTES));
    }
    if (spare.room >= capacity) {
      const { buffer, byteOffset } = spare.features;
      const nodes = FeatureNodes.of(count, new Uint8Array(buffer, byteOffset, spare.room * NODE_BYTES));
      // All but the features of nodes above 0 is to be zero.
      nodes.features.fill(0, 0, NODE_DOUBLES);
      nodes.children.fill(0);
      return nodes;
    }
    return FeatureNodes.of(count, allocateNodes(roomToFollow(capacity, most + 1)));
  }

  /** Sum of the nodes' weights. */
  totalWeight(): number {
    const { features, used } = this;
    let total = 0;
    for (let at = NODE_DOUBLES; at < used * NODE_DOUBLES; at += NODE_DOUBLES) {
      total += features[at] as number;
    }
    return total;
  }

  /** Gives a leaf back. */
  release(node: number): void {
    this.isDescending = false;
    this.features[node * NODE_DOUBLES] = 0;
    this.children[node << 2] = this.free;
    this.free = node;
    this.live--;
  }

  isLeaf(node: number): boolean {
    const children = this.children;
    const at = node << 2;
    return (
      ((children[at] as number) |
        (children[at + 1] as number) |
        (children[at + 2] as number) |
        (children[at + 3] as number)) ===
      0
    );
  }

  /**
   * Merges the pending feature into a node when the result's SSE is at most `most`; tells whether it
   * did. (Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample
   * variances, 1979.) An identical mean leaves the node's mean bit for bit.
   */
  merge(node: number, most: number): boolean {
    const { features } = this;
    const at = node * NODE_DOUBLES;
    const own = features[at] as number;
    const mx = features[at + 1] as number;
    const my = features[at + 2] as number;
    const mz = features[at + 3] as number;
    const dx = (PENDING[1] as number) - mx;
    const dy = (PENDING[2] as number) - my;
    const dz = (PENDING[3] as number) - mz;
    const weight = PENDING[0] as number;
    const total = own + weight;
    const share = weight / total;
    const together =
      (features[at + 4] as number) + (PENDING[4] as number) + own * share * (dx * dx + dy * dy + dz * dz);
    if (together > most) {
      return false;
    }
    features[at] = total;
    features[at + 1] = mx + share * dx;
    features[at + 2] = my + share * dy;
    features[at + 3] = mz + share * dz;
    features[at + 4] = together;
    return true;
  }

  /** Computes the feature of a node and its children, in this order, into MERGED; returns its SSE. */
  private mergeFamily(node: number): number {
    const { features, children } = this;
    let at = node * NODE_DOUBLES;
    let weight = features[at] as number;
    let x = features[at + 1] as number;
    let y = features[at + 2] as number;
    let z = features[at + 3] as number;
    let sse = features[at + 4] as number;
    for (let slot = node << 2; slot < (node << 2) + 4; slot++) {
      const child = children[slot] as number;
      if (child !== 0) {
        at = child * NODE_DOUBLES;
        const other = features[at] as number;
        const dx = (features[at + 1] as number) - x;
        const dy = (features[at + 2] as number) - y;
        const dz = (features[at + 3] as number) - z;
        const total = weight + other;
        const share = other / total;
        sse = sse + (features[at + 4] as number) + weight * share * (dx * dx + dy * dy + dz * dz);
        x += share * dx;
        y += share * dy;
        z += share * dz;
        weight = total;
      }
    }
    MERGED[0] = weight;
    MERGED[1] = x;
    MERGED[2] = y;
    MERGED[3] = z;
    MERGED[4] = sse;
    return sse;
  }

  /** Visits the features of a subtree in pre-order, quadrants ascending. */
  visit(node: number, visit: FeatureVisitor): void {
    const { features, children } = this;
    const at = node * NODE_DOUBLES;
    visit(
      features[at] as number,
      features[at + 1] as number,
      features[at + 2] as number,
      features[at + 3] as number,
      features[at + 4] as number,
    );
    for (let slot = node * 4; slot < node * 4 + 4; slot++) {
      const child = children[slot] as number;
      if (child !== 0) {
        this.visit(child, visit);
      }
    }
  }

  /** The features of a subtree with their cells, in the order of `visit`. */
  *cellFeatures(root: number, rootCell: CellAddress): Generator<CellFeature, undefined> {
    const { features, children } = this;
    // A stack of our own: generators inside of each other would cost more than what is done with a feature.
    const nodes = [root];
    const cells = [rootCell];
    for (;;) {
      const node = nodes.pop();
      const cell = cells.pop();
      if (node === undefined || cell === undefined) {
        return;
      }
      const at = node * NODE_DOUBLES;
      const mean = [features[at + 1], features[at + 2], features[at + 3]] as unknown as UnitVector;
      yield { weight: features[at] as number, mean, sse: features[at + 4] as number, cell };
      for (let quadrant = 3; quadrant >= 0; quadrant--) {
        const child = children[(node << 2) + quadrant] as number;
        if (child !== 0) {
          const { face, i, j, level } = cell;
          nodes.push(child);
          cells.push({ face, level: level + 1, i: 2 * i + (quadrant >> 1), j: 2 * j + (quadrant & 1) });
        }
      }
    }
  }

  /** All families below these roots (0: none): nodes whose children are leaves. */
  families(roots: Int32Array): Families {
    if (FAMILIES.parents.length < this.used) {
      FAMILIES.parents = new Int32Array(this.capacity);
      FAMILIES.nodes = new Int32Array(this.capacity >> 1);
      FAMILIES.costs = new Float64Array(this.capacity >> 1);
    }
    FAMILIES.count = 0;
    for (const root of roots) {
      if (root !== 0 && !this.isLeaf(root)) {
        FAMILIES.parents[root] = 0;
        this.gatherFamilies(root, FAMILIES);
      }
    }
    return FAMILIES;
  }

  private gatherFamilies(node: number, families: typeof FAMILIES): void {
    const { children } = this;
    const { parents } = families;
    let isFamily = true;
    for (let slot = node << 2; slot < (node << 2) + 4; slot++) {
      const child = children[slot] as number;
      if (child !== 0 && !this.isLeaf(child)) {
        isFamily = false;
        parents[child] = node;
        this.gatherFamilies(child, families);
      }
    }
    if (isFamily) {
      const at = families.count++;
      families.nodes[at] = node;
      families.costs[at] = this.mergeFamily(node);
    }
  }

  /** Makes leaves of all families whose SSE is at most `most`, also of those that come to be by it. */
  foldWithin({ costs, count, nodes, parents }: Families, most: number): void {
    for (let at = 0; at < count; at++) {
      if ((costs[at] as number) <= most) {
        let node = nodes[at] as number;
        this.mergeFamily(node);
        do {
          this.foldFamily(node);
          node = parents[node] as number;
        } while (node !== 0 && this.isFamily(node) && this.mergeFamily(node) <= most);
      }
    }
  }

  /** Whether a node that has children has only leaves as such. */
  private isFamily(node: number): boolean {
    for (let slot = node << 2; slot < (node << 2) + 4; slot++) {
      if (!this.isLeaf(this.children[slot] as number)) {
        return false;
      }
    }
    return true;
  }

  /** Makes a node a leaf with the feature that the last `mergeFamily`, of the same node, computed. */
  private foldFamily(node: number): void {
    this.features.set(MERGED, node * NODE_DOUBLES);
    const first = node << 2;
    for (let slot = first; slot < first + 4; slot++) {
      const child = this.children[slot] as number;
      if (child !== 0) {
        this.release(child);
        this.children[slot] = 0;
      }
    }
  }
}

/** What the next tree is looked through with, too: to allocate it each time takes longer than to fill it. */
const FAMILIES = {
  parents: new Int32Array(0),
  nodes: new Int32Array(0),
  costs: new Float64Array(0),
  count: 0,
};

/** Bytes of one node: its features and children. */
const NODE_BYTES = NODE_DOUBLES * Float64Array.BYTES_PER_ELEMENT + 4 * Int32Array.BYTES_PER_ELEMENT;

type Memory = Uint8Array<ArrayBuffer>;

/** Memory for the features and children of so many nodes, in one buffer: to allocate one takes longer than to fill it. */
function allocateNodes(capacity: number): Memory {
  return new Uint8Array(capacity * NODE_BYTES);
}

/** @param most that there can be */
function roomToFollow(capacity: number, most: number): number {
  return Math.min(Math.ceil(ROOM_TO_FOLLOW * capacity), Math.max(capacity, most));
}

type NodeArrays = [Float64Array<ArrayBuffer>, Int32Array<ArrayBuffer>];

function nodesIn(buffer: ArrayBuffer, from: number, capacity: number): NodeArrays {
  const features = new Float64Array(buffer, from, capacity * NODE_DOUBLES);
  return [features, new Int32Array(buffer, from + features.byteLength, capacity * 4)];
}
