import { type CellAddress, MAX_LEVEL } from '../geo/s2.ts';
import { FACES, FeatureNodes, NODE_DOUBLES } from './feature-nodes.ts';
import { SummaryFormatError } from './features.ts';
import { Slab } from './slab.ts';

/**
 * The bytes of a feature tree, little-endian:
 *
 * | bytes | what |
 * |---|---|
 * | 0 | format version, 1 |
 * | 1 | level of the root cell |
 * | 2 | face of the root cell, 6 for the whole sphere |
 * | 3 | bit f: face f has a node |
 * | 4, 8 | uint32 i and j of the root cell |
 * | 12 | uint32 limit of features |
 * | 16 | uint32 number of features, n |
 * | 20 | uint32 zero |
 * | 24 | float64 threshold T |
 * | 32 | n bytes, one a node in pre-order: bit q is set when it has a child in quadrant q |
 * | 32 + n | n times five float64 in pre-order: weight, mean x, y, z, SSE |
 */
const TREE_FORMAT_VERSION = 1;

export const TREE_HEADER_BYTES = 32;
const NODE_BYTES = 8 * NODE_DOUBLES;
const SPHERE = 6;

/** Smallest bound on the number of features: coarsening cannot go below one feature a face. */
export const MIN_FEATURE_LIMIT = 8;
export const MAX_FEATURE_LIMIT = 1_000_000;

/** What a tree covers: one S2 cell, or the whole sphere (the six faces). */
export type TreeRoot = CellAddress | 'sphere';

/** All that a tree's future depends on. */
export interface TreeState {
  readonly root: TreeRoot;
  readonly limit: number;
  readonly threshold: number;
  /** Node of each face's root, 0 where there is none. */
  readonly roots: Int32Array<ArrayBuffer>;
  readonly nodes: FeatureNodes;
}

/** What is encoded is written at once, and of no more use then. */
export const ENCODED = new Slab(256 * 1024);

/** @param before so many bytes are left for what is to come before it */
export function encodeTree(state: TreeState, before = 0): Uint8Array {
  const { root, roots, nodes } = state;
  const count = nodes.live;
  const all = ENCODED.take(before + TREE_HEADER_BYTES + count * (1 + NODE_BYTES));
  const bytes = all.subarray(before);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes[0] = TREE_FORMAT_VERSION;
  bytes[2] = SPHERE;
  if (root !== 'sphere') {
    bytes[1] = root.level;
    bytes[2] = root.face;
    view.setUint32(4, root.i, true);
    view.setUint32(8, root.j, true);
  }
  view.setUint32(12, state.limit, true);
  view.setUint32(16, count, true);
  view.setFloat64(24, state.threshold, true);

  const { features, children } = nodes;
  let maskAt = TREE_HEADER_BYTES;
  let featureAt = TREE_HEADER_BYTES + count;
  const write = (node: number): void => {
    const first = node << 2;
    let mask = 0;
    for (let quadrant = 0; quadrant < 4; quadrant++) {
      if (children[first + quadrant] !== 0) {
        mask |= 1 << quadrant;
      }
    }
    bytes[maskAt++] = mask;
    const from = node * NODE_DOUBLES;
    for (let d = from; d < from + NODE_DOUBLES; d++) {
      view.setFloat64(featureAt, features[d] as number, true);
      featureAt += 8;
    }
    if (mask === 0) {
      return;
    }
    for (let slot = first; slot < first + 4; slot++) {
      const child = children[slot] as number;
      if (child !== 0) {
        write(child);
      }
    }
  };
  let faces = 0;
  roots.forEach((node, face) => {
    if (node !== 0) {
      faces |= 1 << face;
      write(node);
    }
  });
  bytes[3] = faces;
  return all;
}

/** The limit of the tree whose bytes begin there. */
export function limitOf(bytes: Uint8Array, at: number): number {
  const from = at + 12;
  const low =
    (bytes[from] as number) | ((bytes[from + 1] as number) << 8) | ((bytes[from + 2] as number) << 16);
  return (low | ((bytes[from + 3] as number) << 24)) >>> 0;
}

/**
 * @param spare nodes that are of no more use, whose memory is taken over where it is enough
 * @throws SummaryFormatError when the bytes are no tree, are cut or damaged, or of an unknown version.
 */
