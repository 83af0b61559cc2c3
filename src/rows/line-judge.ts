import { isUtf8 } from 'node:buffer';

import type { RowColumns } from './columns.ts';
import { readDecimal, readPlainDecimal } from './decimal.ts';
import type { KernelOptions } from './kernel.ts';
import { ACCEPTED, type Verdict, verdictOf } from './reasons.ts';
import { readTimepoint } from './timepoint.ts';

const COMMA = 0x2c;
const CR = 0x0d;
const QUOTE = 0x22;
const SPACE = 0x20;
const TAB = 0x09;

const LINE_TOO_LONG = verdictOf('line-too-long');
const NUL_BYTE = verdictOf('nul-byte');
const INVALID_UTF8 = verdictOf('invalid-utf8');
const QUOTES = verdictOf('quote');
const COLUMN_COUNT = verdictOf('column-count');
const HEADER_LINE = verdictOf('header-line');
const LONGITUDE_NOT_A_NUMBER = verdictOf('longitude-not-a-number');
const LATITUDE_NOT_A_NUMBER = verdictOf('latitude-not-a-number');
const LONGITUDE_OUT_OF_RANGE = verdictOf('longitude-out-of-range');
const LATITUDE_OUT_OF_RANGE = verdictOf('latitude-out-of-range');
const TIME_INVALID = verdictOf('time-invalid');
const FUTURE = verdictOf('future');

const LONGITUDE_NAME = new TextEncoder().encode('longitude');
const LATITUDE_NAME = new TextEncoder().encode('latitude');

/** The verdict on a position in degrees. */
export function judgePosition(longitude: number, latitude: number): Verdict {
  if (!(longitude >= -180 && longitude <= 180)) return LONGITUDE_OUT_OF_RANGE;
  return latitude >= -90 && latitude <= 90 ? ACCEPTED : LATITUDE_OUT_OF_RANGE;
}

/** The verdict on an event time; both in milliseconds since the epoch. */
export function judgeTime(time: number, maxTime: number): Verdict {
  return time > maxTime ? FUTURE : ACCEPTED;
}

/** Nothing but spaces, tabs and CR. */
export function isBlankLine(bytes: Uint8Array, start: number, end: number): boolean {
  for (let p = start; p < end; p++) {
    const byte = bytes[p] as number;
    if (byte !== SPACE && byte !== TAB && byte !== CR) return false;
  }
  return true;
}

/**
 * Judges one line of any shape, rule by rule in the order of `REJECT_REASONS`: the careful path for
 * everything that the kernel's fast path does not recognise as plain.
 */
export class LineJudge {
  readonly #options: KernelOptions;
  /** Start and end of the content of the timepoint, longitude and latitude fields. */
  readonly #fields = new Int32Array(6);

  constructor(options: KernelOptions) {
    this.#options = options;
  }

  /** Judges `bytes[start, end)`, a line without its line end, and fills the value columns of `row`. */
  judge(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    columns: RowColumns,
    row: number,
  ): Verdict {
    const { layout, maxLineBytes, maxTime, utcOffsetMinutes } = this.#options;
    if (end - start > maxLineBytes) return LINE_TOO_LONG;

    let bits = 0;
    for (let p = start; p < end; p++) {
      const byte = bytes[p] as number;
      if (byte === 0) return NUL_BYTE;
      bits |= byte;
    }
    if (bits >= 0x80 && !isUtf8(bytes.subarray(start, end))) return INVALID_UTF8;

    const count = this.#split(bytes, start, end);
    if (count < 0) return QUOTES;
    if (count !== layout.columns) return COLUMN_COUNT;

    const fields = this.#fields;
    const longitudeStart = fields[2] as number;
    const longitudeEnd = fields[3] as number;
    const latitudeStart = fields[4] as number;
    const latitudeEnd = fields[5] as number;
    const longitudeRead = readNumber(bytes, view, longitudeStart, longitudeEnd, columns.longitude, row);
    const latitudeRead = readNumber(bytes, view, latitudeStart, latitudeEnd, columns.latitude, row);
    if (!longitudeRead && !latitudeRead) {
      const inOrder =
        isName(bytes, longitudeStart, longitudeEnd, LONGITUDE_NAME) &&
        isName(bytes, latitudeStart, latitudeEnd, LATITUDE_NAME);
      const swapped =
        isName(bytes, longitudeStart, longitudeEnd, LATITUDE_NAME) &&
        isName(bytes, latitudeStart, latitudeEnd, LONGITUDE_NAME);
      if (inOrder || swapped) return HEADER_LINE;
    }
    if (!longitudeRead) return LONGITUDE_NOT_A_NUMBER;
    if (!latitudeRead) return LATITUDE_NOT_A_NUMBER;

    const position = judgePosition(columns.longitude[row] as number, columns.latitude[row] as number);
    if (position !== ACCEPTED) return position;
    const timeStart = fields[0] as number;
    const timeEnd = fields[1] as number;
    if (!readTimepoint(bytes, timeStart, timeEnd, utcOffsetMinutes, columns.time, row)) return TIME_INVALID;
    return judgeTime(columns.time[row] as number, maxTime);
  }

  /** Finds the interpreted fields; returns the number of fields, or -1 when the quotes are wrong. */
  #split(bytes: Uint8Array, start: number, end: number): number {
    const { layout } = this.#options;
    const fields = this.#fields;
    let column = 0;
    let p = start;
    for (;;) {
      let from = p;
      let to: number;
      if (p < end && bytes[p] === QUOTE) {
        from = p + 1;
        p = closingQuote(bytes, from, end);
        if (p < 0) return -1;
        to = p;
        p++;
        if (p < end && bytes[p] !== COMMA) return -1;
      } else {
        while (p < end && bytes[p] !== COMMA) {
          if (bytes[p] === QUOTE) return -1;
          p++;
        }
        to = p;
      }
      const slot =
        column === layout.timepoint
          ? 0
          : column === layout.longitude
            ? 2
            : column === layout.latitude
              ? 4
              : -1;
      if (slot >= 0) {
        fields[slot] = from;
        fields[slot + 1] = to;
      }
      column++;
      if (p >= end) return column;
      p++;
    }
  }
}

/** Index of the quote that closes a field whose content starts at `start`, or -1. */
function closingQuote(bytes: Uint8Array, start: number, end: number): number {
  for (let p = start; p < end; p++) {
    if (bytes[p] !== QUOTE) continue;
    if (p + 1 < end && bytes[p + 1] === QUOTE) p++;
    else return p;
  }
  return -1;
}

function readNumber(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  out: Float64Array,
  row: number,
): boolean {
  return readPlainDecimal(bytes, view, start, out, row) === end || readDecimal(bytes, start, end, out, row);
}

function isName(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  let from = start;
  let to = end;
  while (from < to && (bytes[from] === SPACE || bytes[from] === TAB)) from++;
  while (to > from && (bytes[to - 1] === SPACE || bytes[to - 1] === TAB)) to--;
  if (to - from !== name.length) return false;
  // Setting bit 5 makes ASCII letters small; nothing but a letter becomes one of the names' letters
  // that is not its capital.
  for (let i = 0; i < name.length; i++) {
    if (((bytes[from + i] as number) | 0x20) !== name[i]) return false;
  }
  return true;
}
