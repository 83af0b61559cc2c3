import { writeDecimal, writeText } from './decimal.ts';
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

export const SHAPES = ['uniform'] as const;

/** How the positions are distributed: `uniform` in degrees, as the replaced generator does. */
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

export function rowWriter(shape: Shape, random: RandomSource, times: TimeSpread): WriteRows {
  const write = WRITERS[shape];
  return (bytes, first, count) => write(bytes, random, times, first, count);
}

const WRITERS: Readonly<Record<Shape, typeof writeUniformRows>> = { uniform: writeUniformRows };

const COMMA = 0x2c;
const HYPHEN = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const LINE_FEED = 0x0a;

/**
 * Bytes are set one by one: building a row as a string of some twenty parts takes three times as
 * long as the numbers in it.
 */
function writeUniformRows(
  bytes: Uint8Array,
  random: RandomSource,
  times: TimeSpread,
  first: number,
  count: number,
): number {
  const { bits, unit } = random;
  let at = 0;
  let minute = Number.NaN;
  let minuteText = '';
  for (let index = first; index < first + count; index++) {
    const time = times.startMs + Math.floor((index * times.spanMs) / times.rows);
    const thisMinute = Math.floor(time / 60_000);
    if (thisMinute !== minute) {
      minute = thisMinute;
      minuteText = minutePrefix(minute);
    }
    at = writeText(bytes, at, minuteText);
    at = writeSecond(bytes, at, time - minute * 60_000);
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

/** `YYYY-MM-DD HH:MM:` of a minute since the epoch. */
function minutePrefix(minute: number): string {
  const iso = new Date(minute * 60_000).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 17)}`;
}

/** `SS.mmm` of whole milliseconds within a minute. */
function writeSecond(bytes: Uint8Array, at: number, ms: number): number {
  bytes[at] = ZERO + ((ms / 10_000) | 0);
  bytes[at + 1] = ZERO + (((ms / 1000) | 0) % 10);
  bytes[at + 2] = DOT;
  bytes[at + 3] = ZERO + (((ms / 100) | 0) % 10);
  bytes[at + 4] = ZERO + (((ms / 10) | 0) % 10);
  bytes[at + 5] = ZERO + (ms % 10);
  return at + 6;
}

/** A version 4 UUID (RFC 9562) of 122 of the 128 bits given. */
function writeUuid4(bytes: Uint8Array, at: number, a: number, b: number, c: number, d: number): number {
  writeHex4(bytes, at, a >>> 16);
  writeHex4(bytes, at + 4, a & 0xffff);
  bytes[at + 8] = HYPHEN;
  writeHex4(bytes, at + 9, b >>> 16);
  bytes[at + 13] = HYPHEN;
  writeHex4(bytes, at + 14, (b & 0x0fff) | 0x4000);
  bytes[at + 18] = HYPHEN;
  writeHex4(bytes, at + 19, ((c >>> 16) & 0x3fff) | 0x8000);
  bytes[at + 23] = HYPHEN;
  writeHex4(bytes, at + 24, c & 0xffff);
  writeHex4(bytes, at + 28, d >>> 16);
  writeHex4(bytes, at + 32, d & 0xffff);
  return at + 36;
}

function writeHex4(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = hexDigit(word >>> 12);
  bytes[at + 1] = hexDigit((word >>> 8) & 15);
  bytes[at + 2] = hexDigit((word >>> 4) & 15);
  bytes[at + 3] = hexDigit(word & 15);
}

function hexDigit(value: number): number {
  return value < 10 ? ZERO + value : 0x57 + value;
}