export function decodeTree(bytes: Uint8Array, spare?: FeatureNodes): TreeState {
  const version = bytes[0];
  if (version !== TREE_FORMAT_VERSION) {
    throw new SummaryFormatError(
      version === undefined
        ? 'a region summary is empty'
        : `region summary has format version ${String(version)}; this program reads version ${String(TREE_FORMAT_VERSION)}`,
    );
  }
  check(bytes.length >= TREE_HEADER_BYTES, 'its header is cut');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const limit = limitOf(bytes, 0);
  const count = view.getUint32(16, true);
  const threshold = view.getFloat64(24, true);
  check(
    limit >= MIN_FEATURE_LIMIT && limit <= MAX_FEATURE_LIMIT && count <= limit,
    'its feature count is out of range',
  );
  check(
    bytes.length === TREE_HEADER_BYTES + count * (1 + NODE_BYTES),
    'its length does not fit its feature count',
  );
  check(threshold >= 0 && threshold < Infinity, 'its threshold is no SSE');
  const root = readRoot(bytes, view);

  const faces = bytes[3] as number;
  check(
    faces < 64 && (root === 'sphere' || (faces & ~(1 << root.face)) === 0),
    'its faces do not fit its root',
  );
  const nodes = readFeatures(view, FeatureNodes.toFill(count, spare, limit), count);
  const masks = bytes.subarray(TREE_HEADER_BYTES, TREE_HEADER_BYTES + count);
  const roots = readStructure(masks, faces, root === 'sphere' ? 0 : root.level, nodes.children);
  return { root, limit, threshold, roots, nodes };
}

/** The features as nodes 1, 2, ... in pre-order, not yet linked. */
function readFeatures(view: DataView, nodes: FeatureNodes, count: number): FeatureNodes {
  const { features } = nodes;
  let from = TREE_HEADER_BYTES + count;
  for (let at = NODE_DOUBLES; at < (count + 1) * NODE_DOUBLES; at += NODE_DOUBLES) {
    const weight = view.getFloat64(from, true);
    const x = view.getFloat64(from + 8, true);
    const y = view.getFloat64(from + 16, true);
    const z = view.getFloat64(from + 24, true);
    const sse = view.getFloat64(from + 32, true);
    from += NODE_BYTES;
    check(
      weight > 0 && weight < Infinity && sse >= 0 && sse < Infinity,
      'a feature has no valid weight or SSE',
    );
    check(Math.abs(x) <= 2 && Math.abs(y) <= 2 && Math.abs(z) <= 2, 'a feature has no valid mean');
    features[at] = weight;
    features[at + 1] = x;
    features[at + 2] = y;
    features[at + 3] = z;
    features[at + 4] = sse;
  }
  return nodes;
}

/** Children that are to come, the next one last: where they are to be linked, and their level. */
const SLOTS = new Int32Array(4 * (MAX_LEVEL + 1));
const LEVELS = new Int32Array(4 * (MAX_LEVEL + 1));

/** Links the nodes, whose children's masks come in pre-order; returns the node of each face's root. */
function readStructure(
  masks: Uint8Array,
  faces: number,
  rootLevel: number,
  children: Int32Array,
): Int32Array<ArrayBuffer> {
  const roots = new Int32Array(FACES);
  const [slots, levels] = [SLOTS, LEVELS];
  let node = 1;
  for (let face = 0; face < FACES; face++) {
    if ((faces & (1 << face)) === 0) {
      continue;
    }
    roots[face] = node;
    let open = 0;
    let level = rootLevel;
    for (;;) {
      check(node <= masks.length, 'it has fewer features than its structure');
      const mask = masks[node - 1] as number;
      check(mask < 16 && (mask === 0 || level < MAX_LEVEL), 'its structure is damaged');
      for (let quadrant = 3; quadrant >= 0; quadrant--) {
        if ((mask & (1 << quadrant)) !== 0) {
          slots[open] = (node << 2) | quadrant;
          levels[open++] = level + 1;
        }
      }
      node++;
      if (open === 0) {
        break;
      }
      open--;
      children[slots[open] as number] = node;
      level = levels[open] as number;
    }
  }
  check(node === masks.length + 1, 'it has more features than its structure');
  return roots;
}

function readRoot(bytes: Uint8Array, view: DataView): TreeRoot {
  const level = bytes[1] as number;
  const face = bytes[2] as number;
  if (face === SPHERE) {
    return 'sphere';
  }
  const i = view.getUint32(4, true);
  const j = view.getUint32(8, true);
  const size = 2 ** level;
  check(face < FACES && level <= MAX_LEVEL && i < size && j < size, 'its root is no cell');
  return { face, level, i, j };
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) {
    throw new SummaryFormatError(`a region summary is damaged: ${what}`);
  }
}
