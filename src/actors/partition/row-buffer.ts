/**
 * Rows between the log and the regions: accepted rows of one partition as columns, first in the
 * order they were read, then grouped by region.
 */

/** One row's share of the buffers below, and so what a row costs on the partition's connection. */
export const ROW_BYTES = 2 * (5 * 8 + 4) + 4;

export interface RowBuffer {
  readonly capacity: number;
  rows: number;
  /** Unit vector of the position. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  /** Event time, ms since the epoch. */
  readonly time: Float64Array;
  /** Dense index of the region's cell. */
  readonly region: Uint32Array;
  /** Where the row came from: offset of its message and its line in it (0-based). */
  readonly offset: Float64Array;
  readonly line: Uint32Array;
}

/** Rows of one fan-out grouped by region; inside a region in the order they were read. */
export interface GroupedRows {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly time: Float64Array;
  readonly offset: Float64Array;
  readonly line: Uint32Array;
}

/** The rows `[from, to)` of a `GroupedRows` belong to `region`. */
export interface RegionRange {
  readonly region: number;
  readonly from: number;
  readonly to: number;
}

export function allocateRowBuffer(capacity: number): RowBuffer {
  return {
    capacity,
    rows: 0,
    x: new Float64Array(capacity),
    y: new Float64Array(capacity),
    z: new Float64Array(capacity),
    time: new Float64Array(capacity),
    region: new Uint32Array(capacity),
    offset: new Float64Array(capacity),
    line: new Uint32Array(capacity),
  };
}

export function allocateGroupedRows(capacity: number): GroupedRows {
  return {
    x: new Float64Array(capacity),
    y: new Float64Array(capacity),
    z: new Float64Array(capacity),
    time: new Float64Array(capacity),
    offset: new Float64Array(capacity),
    line: new Uint32Array(capacity),
  };
}

/**
 * Groups the buffer's rows by region: a stable counting sort, so that each region gets its rows in
 * exactly the order of the partition, however many rows happened to be collected.
 *
 * `counters` is scratch of at least as many entries as there are regions, all zero, and is zero
 * again afterwards.
 */
export function groupByRegion(
  buffer: RowBuffer,
  grouped: GroupedRows,
  counters: Uint32Array,
): readonly RegionRange[] {
  const { rows, region } = buffer;
  const present: number[] = [];
  for (let row = 0; row < rows; row++) {
    const cell = region[row] as number;
    const seen = counters[cell] as number;
    if (seen === 0) {
      present.push(cell);
    }
    counters[cell] = seen + 1;
  }
  present.sort((a, b) => a - b);
  const ranges: RegionRange[] = [];
  let from = 0;
  for (const cell of present) {
    const to = from + (counters[cell] as number);
    ranges.push({ region: cell, from, to });
    counters[cell] = from;
    from = to;
  }
  for (let row = 0; row < rows; row++) {
    const cell = region[row] as number;
    const at = counters[cell] as number;
    counters[cell] = at + 1;
    grouped.x[at] = buffer.x[row] as number;
    grouped.y[at] = buffer.y[row] as number;
    grouped.z[at] = buffer.z[row] as number;
    grouped.time[at] = buffer.time[row] as number;
    grouped.offset[at] = buffer.offset[row] as number;
    grouped.line[at] = buffer.line[row] as number;
  }
  for (const cell of present) {
    counters[cell] = 0;
  }
  return ranges;
}
