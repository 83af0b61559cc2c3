import { MAX_REGION_LEVEL, regionAddress, regionCount, regionOf } from '../geo/s2.ts';
import { FoldError, InvalidPointError, SummaryFormatError, UNIT_TOLERANCE } from './features.ts';
import type { RegionState, StatePart } from './region-state.ts';
import { StreamingKMeans, type StreamingKMeansOptions } from './streaming-kmeans.ts';

/**
 * What a region keeps of one (input partition, cell) under Spark's rule, in the place of a
 * `RegionSummary`: a streaming k-means of the accepted rows' unit vectors, and the rows of the batch
 * that is not complete yet. Batch b holds the rows with the ordinals [b batchRows, (b + 1) batchRows):
 * neither fetches nor clocks nor checkpoints leave a trace in it.
 *
 * Bytes (little-endian): format version 1, 1 if first centers were given weight (else 0), 6 zero bytes,
 * float64 rows, float64 watermark, uint32 region, uint32 level, uint32 batchRows, uint32 zero, float64 weight
 * displaced, then x, y, z of each waiting row (rows modulo batchRows) as float64, then the streaming k-means
 * (`streaming-kmeans-format.ts`).
 */
const FORMAT_VERSION = 1;

const HEADER_BYTES = 48;

/** The one part that is stored. */
export const KMEANS = 'kmeans';

const DIMENSION = 3;

/** Most rows of a batch: each may wait in memory and in a checkpoint, with 24 bytes, and all are folded at once. */
export const MAX_BATCH_ROWS = 10_000;

const FIRST_CAPACITY = 16;

export interface BatchedKMeansOptions extends Omit<StreamingKMeansOptions, 'dimension'> {
  /** Rows of a batch, in [1, MAX_BATCH_ROWS]. */
  readonly batchRows: number;
}

interface Place {
  readonly region: number;
  readonly level: number;
}

/** What stands before the waiting rows. */
export interface KMeansHead extends Place {
  readonly rows: number;
  readonly watermark: number;
  readonly batchRows: number;
  readonly displaced: number;
  readonly weighted: boolean;
}

export class BatchedKMeans implements RegionState {
  /** Index of the region (`src/geo/s2.ts`) at `level`. */
  readonly region: number;
  readonly level: number;
  readonly batchRows: number;
  readonly model: StreamingKMeans;
  /** First centers were given weight: they count like rows at their places, which may be outside of the region. */
  readonly weighted: boolean;
  /** The waiting rows, one after another; grows up to a batch. */
  private waiting = new Float64Array(FIRST_CAPACITY * DIMENSION);
  private folded = 0;
  private latest = -Infinity;
  private moved = 0;

  private constructor(place: Place, batchRows: number, model: StreamingKMeans, weighted: boolean) {
    this.region = place.region;
    this.level = place.level;
    this.batchRows = batchRows;
    this.model = model;
    this.weighted = weighted;
  }

  /**
   * @throws RangeError for an unknown region, an option out of its range, or a first center that has
   * weight and is no unit vector: it counts like a row.
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
    if (!everyWeighted(model, (squared) => Math.abs(squared - 1) < UNIT_TOLERANCE)) {
      throw new RangeError('a first center that has weight is not a unit vector');
    }
    const weighted = model.weights.some((weight) => weight > 0);
    return new BatchedKMeans({ region, level }, batchRows, model, weighted);
  }

  /** Ordinal of the last folded row: the number of accepted rows. */
  get rows(): number {
    return this.folded;
  }

  /** Rows of the batch that is not complete: no center shows them yet. */
  get waitingRows(): number {
    return this.folded % this.batchRows;
  }

  /** The waiting rows' unit vectors, x, y, z of one after another: to be read, and only until the next fold. */
  get waitingPoints(): Float64Array {
    return this.waiting.subarray(0, this.waitingRows * DIMENSION);
  }

