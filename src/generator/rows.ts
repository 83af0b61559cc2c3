import { writeDecimal } from './decimal.ts';
import { COMMA, LINE_FEED, TimepointWriter, writeUuid4, ZERO } from './fields.ts';
import type { RandomSource } from './random.ts';

/**
 * Rows in the form of the replaced generator. Whatever the header says, position 5 is the longitude,
 * uniform(-180,180), and position 6 the latitude, uniform(-90,90); the replaced generator's header
 * names the two the other way round.
 */

export const HEADERS = {
  true: 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked\n',
  original: 'timepoint,deviceId,acceloX,acceloY,acceloZ,latitude,longitude,locked\n',
} as const;

export type HeaderForm = keyof typeof HEADERS;

export const SHAPES = ['uniform', 'cities'] as const;

/**
 * How the positions are distributed: `uniform` in degrees, as the replaced generator does, or over the
 * `cities` of the world, by devices that move (`city-rows.ts`).
 */
export type Shape = (typeof SHAPES)[number];

/** No row is longer, in bytes, line end included: 24 + 37 + 5 numbers of at most 25 + 2. */
export const MAX_ROW_BYTES = 192;

/** The times of a file's rows: row `i` of `rows` is at `startMs + floor(i * spanMs / rows)`. */
export interface TimeSpread {
  readonly startMs: number;
  readonly spanMs: number;
  readonly rows: number;
}

/**
 * Writes rows `[first, first + count)` of a file as CSV to the start of `bytes` and answers how many
 * bytes they took. Rows are made in order, because each draws from the same stream.
 */
export type WriteRows = (bytes: Uint8Array, first: number, count: number) => number;

export function uniformRows(random: RandomSource, times: TimeSpread): WriteRows {
  return (bytes, first, count) => writeUniformRows(bytes, random, times, first, count);
}

/** Whole ms since the epoch. */
export function timeOfRow({ rows, spanMs, startMs }: TimeSpread, index: number): number {
  return startMs + Math.floor((index * spanMs) / rows);
}

function writeUniformRows(
  bytes: Uint8Array,
  random: RandomSource,
  times: TimeSpread,
  first: number,
  count: number,
): number {
  const { bits, unit } = random;
  const timepoints = new TimepointWriter();
  let at = 0;
  for (let index = first; index < first + count; index++) {
    at = timepoints.write(bytes, at, timeOfRow(times, index));
    bytes[at++] = COMMA;
    at = writeUuid4(bytes, at, bits(), bits(), bits(), bits());
    bytes[at++] = COMMA;
    for (let axis = 0; axis < 3; axis++) {
      at = writeDecimal(bytes, at, -2 + 12 * unit());
      bytes[at++] = COMMA;
    }
    at = writeDecimal(bytes, at, -180 + 360 * unit());
    bytes[at++] = COMMA;
    at = writeDecimal(bytes, at, -90 + 180 * unit());
    bytes[at++] = COMMA;
    bytes[at++] = ZERO + (bits() >>> 31);
    bytes[at++] = LINE_FEED;
  }
  return at;
}
