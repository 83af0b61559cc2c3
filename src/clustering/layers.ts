import { FACES, FeatureNodes, NODE_DOUBLES, PENDING, type Quadtree } from './feature-nodes.ts';
import type { TreeRoot } from './feature-tree-format.ts';
import type { FeatureTree } from './feature-tree.ts';
import { mergeFeature } from './merge-feature.ts';

/** A quadtree of features, and what all rows in a node's cell are together. */
export interface Layer extends Quadtree {
  /** NODE_DOUBLES a node, or more: its own feature, merged with those of all nodes below it. */
  readonly sums: Float64Array;
  /** Number of rows. */
  readonly rows: number;
}

/** Layers over the same cell: what lies in a cell is the sum of what lies there in each. */
export interface Layers {
  readonly root: TreeRoot;
  readonly layers: readonly Layer[];
  /** By layer: its weights and SSE count so many times. */
  readonly factors: readonly number[];
}

/** The rows of one region. */
export interface LayeredRegion extends Layers {
  /** Number of rows. */
  readonly rows: number;
  /** Relative error of what a row counts: factors and sums of weights are rounded. 0 where each row counts 1. */
  readonly blur: number;
}

/** What is merged, before it is laid out level by level: one for all, there are hundreds of regions. */
const MERGING = new FeatureNodes();
/** Arrays of sums are made so much longer, for the next layer of the same cell. */
const SPARE = 1.25;

/**
 * A tree as a layer. The tree must not be changed any more.
 * @param spare what another layer had, that is of no more use, for its sums
 */
export function layerOf(tree: FeatureTree, spare?: Float64Array): Layer {
  const { features } = tree.quadtree.nodes;
  const isRoom = spare !== undefined && spare.length >= features.length;
  return summed(
    tree.quadtree,
    tree.totalWeight(),
    isRoom ? spare : new Float64Array(Math.ceil(SPARE * features.length)),
  );
}

/** One layer of all rows of trees over the same cell, each tree's rows counting `factors` times. */
export function mergedLayer(trees: readonly FeatureTree[], factors: readonly number[]): Layer {
  const nodes = MERGING;
  nodes.clear();
  const roots = new Int32Array(FACES);
  for (let at = 0; at < trees.length; at++) {
    const { quadtree } = trees[at] as FeatureTree;
    for (let face = 0; face < FACES; face++) {
      const root = quadtree.roots[face] as number;
      if (root !== 0) {
        roots[face] = overlay(nodes, roots[face] as number, quadtree.nodes, root, factors[at] as number);
      }
    }
  }
  const quadtree = byLevels({ roots, nodes });
  const rows = trees.reduce((sum, tree) => sum + tree.totalWeight(), 0);
  return summed(quadtree, rows, new Float64Array(quadtree.nodes.features.length));
}

/**
 * The same tree, level by level: what a walk looks at, the upper levels and brothers, lies side by side in memory.
 * Of a layer that is walked many times most time is spent on waiting for memory.
 */
function byLevels({ nodes, roots }: Quadtree): Quadtree {
  const from = new Int32Array(nodes.live + 1);
  let found = 0;
  const movedRoots = roots.map((root) => {
    if (root === 0) {
      return 0;
    }
    from[++found] = root;
    return found;
  });
  const moved = FeatureNodes.of(nodes.live);
  const { children, features } = moved;
  for (let node = 1; node <= nodes.live; node++) {
    const given = from[node] as number;
    for (let d = 0; d < NODE_DOUBLES; d++) {
      features[node * NODE_DOUBLES + d] = nodes.features[given * NODE_DOUBLES + d] as number;
    }
    for (let quadrant = 0; quadrant < 4; quadrant++) {
      const child = nodes.children[(given << 2) + quadrant] as number;
      if (child !== 0) {
        from[++found] = child;
        children[(node << 2) + quadrant] = found;
      }
    }
  }
  return { roots: movedRoots, nodes: moved };
}

/** Merges a subtree of `from` into the node, 0 for none, of the same cell; returns the node. */
function overlay(
  into: FeatureNodes,
  node: number,
  from: FeatureNodes,
  given: number,
  factor: number,
): number {
  const { children, features } = from;
  let own = node;
  if (own === 0) {
    into.ensureRoom(Infinity);
    PENDING.fill(0);
    own = into.create();
  }
  // One of weight 0 takes any.
  mergeFeature(into.features, own * NODE_DOUBLES, features, given * NODE_DOUBLES, factor);
  for (let quadrant = 0; quadrant < 4; quadrant++) {
    const child = children[(given << 2) + quadrant] as number;
    if (child !== 0) {
      const slot = (own << 2) + quadrant;
      // Read anew each time: the nodes move to larger arrays.
      const linked = overlay(into, into.children[slot] as number, from, child, factor);
      into.children[slot] = linked;
    }
  }
  return own;
}

function summed({ nodes, roots }: Quadtree, rows: number, sums: Float64Array): Layer {
  sums.set(nodes.features);
  if (nodes.isDescending) {
    for (let node = nodes.live; node > 0; node--) {
      addChildren(nodes.children, sums, node);
    }
  } else {
    for (const root of roots) {
      if (root !== 0) {
        sumUp(nodes.children, sums, root);
      }
    }
  }
  return { roots, nodes, sums, rows };
}

function sumUp(children: Int32Array, sums: Float64Array, node: number): void {
  for (let slot = node << 2; slot < (node << 2) + 4; slot++) {
    const child = children[slot] as number;
    if (child !== 0) {
      sumUp(children, sums, child);
    }
  }
  addChildren(children, sums, node);
}

function addChildren(children: Int32Array, sums: Float64Array, node: number): void {
  for (let slot = node << 2; slot < (node << 2) + 4; slot++) {
    const child = children[slot] as number;
    if (child !== 0) {
      mergeFeature(sums, node * NODE_DOUBLES, sums, child * NODE_DOUBLES, 1);
    }
  }
}
