import type { RowColumns, RowCounts } from './columns.ts';

/**
 * Where the fields of a row stand, by position (0-based), and what the row must look like.
 * On the topic it is always `TOPIC_LAYOUT`; a source file's comes from its header
 * (`src/rows/header.ts`).
 */
export interface RowLayout {
  /** Number of columns every row must have. */
  readonly columns: number;
  readonly timepoint: number;
  readonly longitude: number;
  readonly latitude: number;
}

/** Column 5 is the longitude and column 6 the latitude, as the replaced Spark job reads them. */
export const TOPIC_LAYOUT: RowLayout = { columns: 8, timepoint: 0, longitude: 5, latitude: 6 };

export const TOPIC_COLUMNS = [
  'timepoint',
  'deviceId',
  'acceloX',
  'acceloY',
  'acceloZ',
  'longitude',
  'latitude',
  'locked',
] as const;

export interface KernelOptions {
  readonly layout: RowLayout;
  /** Minutes to add to UTC for a timepoint without a zone. 0 is UTC. */
  readonly utcOffsetMinutes: number;
  /** Longest accepted line in bytes, without its line end. */
  readonly maxLineBytes: number;
  /** Event times above this (ms since the epoch) are `future`; Infinity switches the check off. */
  readonly maxTime: number;
}

/**
 * The hot path: bytes in, columns out. Finds the lines (LF or CRLF), validates the fields and fills
 * the columns. Blank lines (nothing but spaces, tabs, CR) are no rows.
 *
 * Lines never span calls: only lines that end inside `[start, end)` are consumed, unless `last` is
 * set, when the bytes up to `end` are a line too. A quoted field cannot contain a line end.
 */
export interface RowKernel {
  /**
   * Parses lines of `bytes[start, end)` into `columns[firstRow...]`, at most `maxRows` rows.
   * Stops early, at a line boundary, when `maxRows` is reached.
   */
  parse(
    bytes: Uint8Array,
    start: number,
    end: number,
    last: boolean,
    columns: RowColumns,
    firstRow: number,
    maxRows: number,
  ): RowCounts;
}

export type CreateKernel = (options: KernelOptions) => RowKernel;
