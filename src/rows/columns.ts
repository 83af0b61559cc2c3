/**
 * Rows as columns over one shared buffer: what a kernel fills and what the stages read. One row has
 * one index in every column. The byte columns point into the bytes that were parsed.
 */
export interface RowColumns {
  readonly capacity: number;
  /** Degrees east; meaningless where the verdict is not 0. */
  readonly longitude: Float64Array;
  /** Degrees north; meaningless where the verdict is not 0. */
  readonly latitude: Float64Array;
  /** Event time, milliseconds since the epoch (UTC); meaningless where the verdict is not 0. */
  readonly time: Float64Array;
  /** Byte index of the line's first byte. */
  readonly lineStart: Uint32Array;
  /** Bytes of the line without its line end (LF or CRLF). */
  readonly lineLength: Uint32Array;
  /** 0 for an accepted row, else the index of its reason in `REJECT_REASONS`. */
  readonly verdict: Uint8Array;
  /** Number of this row's line, relative to the first line of the parsed bytes (blank lines count). */
  readonly lineIndex: Uint32Array;
}

export interface RowCounts {
  /** Rows written to the columns, from index `firstRow` of the call. */
  readonly rows: number;
  /** Bytes consumed, up to and including the last line end. */
  readonly bytes: number;
  /** Lines consumed, blank ones included. */
  readonly lines: number;
}

const BYTES_PER_ROW = 3 * 8 + 3 * 4 + 1;

/** Allocates columns for `capacity` rows in one buffer. */
export function allocateColumns(capacity: number): RowColumns {
  const buffer = new ArrayBuffer(capacity * BYTES_PER_ROW + 8);
  let at = 0;
  const take = (bytes: number): number => {
    const start = at;
    at += bytes;
    return start;
  };
  return {
    capacity,
    longitude: new Float64Array(buffer, take(capacity * 8), capacity),
    latitude: new Float64Array(buffer, take(capacity * 8), capacity),
    time: new Float64Array(buffer, take(capacity * 8), capacity),
    lineStart: new Uint32Array(buffer, take(capacity * 4), capacity),
    lineLength: new Uint32Array(buffer, take(capacity * 4), capacity),
    lineIndex: new Uint32Array(buffer, take(capacity * 4), capacity),
    verdict: new Uint8Array(buffer, take(capacity), capacity),
  };
}
