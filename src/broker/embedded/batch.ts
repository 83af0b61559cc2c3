/**
 * The binary form of a record batch, the unit in which a log is stored.
 *
 * ```
 * version u8 | timestamp of the first record f64 LE | records
 * record: timestamp difference to the first (zigzag varint) | key length + 1 (0: no key) | key UTF-8
 *         | value length + 1 (0: no value) | header count | headers (name length, name, value length,
 *         value) | value
 * ```
 * Lengths and counts are LEB128 varints. The offset of the first record and the number of records are
 * in the batch's key.
 */
import type { LogRecord, OutgoingRecord, RecordHeaders } from '../broker.ts';
import { StoreUnusableError } from '../errors.ts';

const BATCH_VERSION = 1;
const HEAD_BYTES = 9;

/**
 * Batches aim at 64 pages of 4 KiB less lmdb's own page header. One size class for nearly all values
 * lets freed runs of pages be used again as they are.
 */
export const BATCH_TARGET_BYTES = 64 * 4096 - 64;

const NO_HEADERS: Readonly<Record<string, Uint8Array>> = Object.freeze({});

function varintSize(value: number): number {
  let size = 1;
  let rest = value;
  while (rest >= 128) {
    rest = Math.floor(rest / 128);
    size++;
  }
  return size;
}

