import { type CellAddress, MAX_LEVEL } from '../geo/s2.ts';
import { FeatureNodes, NODE_DOUBLES } from './feature-nodes.ts';
import { SummaryFormatError } from './features.ts';

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

const HEADER_BYTES = 32;
const NODE_BYTES = 8 * NODE_DOUBLES;
const FACES = 6;
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

export function encodeTree(state: TreeState): Uint8Array {
  const { root, roots, nodes } = state;
  const count = nodes.live;
  const bytes = new Uint8Array(HEADER_BYTES + count * (1 + NODE_BYTES));
  const view = new DataView(bytes.buffer);
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
  let maskAt = HEADER_BYTES;
  let featureAt = HEADER_BYTES + count;
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
  return bytes;
}

/** @throws SummaryFormatError when the bytes are no tree, are cut or damaged, or of an unknown version. */
export function decodeTree(bytes: Uint8Array): TreeState {
  const version = bytes[0];
  if (version !== TREE_FORMAT_VERSION) {
    throw new SummaryFormatError(
      version === undefined
        ? 'a region summary is empty'
        : `region summary has format version ${String(version)}; this program reads version ${String(TREE_FORMAT_VERSION)}`,
    );
  }
  check(bytes.length >= HEADER_BYTES, 'its header is cut');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const limit = view.getUint32(12, true);
  const count = view.getUint32(16, true);
  const threshold = view.getFloat64(24, true);
  check(
    limit >= MIN_FEATURE_LIMIT && limit <= MAX_FEATURE_LIMIT && count <= limit,
    'its feature count is out of range',
  );
  check(
    bytes.length === HEADER_BYTES + count * (1 + NODE_BYTES),
    'its length does not fit its feature count',
  );
  check(threshold >= 0 && threshold < Infinity, 'its threshold is no SSE');
  const root = readRoot(bytes, view);

  const nodes = new FeatureNodes();
  nodes.reserve(count);
  let maskAt = HEADER_BYTES;
  let featureAt = HEADER_BYTES + count;
  const masksEnd = featureAt;
  const next = (): number => {
    const value = view.getFloat64(featureAt, true);
    featureAt += 8;
    return value;
  };
  const read = (level: number): number => {
    check(maskAt < masksEnd, 'it has fewer features than its structure');
    const mask = bytes[maskAt++] as number;
    check(mask < 16 && (mask === 0 || level < MAX_LEVEL), 'its structure is damaged');
    const weight = next();
    const x = next();
    const y = next();
    const z = next();
    const sse = next();
    check(
      weight > 0 && weight < Infinity && sse >= 0 && sse < Infinity,
      'a feature has no valid weight or SSE',
    );
    check(Math.abs(x) <= 2 && Math.abs(y) <= 2 && Math.abs(z) <= 2, 'a feature has no valid mean');
    nodes.pending.set([weight, x, y, z, sse]);
    const node = nodes.create();
    for (let quadrant = 0; quadrant < 4; quadrant++) {
      if ((mask & (1 << quadrant)) !== 0) {
        nodes.children[(node << 2) | quadrant] = read(level + 1);
      }
    }
    return node;
  };
  const faces = bytes[3] as number;
  check(
    faces < 64 && (root === 'sphere' || (faces & ~(1 << root.face)) === 0),
    'its faces do not fit its root',
  );
  const roots = new Int32Array(FACES);
  for (let face = 0; face < FACES; face++) {
    if ((faces & (1 << face)) !== 0) {
      roots[face] = read(root === 'sphere' ? 0 : root.level);
    }
  }
  check(maskAt === masksEnd, 'it has more features than its structure');
  return { root, limit, threshold, roots, nodes };
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