  /** Of the centers' weight: what clusters weighed that were given up, and counts where others were split. */
  get displaced(): number {
    return this.moved;
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
        this.moved *= this.model.discountOf(this.batchRows);
        this.moved += this.model.update(this.waiting, this.batchRows);
      }
    }
  }

  parts(): readonly StatePart[] {
    return [{ name: KMEANS, revision: String(this.folded), encode: () => this.encode() }];
  }

  /** The exact state; equal states give equal bytes. */
  encode(): Uint8Array {
    const model = this.model.encode();
    const values = this.waitingRows * DIMENSION;
    const modelAt = HEADER_BYTES + 8 * values;
    const bytes = new Uint8Array(modelAt + model.length);
    const view = new DataView(bytes.buffer);
    bytes[0] = FORMAT_VERSION;
    bytes[1] = this.weighted ? 1 : 0;
    view.setFloat64(8, this.folded, true);
    view.setFloat64(16, this.latest, true);
    view.setUint32(24, this.region, true);
    view.setUint32(28, this.level, true);
    view.setUint32(32, this.batchRows, true);
    view.setFloat64(40, this.moved, true);
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
    const {
      batchRows,
      displaced,
      region,
      level,
      rows: folded,
      watermark,
      weighted,
    } = decodeKMeansHead(bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const values = (folded % batchRows) * DIMENSION;
    const modelAt = HEADER_BYTES + 8 * values;
    check(bytes.length >= modelAt, 'its waiting rows are cut');
    const model = StreamingKMeans.decode(bytes.subarray(modelAt));
    check(
      // Every center that has weight is a mean of unit vectors.
      model.dimension === DIMENSION && everyWeighted(model, (squared) => squared < 1 + UNIT_TOLERANCE),
      'its centers are not on the earth',
    );
    check(model.started || folded < batchRows, 'it has no centers after its first batch');

    const restored = new BatchedKMeans({ region, level }, batchRows, model, weighted);
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
    restored.latest = watermark;
    restored.moved = displaced;
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

/**
 * What the first bytes that `BatchedKMeans.encode` wrote say; the others may be missing.
 * @throws SummaryFormatError when they are damaged or of an unknown version.
 */
export function decodeKMeansHead(bytes: Uint8Array): KMeansHead {
  const version = bytes[0];
  if (version !== undefined && version !== FORMAT_VERSION) {
    throw new SummaryFormatError(
      `batched k-means has format version ${String(version)}; this program reads version ${String(FORMAT_VERSION)}`,
    );
  }
  check(bytes.length >= HEADER_BYTES, 'its header is cut');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const weighted = view.getUint8(1);
  const rows = view.getFloat64(8, true);
  const watermark = view.getFloat64(16, true);
  const region = view.getUint32(24, true);
  const level = view.getUint32(28, true);
  const batchRows = view.getUint32(32, true);
  const displaced = view.getFloat64(40, true);
  check(
    weighted <= 1 &&
      view.getUint16(2, true) === 0 &&
      view.getUint32(4, true) === 0 &&
      view.getUint32(36, true) === 0,
    'its header is damaged',
  );
  check(level <= MAX_REGION_LEVEL && region < regionCount(level), 'its root is no region');
  check(isBatchSize(batchRows), 'its batch size is out of range');
  check(Number.isSafeInteger(rows) && rows >= 0, 'its row count is no number of rows');
  check(rows === 0 ? watermark === -Infinity : Number.isFinite(watermark), 'its watermark is no time');
  // -0 is not what is written.
  check(displaced >= 0 && displaced < Infinity && !Object.is(displaced, -0), 'its displaced weight is none');
  return { region, level, rows, watermark, batchRows, displaced, weighted: weighted === 1 };
}

function isBatchSize(batchRows: number): boolean {
  return Number.isInteger(batchRows) && batchRows >= 1 && batchRows <= MAX_BATCH_ROWS;
}

/** Whether the squared length of every center that has weight is as wanted. */
function everyWeighted(
  { centers, weights }: StreamingKMeans,
  wanted: (squaredLength: number) => boolean,
): boolean {
  return weights.every((weight, c) => {
    const center = centers.subarray(c * DIMENSION, (c + 1) * DIMENSION);
    return weight === 0 || wanted(center.reduce((sum, value) => sum + value * value, 0));
  });
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) {
    throw new SummaryFormatError(`a batched k-means is damaged: ${what}`);
  }
}