function writeVarint(target: Uint8Array, at: number, value: number): number {
  let position = at;
  let rest = value;
  while (rest >= 128) {
    target[position++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  target[position++] = rest;
  return position;
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function bytesOfHeader(value: Uint8Array | string): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength;
}

function headersSize(headers: RecordHeaders | undefined): number {
  if (headers === undefined) {
    return 1;
  }
  let count = 0;
  let size = 0;
  for (const [name, value] of Object.entries(headers)) {
    const nameBytes = Buffer.byteLength(name);
    const valueBytes = bytesOfHeader(value);
    size += varintSize(nameBytes) + nameBytes + varintSize(valueBytes) + valueBytes;
    count++;
  }
  return size + varintSize(count);
}

/** Whole milliseconds; the store keeps no fractions. */
function wholeMs(record: OutgoingRecord): number {
  return Math.floor(record.timestamp);
}

/** Bytes that `record` takes in a batch whose first timestamp is `firstTimestamp`. */
function recordSize(record: OutgoingRecord, firstTimestamp: number): number {
  const keyBytes = record.key === null ? 0 : Buffer.byteLength(record.key);
  const valueBytes = record.value === null ? 0 : record.value.byteLength;
  return (
    varintSize(zigzag(wholeMs(record) - firstTimestamp)) +
    varintSize(record.key === null ? 0 : keyBytes + 1) +
    keyBytes +
    varintSize(record.value === null ? 0 : valueBytes + 1) +
    valueBytes +
    headersSize(record.headers)
  );
}

/** A run of records that becomes one batch. */
export interface BatchPlan {
  readonly from: number;
  readonly to: number;
  /** Encoded size. */
  readonly bytes: number;
  /** The newest timestamp among the records, in milliseconds. */
  readonly timestamp: number;
}

/** Cuts `records` into batches of at most `BATCH_TARGET_BYTES`, or of one record that is larger. */
export function planBatches(records: readonly OutgoingRecord[]): readonly BatchPlan[] {
  const plans: BatchPlan[] = [];
  let from = 0;
  let bytes = HEAD_BYTES;
  let first = 0;
  let newest = 0;
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as OutgoingRecord;
    const timestamp = wholeMs(record);
    let size = index === from ? recordSize(record, timestamp) : recordSize(record, first);
    if (index > from && bytes + size > BATCH_TARGET_BYTES) {
      plans.push({ from, to: index, bytes, timestamp: newest });
      from = index;
      bytes = HEAD_BYTES;
      size = recordSize(record, timestamp);
    }
    if (index === from) {
      first = timestamp;
      newest = timestamp;
    }
    newest = Math.max(newest, timestamp);
    bytes += size;
  }
  if (records.length > from) {
    plans.push({ from, to: records.length, bytes, timestamp: newest });
  }
  return plans;
}

/** Writes the records of `plan` into `target`, which is `plan.bytes` long. */
export function encodeBatch(records: readonly OutgoingRecord[], plan: BatchPlan, target: Buffer): void {
  const first = wholeMs(records[plan.from] as OutgoingRecord);
  target[0] = BATCH_VERSION;
  target.writeDoubleLE(first, 1);
  let at = HEAD_BYTES;
  for (let index = plan.from; index < plan.to; index++) {
    const record = records[index] as OutgoingRecord;
    at = writeVarint(target, at, zigzag(wholeMs(record) - first));
    if (record.key === null) {
      target[at++] = 0;
    } else {
      const length = Buffer.byteLength(record.key);
      at = writeVarint(target, at, length + 1);
      at += target.write(record.key, at, 'utf8');
    }
    at = writeVarint(target, at, record.value === null ? 0 : record.value.byteLength + 1);
    at = encodeHeaders(record.headers, target, at);
    if (record.value !== null) {
      target.set(record.value, at);
      at += record.value.byteLength;
    }
  }
}

function encodeHeaders(headers: RecordHeaders | undefined, target: Buffer, from: number): number {
  const entries = headers === undefined ? [] : Object.entries(headers);
  let at = writeVarint(target, from, entries.length);
  for (const [name, value] of entries) {
    at = writeVarint(target, at, Buffer.byteLength(name));
    at += target.write(name, at, 'utf8');
    at = writeVarint(target, at, bytesOfHeader(value));
    if (typeof value === 'string') {
      at += target.write(value, at, 'utf8');
    } else {
      target.set(value, at);
      at += value.byteLength;
    }
  }
  return at;
}

/** Walks the records of one encoded batch; values are views of the given bytes. */
export class BatchCursor {
  #bytes: Buffer;
  readonly #first: number;
  #at = HEAD_BYTES;
  #offset: number;
  #left: number;

  /**
   * @throws StoreUnusableError when the batch was written in another format version.
   */
  constructor(bytes: Buffer, base: number, count: number) {
    if (bytes[0] !== BATCH_VERSION) {
      throw new StoreUnusableError(
        `record batch at offset ${String(base)} has format version ${String(bytes[0])}, this program reads ` +
          `${String(BATCH_VERSION)}: use the version of Geoflock that wrote the store, or a new directory`,
      );
    }
    this.#bytes = bytes;
    this.#first = bytes.readDoubleLE(1);
    this.#offset = base;
    this.#left = count;
  }

  get left(): number {
    return this.#left;
  }

  /** Skips the records below `offset` without building them. */
  seek(offset: number): void {
    while (this.#left > 0 && this.#offset < offset) {
      this.#varint();
      const keyLength = this.#varint();
      this.#at += Math.max(keyLength - 1, 0);
      const valueLength = this.#varint();
      for (let headers = this.#varint(); headers > 0; headers--) {
        this.#skip(this.#varint());
        this.#skip(this.#varint());
      }
      this.#at += Math.max(valueLength - 1, 0);
      this.#offset++;
      this.#left--;
    }
  }

  next(): LogRecord {
    const zigzagged = this.#varint();
    const difference = zigzagged % 2 === 0 ? zigzagged / 2 : -(zigzagged + 1) / 2;
    const keyLength = this.#varint();
    const key = keyLength === 0 ? null : this.#text(keyLength - 1);
    const valueLength = this.#varint();
    const headers = this.#headers();
    let value: Uint8Array | null = null;
    if (valueLength > 0) {
      value = this.#bytes.subarray(this.#at, this.#at + valueLength - 1);
      this.#at += valueLength - 1;
    }
    this.#left--;
    return { offset: this.#offset++, key, value, timestamp: this.#first + difference, headers };
  }

  #headers(): Readonly<Record<string, Uint8Array>> {
    let count = this.#varint();
    if (count === 0) {
      return NO_HEADERS;
    }
    const headers: Record<string, Uint8Array> = {};
    for (; count > 0; count--) {
      const name = this.#text(this.#varint());
      const length = this.#varint();
      const value = this.#bytes.subarray(this.#at, this.#at + length);
      this.#at += length;
      if (name === '__proto__') {
        // A plain assignment would lose it.
        Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
      } else {
        headers[name] = value;
      }
    }
    return headers;
  }

  // A parameter, not `this.#at += this.#varint()`: that would read the position before the varint moves it.
  #skip(length: number): void {
    this.#at += length;
  }

  #text(length: number): string {
    const text = this.#bytes.toString('utf8', this.#at, this.#at + length);
    this.#at += length;
    return text;
  }

  #varint(): number {
    const only = this.#bytes[this.#at];
    if (only !== undefined && only < 128) {
      this.#at++;
      return only;
    }
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) {
        throw new StoreUnusableError(
          `record batch ends early at offset ${String(this.#offset)}: the store is damaged; restore it from a ` +
            'backup or start with a new directory',
        );
      }
      value += (byte & 127) * scale;
      if (byte < 128) {
        return value;
      }
      scale *= 128;
    }
  }
}
