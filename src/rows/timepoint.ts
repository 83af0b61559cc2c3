/**
 * Event times out of bytes.
 *
 * Accepted: `YYYY-MM-DD HH:MM:SS`, or `T` for the space, with an optional fraction of 1 to 9 digits
 * and an optional zone `Z`, `+hh:mm` or `+hhmm` (`-` alike), between optional spaces and tabs. The
 * date must exist in the Gregorian calendar; a second 60 does not. Both the written year and the
 * instant lie in 1970 to 9999. The result is in whole milliseconds: further digits are cut off.
 */

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** First instant of the year 10000. */
const TIME_END = 253_402_300_800_000;
const PREFIX_BYTES = 16;
const PLAIN_BYTES = 23;

const COLON = 0x3a;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const SPACE = 0x20;
const TAB = 0x09;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;

/** Not read: the caller takes the careful way. */
export const NOT_PLAIN_TIME = -1;

/** Remembers the last `YYYY-MM-DD HH:MM` and its instant: neighbouring rows mostly share them. */
export interface MinuteMemory {
  readonly utcOffsetMinutes: number;
  readonly words: Int32Array;
  readonly instant: Float64Array;
}

export function createMinuteMemory(utcOffsetMinutes: number): MinuteMemory {
  return { utcOffsetMinutes, words: new Int32Array(4), instant: new Float64Array(1) };
}

/**
 * Reads a time of the plain form `YYYY-MM-DD HH:MM:SS.mmm` at `at` into `out[index]`.
 * @param view the same bytes as `bytes`
 * @returns index of the first byte after it, or `NOT_PLAIN_TIME`
 */
export function readPlainTimepoint(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  memory: MinuteMemory,
  out: Float64Array,
  index: number,
): number {
  if (at + PLAIN_BYTES > view.byteLength) return NOT_PLAIN_TIME;
  const { words, instant } = memory;
  const word0 = view.getInt32(at, true);
  const word1 = view.getInt32(at + 4, true);
  const word2 = view.getInt32(at + 8, true);
  const word3 = view.getInt32(at + 12, true);
  if (word3 !== words[3] || word2 !== words[2] || word1 !== words[1] || word0 !== words[0]) {
    const minute = readMinute(bytes, at);
    if (minute < 0) return NOT_PLAIN_TIME;
    words[0] = word0;
    words[1] = word1;
    words[2] = word2;
    words[3] = word3;
    instant[0] = minute - memory.utcOffsetMinutes * MINUTE_MS;
  }
  if (bytes[at + 16] !== COLON || bytes[at + 19] !== POINT) return NOT_PLAIN_TIME;
  const second = twoDigits(bytes, at + 17);
  const hundredths = twoDigits(bytes, at + 20);
  const thousandths = (bytes[at + 22] as number) - 0x30;
  if (second < 0 || second > 59 || hundredths < 0 || thousandths < 0 || thousandths > 9)
    return NOT_PLAIN_TIME;
  const time = (instant[0] as number) + (second * 1000 + hundredths * 10 + thousandths);
  if (!(time >= 0 && time < TIME_END)) return NOT_PLAIN_TIME;
  out[index] = time;
  return at + PLAIN_BYTES;
}

/**
 * Reads a time of any accepted form from `bytes[start, end)` into `out[index]`, in milliseconds since
 * the epoch (UTC).
 * @param utcOffsetMinutes local time minus UTC, for a time without a zone
 * @returns whether it is a valid time
 */
