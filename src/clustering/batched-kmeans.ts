import { MAX_REGION_LEVEL, regionAddress, regionCount, regionOf } from '../geo/s2.ts';
import type { FeatureVisitor } from './feature-nodes.ts';
import { FoldError, InvalidPointError, SummaryFormatError, UNIT_TOLERANCE } from './features.ts';
import { StreamingKMeans, type StreamingKMeansOptions } from './streaming-kmeans.ts';

/**
 * What a region keeps of one (input partition, cell) under Spark's rule, in the place of a
 * `RegionSummary`: a streaming k-means of the accepted rows' unit vectors, and the rows of the batch
 * that is not complete yet. Batch b holds the rows with the ordinals [b batchRows, (b + 1) batchRows):
 * neither fetches nor clocks nor checkpoints leave a trace in it.
 *
 * Bytes (little-endian): format version 1, 7 zero bytes, float64 rows, float64 watermark, uint32 region,
 * uint32 level, uint32 batchRows, uint32 zero, then x, y, z of each waiting row (rows modulo batchRows)
 * as float64, then the streaming k-means (`streaming-kmeans-format.ts`).
 */
const FORMAT_VERSION = 1;

const HEADER_BYTES = 40;

const DIMENSION = 3;

/** Most rows of a batch: each may wait in memory and in a checkpoint, with 24 bytes. */
const MAX_BATCH_ROWS = 1_000_000;

const FIRST_CAPACITY = 16;

export interface BatchedKMeansOptions extends Omit<StreamingKMeansOptions, 'dimension'> {
  /** Rows of a batch, in [1, MAX_BATCH_ROWS]. */
  readonly batchRows: number;
}

export class BatchedKMeans {
  /** Index of the region (`src/geo/s2.ts`) at `level`. */
  readonly region: number;
  readonly level: number;
  readonly batchRows: number;
  readonly model: StreamingKMeans;
  /** The waiting rows, one after another; grows up to a batch. */
  private waiting = new Float64Array(FIRST_CAPACITY * DIMENSION);
  private folded = 0;
  private latest = -Infinity;

  private constructor(region: number, level: number, batchRows: number, model: StreamingKMeans) {
    this.region = region;
    this.level = level;
    this.batchRows = batchRows;
    this.model = model;
  }

  /**
   * @throws RangeError for an unknown region, an option out of its range, or a first center that has
   * weight and lies outside the unit ball, where no mean of unit vectors is.
   */
  static empty(region: number, level: number, options: BatchedKMeansOptions): BatchedKMeans {
    const { batchRows } = options;
    regionAddress(region, level);
    if (!isBatchSize(batchRows)) {
      throw new RangeError(
        `batchRows ${String(batchRows)} is not an integer in [1, ${String(MAX_BATCH_ROWS)}]`,
      );
    }
    const model = StreamingKMeans.create({ ...options, dimension: DIMENSION });
    if (!hasMeansOfUnitVectors(model)) {
      throw new RangeError('a first center that has weight lies outside the unit ball');
    }
    return new BatchedKMeans(region, level, batchRows, model);
  }

  /** Ordinal of the last folded row: the number of accepted rows. */
  get rows(): number {
    return this.folded;
  }

  /** Rows of the batch that is not complete: no center shows them yet. */
  get waitingRows(): number {
    return this.folded % this.batchRows;
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
    for (let row = from; row < to; row++) {
      if (!Number.isFinite(time[row])) {
        throw new FoldError(row, new InvalidPointError(`event time ${String(time[row])} is not finite`));
      }
      const problem = this.problemOf(x[row] as number, y[row] as number, z[row] as number);
      if (problem !== undefined) {
        throw new FoldError(row, new InvalidPointError(problem));
      }
      const at = this.waitingRows * DIMENSION;
      this.ensureRoom(at + DIMENSION);
      this.waiting[at] = x[row] as number;
      this.waiting[at + 1] = y[row] as number;
      this.waiting[at + 2] = z[row] as number;
      this.latest = Math.max(this.latest, time[row] as number);
      this.folded++;
      if (this.waitingRows === 0) {
        this.model.update(this.waiting, this.batchRows);
      }
    }
  }

  /**
   * Visits the centers that have weight, by ascending index, as features: the decayed number of rows,
   * their mean (inside the unit ball), and an SSE of 0, because Spark's rule keeps none. So the cost and
   * its bounds cannot be told from them, and the waiting rows are not in them.
   */
  forEachFeature(visit: FeatureVisitor): void {
    const { centers, weights } = this.model;
    weights.forEach((weight, c) => {
      if (weight > 0) {
        const at = c * DIMENSION;
        visit(weight, centers[at] as number, centers[at + 1] as number, centers[at + 2] as number, 0);
      }
    });
  }

