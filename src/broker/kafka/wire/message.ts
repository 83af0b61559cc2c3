import { BrokerError } from '../../errors.ts';
import { readOffset, writeInt64 } from './int64.ts';

/** Writes the fields of a request one after another, as the protocol's classic encoding has them. */
export class MessageWriter {
  #bytes: Buffer;
  #at = 0;

  /** `size` bytes are room enough for most; more are made as needed. */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size);
  }

  /** What was written so far. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  int8(value: number): this {
    this.#room(1);
    this.#at = this.#bytes.writeInt8(value, this.#at);
    return this;
  }

  int16(value: number): this {
    this.#room(2);
    this.#at = this.#bytes.writeInt16BE(value, this.#at);
    return this;
  }

  int32(value: number): this {
    this.#room(4);
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
    return this;
  }

  int64(value: number): this {
    this.#room(8);
    this.#at = writeInt64(this.#bytes, this.#at, value);
    return this;
  }

  bigint64(value: bigint): this {
    this.#room(8);
    this.#at = this.#bytes.writeBigInt64BE(value, this.#at);
    return this;
  }

  text(value: string): this {
    const length = Buffer.byteLength(value);
    this.int16(length).#room(length);
    this.#at += this.#bytes.write(value, this.#at, 'utf8');
    return this;
  }

  blob(value: Uint8Array): this {
    this.int32(value.byteLength).#room(value.byteLength);
    this.#bytes.set(value, this.#at);
    this.#at += value.byteLength;
    return this;
  }

  #room(size: number): void {
    if (this.#at + size > this.#bytes.byteLength) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.byteLength * 2, this.#at + size));
      this.#bytes.copy(larger, 0, 0, this.#at);
      this.#bytes = larger;
    }
  }
}

/** Reads the fields of an answer one after another. */
export class MessageReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  /** `what` names the answer in errors. */
  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#next(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#next(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#next(4));
  }

  /** An offset. */
  int64(): number {
    return readOffset(this.#bytes, this.#next(8));
  }

  bigint64(): bigint {
    return this.#bytes.readBigInt64BE(this.#next(8));
  }

  text(): string {
    const length = this.int16();
    const from = this.#next(Math.max(length, 0));
    return this.#bytes.toString('utf8', from, this.#at);
  }

  /** A part of the answer's own bytes; empty where it is null. */
  blob(): Buffer {
    const from = this.#next(Math.max(this.int32(), 0));
    return this.#bytes.subarray(from, this.#at);
  }

  /** What `read` reads of each element of an array; empty where it is null. */
  array<T>(read: (reader: this) => T): T[] {
    const elements: T[] = [];
    for (let left = this.int32(); left > 0; left--) {
      elements.push(read(this));
    }
    return elements;
  }

  #next(size: number): number {
    const from = this.#at;
    if (from + size > this.#bytes.byteLength) {
      throw new BrokerError(
        `${this.#what} of the broker ends early, at byte ${String(this.#bytes.byteLength)}: is it an Apache ` +
          'Kafka 3 or 4, reached without a proxy that changes what it says?',
      );
    }
    this.#at = from + size;
    return from;
  }
}

/** `items` by topic, as requests have them; topics come in the order of their first item. */
export function byTopic<T extends { readonly topic: string }>(items: readonly T[]): ReadonlyMap<string, T[]> {
  const grouped = new Map<string, T[]>();
  for (const item of items) {
    const group = grouped.get(item.topic);
    if (group === undefined) {
      grouped.set(item.topic, [item]);
    } else {
      group.push(item);
    }
  }
  return grouped;
}
