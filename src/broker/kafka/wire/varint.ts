/**
 * Kafka's variable-length numbers: zigzag, seven bits a byte, the lowest first. Lengths and counts are
 * 32 bits wide; differences of timestamps may have more.
 */
import { BrokerError } from '../../errors.ts';

const LARGEST_OF_31_BITS = 2 ** 30 - 1;

/** Bytes that a whole number takes. */
export function varintSize(value: number): number {
  let rest = zigzag(value);
  let size = 1;
  while (rest >= 128) {
    rest = Math.floor(rest / 128);
    size++;
  }
  return size;
}

/** Writes `value` at `at` and returns where it ends. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let end = at;
  if (value <= LARGEST_OF_31_BITS && value >= -LARGEST_OF_31_BITS) {
    let rest = (value << 1) ^ (value >> 31);
    while (rest >= 128) {
      target[end++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    target[end++] = rest;
    return end;
  }
  let rest = value >= 0 ? BigInt(value) * 2n : BigInt(value) * -2n - 1n;
  while (rest >= 128n) {
    target[end++] = Number(rest & 127n) | 128;
    rest >>= 7n;
  }
  target[end++] = Number(rest);
  return end;
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

/** A place in bytes that moves on as numbers are read. */
export class VarintReader {
  at: number;
  readonly bytes: Buffer;
  readonly #where: string;

  /** `where` names the bytes in errors. */
  constructor(bytes: Buffer, at: number, where: string) {
    this.bytes = bytes;
    this.at = at;
    this.#where = where;
  }

  number(): number {
    const first = this.bytes[this.at];
    if (first !== undefined && first < 128) {
      this.at++;
      return (first >>> 1) ^ -(first & 1);
    }
    const second = this.bytes[this.at + 1];
    if (first !== undefined && second !== undefined && second < 128) {
      this.at += 2;
      const both = (first & 127) | (second << 7);
      return (both >>> 1) ^ -(both & 1);
    }
    return this.#longNumber();
  }

  /**
   * A length and then so many bytes: moves behind them, and returns where they begin, or -1 for null,
   * which is written as a negative length.
   */
  skipBlob(): number {
    const length = this.number();
    if (length < 0) {
      return -1;
    }
    const from = this.at;
    this.at = from + length;
    if (this.at > this.bytes.byteLength) {
      throw this.damaged();
    }
    return from;
  }

  damaged(): BrokerError {
    return new BrokerError(
      `${this.#where} has records that do not fit into it: the program that wrote it is at fault, since its ` +
        'checksum is right; skip what it holds by rewinding to a later offset',
    );
  }

  #longNumber(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 42; scale *= 128) {
      const byte = this.#next();
      value += (byte & 127) * scale;
      if (byte < 128) {
        return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      }
    }
    // Twice a number that is exact may not be.
    let large = BigInt(value);
    for (let shift = 49n; shift <= 63n; shift += 7n) {
      const byte = this.#next();
      large |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        return Number(large & 1n ? -((large + 1n) >> 1n) : large >> 1n);
      }
    }
    throw this.damaged();
  }

  #next(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) {
      throw this.damaged();
    }
    return byte;
  }
}
