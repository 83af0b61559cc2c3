import { writeText } from './decimal.ts';

/** The fields of a generated row, written byte by byte: strings of some twenty parts take three times as long. */

export const COMMA = 0x2c;
export const LINE_FEED = 0x0a;
export const ZERO = 0x30;
const HYPHEN = 0x2d;
const DOT = 0x2e;

/** Writes times as `YYYY-MM-DD HH:MM:SS.mmm`, 23 bytes; the minute is kept from one to the next. */
export class TimepointWriter {
  #minute = Number.NaN;
  #text = '';

  /** @param time whole ms since the epoch; answers the index after it */
  write(bytes: Uint8Array, at: number, time: number): number {
    const minute = Math.floor(time / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#text = minutePrefix(minute);
    }
    return writeSecond(bytes, writeText(bytes, at, this.#text), time - minute * 60_000);
  }
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
export function writeUuid4(
  bytes: Uint8Array,
  at: number,
  a: number,
  b: number,
  c: number,
  d: number,
): number {
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