export function readTimepoint(
  bytes: Uint8Array,
  start: number,
  end: number,
  utcOffsetMinutes: number,
  out: Float64Array,
  index: number,
): boolean {
  let from = start;
  let to = end;
  while (from < to && isBlank(bytes[from] as number)) from++;
  while (to > from && isBlank(bytes[to - 1] as number)) to--;
  if (to - from < PREFIX_BYTES + 3) return false;

  const minute = readMinute(bytes, from);
  const second = twoDigits(bytes, from + 17);
  if (minute < 0 || bytes[from + 16] !== COLON || second < 0 || second > 59) return false;

  let p = from + PREFIX_BYTES + 3;
  let milliseconds = 0;
  if (p < to && bytes[p] === POINT) {
    const fraction = p + 1;
    let weight = 100;
    for (p = fraction; p < to; p++) {
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      milliseconds += digit * weight;
      weight = weight === 100 ? 10 : weight === 10 ? 1 : 0;
    }
    if (p === fraction || p - fraction > 9) return false;
  }

  let offset = utcOffsetMinutes;
  if (p < to) {
    offset = readZone(bytes, p, to);
    if (Number.isNaN(offset)) return false;
  }
  const time = minute + second * 1000 + milliseconds - offset * MINUTE_MS;
  if (!(time >= 0 && time < TIME_END)) return false;
  out[index] = time;
  return true;
}

const encoder = new TextEncoder();
const parsed = new Float64Array(1);

/** Milliseconds since the epoch, NaN when `text` is not a valid time. */
export function parseTimepoint(text: string, utcOffsetMinutes = 0): number {
  const bytes = encoder.encode(text);
  const valid = readTimepoint(bytes, 0, bytes.length, utcOffsetMinutes, parsed, 0);
  return valid ? (parsed[0] as number) : Number.NaN;
}

/** Whether the time in `text` says its zone itself. Meaningful for valid times only. */
export function hasZone(text: string): boolean {
  const clock = text.trim().slice(PREFIX_BYTES);
  return clock.endsWith('Z') || clock.includes('+') || clock.includes('-');
}

/** The plain form `YYYY-MM-DD HH:MM:SS.mmm` of `time` (ms since the epoch), in UTC. */
export function formatTimepoint(time: number): string {
  return new Date(time).toISOString().replace('T', ' ').slice(0, PLAIN_BYTES);
}

/** Instant of `YYYY-MM-DD HH:MM` (or `T`) at `at` taken as UTC, or -1. The 16 bytes must exist. */
function readMinute(bytes: Uint8Array, at: number): number {
  const century = twoDigits(bytes, at);
  const yearOfCentury = twoDigits(bytes, at + 2);
  const month = twoDigits(bytes, at + 5);
  const day = twoDigits(bytes, at + 8);
  const hour = twoDigits(bytes, at + 11);
  const minute = twoDigits(bytes, at + 14);
  if (century < 0 || yearOfCentury < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59) return -1;
  const year = century * 100 + yearOfCentury;
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return -1;
  const separator = bytes[at + 10];
  if (bytes[at + 4] !== MINUS || bytes[at + 7] !== MINUS || bytes[at + 13] !== COLON) return -1;
  if (separator !== SPACE && separator !== UPPER_T) return -1;
  return daysSinceEpoch(year, month, day) * DAY_MS + (hour * 60 + minute) * MINUTE_MS;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01; Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const era = (marchYear / 400) | 0;
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = (((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) | 0) + day - 1;
  const dayOfEra = yearOfEra * 365 + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Minutes east of UTC of the zone that fills `bytes[start, end)`, NaN when it is none. */
function readZone(bytes: Uint8Array, start: number, end: number): number {
  const sign = bytes[start];
  const length = end - start;
  if (sign === UPPER_Z) return length === 1 ? 0 : Number.NaN;
  if (sign !== PLUS && sign !== MINUS) return Number.NaN;
  const colon = length === 6 && bytes[start + 3] === COLON;
  if (!colon && length !== 5) return Number.NaN;
  const hours = twoDigits(bytes, start + 1);
  const minutes = twoDigits(bytes, colon ? start + 4 : start + 3);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return Number.NaN;
  return (sign === MINUS ? -1 : 1) * (hours * 60 + minutes);
}

/** Value of two ASCII digits, or -1. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - 0x30;
  const units = (bytes[at + 1] as number) - 0x30;
  return tens >= 0 && tens <= 9 && units >= 0 && units <= 9 ? tens * 10 + units : -1;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
