import { MAX_REGION_LEVEL, regionAddress, regionAt } from '../geo/s2.ts';
import { FoldError, InvalidPointError, SummaryFormatError } from './features.ts';
import { FeatureTree } from './feature-tree.ts';

/**
 * What a region actor keeps of one (input partition, cell): the clustering features of the accepted
 * rows, how many they are, and the greatest event time seen. It is a pure function of the sequence of
 * its rows: neither batches nor checkpoints leave a trace in it.
 *
 * Bytes (little-endian): format version 1, 7 zero bytes, float64 rows, float64 watermark, then the
 * tree (`feature-tree-format.ts`).
 */
const SUMMARY_FORMAT_VERSION = 1;

const HEADER_BYTES = 24;

export class RegionSummary {
  /** Index of the region (`src/geo/s2.ts`) at `level`. */
  readonly region: number;
  readonly level: number;
  readonly tree: FeatureTree;
  private folded = 0;
  private latest = -Infinity;

  private constructor(region: number, level: number, tree: FeatureTree) {
    this.region = region;
    this.level = level;
    this.tree = tree;
  }

  /** @throws RangeError for an unknown region, or a feature limit out of range. */
  static empty(region: number, level: number, featureLimit: number): RegionSummary {
    return new RegionSummary(region, level, new FeatureTree(regionAddress(region, level), featureLimit));
  }

  /** Ordinal of the last folded row: the number of accepted rows. */
  get rows(): number {
    return this.folded;
  }

  /** Greatest event time folded, ms since the epoch; -Infinity before the first row. */
  get watermark(): number {
    return this.latest;
  }

  /**
   * Folds the rows at `[from, to)`: unit vectors inside the region, event times in ms.
   * @throws FoldError naming the row that cannot be folded; the rows before it are folded and counted,
   * the row itself left no trace.
   */
  fold(
    x: Float64Array,
    y: Float64Array,
    z: Float64Array,
    time: Float64Array,
    from: number,
    to: number,
  ): void {
    let good = to;
    for (let row = from; row < to; row++) {
      if (!Number.isFinite(time[row])) {
        good = row;
        break;
      }
    }
    try {
      this.tree.insertColumns(x, y, z, from, good);
    } catch (error) {
      if (error instanceof FoldError) {
        this.count(time, from, error.index);
      }
      throw error;
    }
    this.count(time, from, good);
    if (good < to) {
      throw new FoldError(good, new InvalidPointError(`event time ${String(time[good])} is not finite`));
    }
  }

  private count(time: Float64Array, from: number, to: number): void {
    let latest = this.latest;
    for (let row = from; row < to; row++) {
      latest = Math.max(latest, time[row] as number);
    }
    this.latest = latest;
    this.folded += to - from;
  }

  /** The exact state; equal states give equal bytes. */
  encode(): Uint8Array {
    const tree = this.tree.encode();
    const bytes = new Uint8Array(HEADER_BYTES + tree.length);
    const view = new DataView(bytes.buffer);
    bytes[0] = SUMMARY_FORMAT_VERSION;
    view.setFloat64(8, this.folded, true);
    view.setFloat64(16, this.latest, true);
    bytes.set(tree, HEADER_BYTES);
    return bytes;
  }

  /**
   * The summary that `encode` wrote.
   * @throws SummaryFormatError when the bytes are damaged or of an unknown version.
   */
  static decode(bytes: Uint8Array): RegionSummary {
    const version = bytes[0];
    if (version !== undefined && version !== SUMMARY_FORMAT_VERSION) {
      throw new SummaryFormatError(
        `region summary has format version ${String(version)}; this program reads version ${String(SUMMARY_FORMAT_VERSION)}`,
      );
    }
    if (bytes.length < HEADER_BYTES) {
      throw new SummaryFormatError('a region summary is damaged: its header is cut');
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const folded = view.getFloat64(8, true);
    const latest = view.getFloat64(16, true);
    const tree = FeatureTree.decode(bytes.subarray(HEADER_BYTES));
    if (tree.root === 'sphere' || tree.root.level > MAX_REGION_LEVEL) {
      throw new SummaryFormatError('a region summary is damaged: its root is no region');
    }
    if (!Number.isSafeInteger(folded) || folded < 0 || Number.isNaN(latest) || latest === Infinity) {
      throw new SummaryFormatError('a region summary is damaged: its row count or watermark is no number');
    }
    const summary = new RegionSummary(regionAt(tree.root), tree.root.level, tree);
    summary.folded = folded;
    summary.latest = latest;
    return summary;
  }
}
