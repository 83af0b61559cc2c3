import { SummaryFormatError } from './features.ts';

/**
 * The bytes of a streaming k-means, little-endian:
 *
 * | bytes | what |
 * |---|---|
 * | 0 | format version, 1 |
 * | 1 | unit of the decay: 0 batches, 1 points |
 * | 2 | 1 while the centers wait for a first batch to be drawn from, 0 once they are there |
 * | 3 | zero |
 * | 4 | uint32 number of centers, k |
 * | 8 | uint32 dimension, d |
 * | 12 | uint32 zero |
 * | 16 | float64 decay factor |
 * | 24 | int64 seed of the drawing; 0 once the centers are there |
 * | 32 | k times d float64: the centers, row by row |
 * | 32 + 8 k d | k float64: their weights |
 */
const FORMAT_VERSION = 1;

const HEADER_BYTES = 32;

export const MAX_CENTERS = 1000;
export const MAX_DIMENSION = 1000;

/** Largest absolute coordinate: squares and sums of what is below it stay finite. */
export const MAX_COORDINATE = 1e150;

/** What a discount is for: each batch, or each point of it. */
export type TimeUnit = 'batches' | 'points';

const UNITS: readonly TimeUnit[] = ['batches', 'points'];

/** All that the future of a streaming k-means depends on. */
export interface StreamingKMeansState {
  readonly k: number;
  readonly dimension: number;
  readonly decayFactor: number;
  readonly timeUnit: TimeUnit;
  /** Seed by which the centers are drawn from the first batch; undefined once they are there. */
  readonly seed: number | undefined;
  /** k rows of `dimension` coordinates; zeros while they wait for the first batch. */
  readonly centers: Float64Array;
  readonly weights: Float64Array;
}

export function encodeStreamingKMeans(state: StreamingKMeansState): Uint8Array {
  const { k, dimension, seed, centers, weights } = state;
  const bytes = new Uint8Array(HEADER_BYTES + 8 * (centers.length + weights.length));
  const view = new DataView(bytes.buffer);
  bytes[0] = FORMAT_VERSION;
  bytes[1] = UNITS.indexOf(state.timeUnit);
  bytes[2] = seed === undefined ? 0 : 1;
  view.setUint32(4, k, true);
  view.setUint32(8, dimension, true);
  view.setFloat64(16, state.decayFactor, true);
  view.setBigInt64(24, BigInt(seed ?? 0), true);
  let at = HEADER_BYTES;
  for (const column of [centers, weights]) {
    for (const value of column) {
      view.setFloat64(at, value, true);
      at += 8;
    }
  }
  return bytes;
}

/** @throws SummaryFormatError when the bytes are cut or damaged, or of an unknown version. */
export function decodeStreamingKMeans(bytes: Uint8Array): StreamingKMeansState {
  const version = bytes[0];
  if (version !== FORMAT_VERSION) {
    throw new SummaryFormatError(
      version === undefined
        ? 'a streaming k-means is empty'
        : `streaming k-means has format version ${String(version)}; this program reads version ${String(FORMAT_VERSION)}`,
    );
  }
  check(bytes.length >= HEADER_BYTES, 'its header is cut');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const timeUnit = UNITS[bytes[1] as number];
  check(timeUnit !== undefined, 'its unit of decay is unknown');
  const waiting = bytes[2] as number;
  check(waiting <= 1 && bytes[3] === 0 && view.getUint32(12, true) === 0, 'its header is damaged');
  const k = view.getUint32(4, true);
  const dimension = view.getUint32(8, true);
  check(
    k >= 1 && k <= MAX_CENTERS && dimension >= 1 && dimension <= MAX_DIMENSION,
    'its shape is out of range',
  );
  check(bytes.length === HEADER_BYTES + 8 * k * (dimension + 1), 'its length does not fit its shape');
  const decayFactor = view.getFloat64(16, true);
  check(decayFactor >= 0 && decayFactor <= 1, 'its decay factor is out of range');
  const seed = Number(view.getBigInt64(24, true));
  check(Number.isSafeInteger(seed) && (waiting === 1 || seed === 0), 'its seed is out of range');

  const column = (from: number, length: number): Float64Array =>
    Float64Array.from({ length }, (_, index) => view.getFloat64(HEADER_BYTES + 8 * (from + index), true));
  const centers = column(0, k * dimension);
  const weights = column(k * dimension, k);
  check(centers.every(isCoordinate), 'a coordinate of a center is out of range');
  check(weights.every(isWeight), 'the weight of a center is out of range');
  check(
    waiting === 0 || (centers.every((x) => x === 0) && weights.every((w) => w === 0)),
    'it has centers before its first batch',
  );
  return {
    k,
    dimension,
    decayFactor,
    timeUnit,
    seed: waiting === 1 ? seed : undefined,
    centers,
    weights,
  };
}

/** Whether a number can be a coordinate of a point or center. */
export function isCoordinate(value: number): boolean {
  return Math.abs(value) <= MAX_COORDINATE;
}

/** Whether a number can be the weight of a center. */
export function isWeight(value: number): boolean {
  return value >= 0 && value < Infinity;
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) {
    throw new SummaryFormatError(`a streaming k-means is damaged: ${what}`);
  }
}