  /** The exact state; equal states give equal bytes. */
  encode(): Uint8Array {
    const model = this.model.encode();
    const values = this.waitingRows * DIMENSION;
    const modelAt = HEADER_BYTES + 8 * values;
    const bytes = new Uint8Array(modelAt + model.length);
    const view = new DataView(bytes.buffer);
    bytes[0] = FORMAT_VERSION;
    view.setFloat64(8, this.folded, true);
    view.setFloat64(16, this.latest, true);
    view.setUint32(24, this.region, true);
    view.setUint32(28, this.level, true);
    view.setUint32(32, this.batchRows, true);
    for (let index = 0; index < values; index++) {
      view.setFloat64(HEADER_BYTES + 8 * index, this.waiting[index] as number, true);
    }
    bytes.set(model, modelAt);
    return bytes;
  }

  /**
   * What `encode` wrote, to the bit.
   * @throws SummaryFormatError when the bytes are damaged or of an unknown version.
   */
  static decode(bytes: Uint8Array): BatchedKMeans {
    const version = bytes[0];
    if (version !== undefined && version !== FORMAT_VERSION) {
      throw new SummaryFormatError(
        `batched k-means has format version ${String(version)}; this program reads version ${String(FORMAT_VERSION)}`,
      );
    }
    check(bytes.length >= HEADER_BYTES, 'its header is cut');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const folded = view.getFloat64(8, true);
    const latest = view.getFloat64(16, true);
    const region = view.getUint32(24, true);
    const level = view.getUint32(28, true);
    const batchRows = view.getUint32(32, true);
    check(
      view.getUint32(0, true) === FORMAT_VERSION &&
        view.getUint32(4, true) === 0 &&
        view.getUint32(36, true) === 0,
      'its header is damaged',
    );
    check(level <= MAX_REGION_LEVEL && region < regionCount(level), 'its root is no region');
    check(isBatchSize(batchRows), 'its batch size is out of range');
    check(Number.isSafeInteger(folded) && folded >= 0, 'its row count is no number of rows');
    check(folded === 0 ? latest === -Infinity : Number.isFinite(latest), 'its watermark is no time');
    const values = (folded % batchRows) * DIMENSION;
    const modelAt = HEADER_BYTES + 8 * values;
    check(bytes.length >= modelAt, 'its waiting rows are cut');
    const model = StreamingKMeans.decode(bytes.subarray(modelAt));
    check(model.dimension === DIMENSION && hasMeansOfUnitVectors(model), 'its centers are not on the earth');
    check(model.started || folded < batchRows, 'it has no centers after its first batch');

    const restored = new BatchedKMeans(region, level, batchRows, model);
    restored.ensureRoom(values);
    for (let index = 0; index < values; index++) {
      restored.waiting[index] = view.getFloat64(HEADER_BYTES + 8 * index, true);
    }
    const { waiting } = restored;
    for (let at = 0; at < values; at += DIMENSION) {
      const [x, y, z] = [waiting[at] as number, waiting[at + 1] as number, waiting[at + 2] as number];
      check(restored.problemOf(x, y, z) === undefined, 'a waiting row is not in its region');
    }
    restored.folded = folded;
    restored.latest = latest;
    return restored;
  }

  /** Why a position cannot be folded, if so. */
  private problemOf(x: number, y: number, z: number): string | undefined {
    const excess = x * x + y * y + z * z - 1;
    // Written so that NaN fails too.
    if (!(excess > -UNIT_TOLERANCE && excess < UNIT_TOLERANCE)) {
      return `(${String(x)}, ${String(y)}, ${String(z)}) is not a unit vector`;
    }
    return regionOf(x, y, z, this.level) === this.region
      ? undefined
      : `(${String(x)}, ${String(y)}, ${String(z)}) is outside the region's cell`;
  }

  private ensureRoom(values: number): void {
    if (values > this.waiting.length) {
      const most = this.batchRows * DIMENSION;
      const grown = new Float64Array(Math.min(most, Math.max(values, 2 * this.waiting.length)));
      grown.set(this.waiting);
      this.waiting = grown;
    }
  }
}

function isBatchSize(batchRows: number): boolean {
  return Number.isInteger(batchRows) && batchRows >= 1 && batchRows <= MAX_BATCH_ROWS;
}

/** Whether every center that has weight is in the unit ball, as means of unit vectors are. */
function hasMeansOfUnitVectors({ centers, weights }: StreamingKMeans): boolean {
  return weights.every((weight, c) => {
    const center = centers.subarray(c * DIMENSION, (c + 1) * DIMENSION);
    return weight === 0 || center.reduce((sum, value) => sum + value * value, 0) < 1 + UNIT_TOLERANCE;
  });
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) {
    throw new SummaryFormatError(`a batched k-means is damaged: ${what}`);
  }
}
