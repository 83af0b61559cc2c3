import { BrokerError } from '../../errors.ts';

/** A batch that unpacks to more is refused: a few bytes must not be able to fill the memory. */
export const LARGEST_UNPACKED = 256 * 1024 * 1024;

/** Up to it a loop copies faster than a call does. */
const SHORT = 48;

export function tooLarge(): BrokerError {
  return new BrokerError(
    `it unpacks to more than ${String(LARGEST_UNPACKED)} bytes: rewind to after it, and have its producer ` +
      'write smaller batches',
  );
}

export function notReadable(codec: string, what: string): BrokerError {
  return new BrokerError(`its ${codec} data are not readable: ${what}`);
}

/** Bytes that are unpacked block after block. */
export class Output {
  bytes: Buffer = Buffer.alloc(0);
  length = 0;

  get written(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** Makes room for a block of `count` bytes in `bytes`, behind the first `length`. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.byteLength) {
      return;
    }
    if (this.length + 1 > LARGEST_UNPACKED) {
      throw tooLarge();
    }
    const larger = Buffer.allocUnsafe(
      Math.min(Math.max(needed, this.bytes.byteLength * 2), LARGEST_UNPACKED),
    );
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

/** Copies `source[from]` to `source[to - 1]`; there is room. */
export function copyLiterals(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  from: number,
  to: number,
): void {
  if (to - from > SHORT) {
    target.set(source.subarray(from, to), at);
    return;
  }
  for (let write = at, read = from; read < to; read++) {
    target[write++] = source[read] as number;
  }
}

/** Repeats `count` bytes from `distance` before; they may overlap what is being written. There is room. */
export function copyMatch(target: Uint8Array, at: number, distance: number, count: number): void {
  if (distance >= count && count > SHORT) {
    target.copyWithin(at, at - distance, at - distance + count);
    return;
  }
  for (let write = at, end = at + count; write < end; write++) {
    target[write] = target[write - distance] as number;
  }
}
