/**
 * The bytes of a region summary, little-endian, in parts that are stored apart: what has not changed need not
 * be written again.
 *
 * | bytes of the head | what |
 * |---|---|
 * | 0 | format version, 2 |
 * | 1 | level of the region |
 * | 4 | uint32 index of the region |
 * | 8, 16 | float64 rows, watermark |
 * | 24 | names of the panes, ascending by time, ASCII, separated by commas |
 *
 * | bytes of a pane | what |
 * |---|---|
 * | 0 | format version, 2 |
 * | 8, 16, 24, 32 | float64 rows; earliest, latest, sum of their event times |
 * | 40 | the tree (`feature-tree-format.ts`) |
 */
import { type CellAddress, MAX_REGION_LEVEL, regionCount } from '../geo/s2.ts';
import { ENCODED, limitOf, TREE_HEADER_BYTES } from './feature-tree-format.ts';
import { FeatureTree } from './feature-tree.ts';
import { SummaryFormatError } from './features.ts';
import { Pane } from './pane.ts';
import { parsePaneName, type PaneSpan, REST } from './panes.ts';

/** Name of the part that tells of the others. */
export const HEAD = 'head';

export interface SummaryHead {
  readonly region: number;
  readonly level: number;
  readonly rows: number;
  readonly watermark: number;
  /** Names, ascending by time. */
  readonly panes: readonly string[];
}

const FORMAT_VERSION = 2;
const HEAD_BYTES = 24;
const PANE_BYTES = 40;

export function encodeHead({ level, panes, region, rows, watermark }: SummaryHead): Uint8Array {
  const names = new TextEncoder().encode(panes.join(','));
  const bytes = ENCODED.take(HEAD_BYTES + names.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes[0] = FORMAT_VERSION;
  bytes[1] = level;
  view.setUint32(4, region, true);
  view.setFloat64(8, rows, true);
  view.setFloat64(16, watermark, true);
  bytes.set(names, HEAD_BYTES);
  return bytes;
}

/** @throws SummaryFormatError when the bytes are damaged or of an unknown version. */
export function decodeHead(bytes: Uint8Array): SummaryHead {
  const view = opened(bytes, HEAD_BYTES);
  const level = bytes[1] as number;
  const region = view.getUint32(4, true);
  const rows = view.getFloat64(8, true);
  const watermark = view.getFloat64(16, true);
  check(level <= MAX_REGION_LEVEL && region < regionCount(level), 'it is of no region');
  check(Number.isSafeInteger(rows) && rows >= 0, 'its row count is no number of rows');
  check(rows > 0 ? Number.isFinite(watermark) : watermark === -Infinity, 'its watermark is no time');
  return { region, level, rows, watermark, panes: namesIn(bytes) };
}

const ASCII = new TextDecoder();
/** Those that were read last: most regions have the same, and one list of them is enough. */
let lastNames = { text: '', list: [] as readonly string[] };

function namesIn(head: Uint8Array): readonly string[] {
  const text = ASCII.decode(head.subarray(HEAD_BYTES));
  if (text !== lastNames.text) {
    lastNames = { text, list: text === '' ? [] : text.split(',') };
  }
  return lastNames.list;
}

export function encodePane({ earliest, latest, rows, timeSum, tree }: Pane): Uint8Array {
  const bytes = tree.encode(PANE_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes[0] = FORMAT_VERSION;
  view.setFloat64(8, rows, true);
  view.setFloat64(16, earliest, true);
  view.setFloat64(24, latest, true);
  view.setFloat64(32, timeSum, true);
  return bytes;
}

/** Of a region's part, in one epoch: the same number of rows and limit of features, the same bytes. */
export interface PartRevision {
  readonly rows: number;
  readonly limit?: number;
}

/** Of an encoded pane; undefined where there are too few bytes to tell. */
export function revisionOf(bytes: Uint8Array): PartRevision | undefined {
  if (bytes.length < PANE_BYTES + TREE_HEADER_BYTES) {
    return undefined;
  }
  // Asked of every pane for every model: to make a view of the bytes would take longer than the rest.
  for (let at = 0; at < 8; at++) {
    DOUBLE.setUint8(at, bytes[8 + at] as number);
  }
  return { rows: DOUBLE.getFloat64(0, true), limit: limitOf(bytes, PANE_BYTES) };
}

const DOUBLE = new DataView(new ArrayBuffer(8));

/**
 * The pane of that name in the region whose cell is `root`.
 * @param spare a tree that is of no more use, whose memory is taken over where it is enough
 * @throws SummaryFormatError when the bytes are damaged, of another region, or of an unknown version.
 */
export function decodePane(name: string, bytes: Uint8Array, root: CellAddress, spare?: FeatureTree): Pane {
  const view = opened(bytes, PANE_BYTES);
  const tree = FeatureTree.decode(bytes.subarray(PANE_BYTES), spare);
  const own = tree.root;
  check(
    own !== 'sphere' &&
      own.face === root.face &&
      own.level === root.level &&
      own.i === root.i &&
      own.j === root.j,
    'a pane is of another region',
  );
  const pane = new Pane(spanNamed(name), tree);
  pane.rows = view.getFloat64(8, true);
  pane.earliest = view.getFloat64(16, true);
  pane.latest = view.getFloat64(24, true);
  pane.timeSum = view.getFloat64(32, true);
  check(Number.isSafeInteger(pane.rows) && pane.rows > 0, 'the row count of a pane is no number of rows');
  check(tree.totalWeight() === pane.rows, 'a pane holds another number of rows than it says');
  check(
    [pane.earliest, pane.latest, pane.timeSum].every(Number.isFinite) &&
      pane.earliest <= pane.latest &&
      (name === REST || (pane.earliest >= pane.span.from && pane.latest < pane.span.to)),
    'the times of a pane are none',
  );
  return pane;
}

/** Where REST ends the summary that it is of knows. */
function spanNamed(name: string): PaneSpan {
  if (name === REST) {
    return { name, from: -Infinity, to: -Infinity };
  }
  try {
    return parsePaneName(name);
  } catch {
    throw new SummaryFormatError(`a region summary is damaged: ${name} is not the name of a pane`);
  }
}

function opened(bytes: Uint8Array, least: number): DataView {
  const [version] = bytes;
  if (version !== undefined && version !== FORMAT_VERSION) {
    throw new SummaryFormatError(
      `region summary has format version ${String(version)}; this program reads version ${String(FORMAT_VERSION)}`,
    );
  }
  check(bytes.length >= least, 'its header is cut');
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) {
    throw new SummaryFormatError(`a region summary is damaged: ${what}`);
  }
}
