import type { OutgoingRecord, RecordHeaders } from '../../broker.ts';
import { BrokerError, RecordTooLargeError } from '../../errors.ts';
import type { Codec } from '../codecs.ts';
import { ATTRIBUTE, FIELD, FORMAT, HEAD_BYTES, PREFIX_BYTES } from './batch-layout.ts';
import { crc32c } from './crc32c.ts';
import { writeInt64 } from './int64.ts';
import { varintSize, writeVarint } from './varint.ts';

/** What the head of a batch says beside its records. */
export interface BatchHeader {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Sequence number of the first record, of this producer and epoch for this partition. */
  readonly firstSequence: number;
  readonly codec: Codec;
}

/** Records `from` (inclusive) to `to` (exclusive) make one batch. */
export interface BatchPlan {
  readonly from: number;
  readonly to: number;
}

/** Lengths inside a batch are signed 32-bit numbers. */
const LARGEST_BATCH = 2 ** 31 - 1;
/** Length, attributes, timestamp, offset, two lengths and the number of headers, all at their longest. */
const RECORD_OVERHEAD = 5 + 1 + 10 + 5 + 5 + 5 + 5;
/** Up to it a loop copies faster than a call does. */
const SHORT = 40;
const NO_NAMES: readonly string[] = [];

/**
 * Cuts `records` into batches of about `maxBytes` before compression (a little less, as keys and headers
 * are estimated from above), or of one record that is larger.
 */
export function planBatches(records: readonly OutgoingRecord[], maxBytes: number): readonly BatchPlan[] {
  const plans: BatchPlan[] = [];
  let from = 0;
  let bytes = HEAD_BYTES;
  for (let index = 0; index < records.length; index++) {
    const size = upperBound(records[index] as OutgoingRecord);
    if (index > from && bytes + size > maxBytes) {
      plans.push({ from, to: index });
      from = index;
      bytes = HEAD_BYTES;
    }
    bytes += size;
  }
  if (records.length > from) {
    plans.push({ from, to: records.length });
  }
  return plans;
}

/** One batch, transactional, of `records[from]` to `records[to - 1]`: at least one record. */
export function encodeBatch(
  records: readonly OutgoingRecord[],
  from: number,
  to: number,
  header: BatchHeader,
): Buffer {
  const encoded = encodeRecords(records, from, to);
  let { bytes } = encoded;
  if (header.codec.id !== 0) {
    const compressed = header.codec.compress(bytes.subarray(HEAD_BYTES));
    bytes = Buffer.allocUnsafe(HEAD_BYTES + compressed.byteLength);
    bytes.set(compressed, HEAD_BYTES);
  }
  const count = to - from;
  bytes.fill(0, 0, FIELD.length); // The broker gives the offsets.
  bytes.writeInt32BE(bytes.byteLength - PREFIX_BYTES, FIELD.length);
  bytes.writeInt32BE(-1, FIELD.leaderEpoch);
  bytes[FIELD.format] = FORMAT;
  bytes.writeInt16BE(ATTRIBUTE.transactional | header.codec.id, FIELD.attributes);
  bytes.writeInt32BE(count - 1, FIELD.lastOffset);
  writeInt64(bytes, FIELD.baseTimestamp, encoded.baseTimestamp);
  writeInt64(bytes, FIELD.largestTimestamp, encoded.largestTimestamp);
  bytes.writeBigInt64BE(header.producerId, FIELD.producerId);
  bytes.writeInt16BE(header.producerEpoch, FIELD.producerEpoch);
  bytes.writeInt32BE(header.firstSequence, FIELD.firstSequence);
  bytes.writeInt32BE(count, FIELD.count);
  bytes.writeUInt32BE(crc32c(bytes, FIELD.attributes, bytes.byteLength), FIELD.crc);
  return bytes;
}

/** The sequence number `count` records after `sequence`; they wrap at 2^31. */
export function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31;
}

/** Room for the head, and behind it the records. */
function encodeRecords(
  records: readonly OutgoingRecord[],
  from: number,
  to: number,
): { readonly bytes: Buffer; readonly baseTimestamp: number; readonly largestTimestamp: number } {
  let room = HEAD_BYTES;
  for (let index = from; index < to; index++) {
    room += upperBound(records[index] as OutgoingRecord);
  }
  if (room > LARGEST_BATCH) {
    throw new RecordTooLargeError(
      `${String(to - from)} records with up to ${String(room)} bytes do not fit into one record batch, which ` +
        `has at most ${String(LARGEST_BATCH)}: send fewer at once`,
    );
  }
  const bytes = Buffer.allocUnsafe(room);
  const baseTimestamp = wholeMs(records[from] as OutgoingRecord);
  let largestTimestamp = baseTimestamp;
  let at = HEAD_BYTES;
  for (let index = from; index < to; index++) {
    const record = records[index] as OutgoingRecord;
    const { headers, key, value } = record;
    const timestamp = wholeMs(record);
    if (timestamp > largestTimestamp) {
      largestTimestamp = timestamp;
    }
    const names = headers === undefined ? NO_NAMES : Object.keys(headers);
    const keyBytes = key === null ? -1 : utf8Length(key);
    const valueBytes = value === null ? -1 : value.byteLength;
    const size =
      1 +
      varintSize(timestamp - baseTimestamp) +
      varintSize(index - from) +
      blobSize(keyBytes) +
      blobSize(valueBytes) +
      headersSize(headers, names);
    at = writeVarint(bytes, at, size);
    bytes[at++] = 0;
    at = writeVarint(bytes, at, timestamp - baseTimestamp);
    at = writeVarint(bytes, at, index - from);
    at = writeVarint(bytes, at, keyBytes);
    if (key !== null) {
      at = writeText(bytes, at, key, keyBytes);
    }
    at = writeVarint(bytes, at, valueBytes);
    if (value !== null) {
      at = writeBytes(bytes, at, value);
    }
    at = writeHeaders(bytes, at, headers, names);
  }
  return { bytes: bytes.subarray(0, at), baseTimestamp, largestTimestamp };
}

/** At least what `record` takes; close to it where the value is large. */
function upperBound({ headers, key, value }: OutgoingRecord): number {
  let size = RECORD_OVERHEAD;
  if (key !== null) {
    size += 3 * key.length;
  }
  if (value !== null) {
    size += value.byteLength;
  }
  if (headers !== undefined) {
    for (const name of Object.keys(headers)) {
      const header = headers[name] as Uint8Array | string;
      size += 10 + 3 * name.length + (typeof header === 'string' ? 3 * header.length : header.byteLength);
    }
  }
  return size;
}

/** Whole milliseconds: the format has no fractions. */
function wholeMs({ key, timestamp }: OutgoingRecord): number {
  const whole = Math.floor(timestamp);
  if (!Number.isSafeInteger(whole)) {
    throw new BrokerError(
      `a record with key ${JSON.stringify(key)} has timestamp ${String(timestamp)}: expected milliseconds since 1970`,
    );
  }
  return whole;
}

function blobSize(length: number): number {
  return length < 0 ? 1 : varintSize(length) + length;
}

function headersSize(headers: RecordHeaders | undefined, names: readonly string[]): number {
  let size = varintSize(names.length);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    const header = (headers as RecordHeaders)[name] as Uint8Array | string;
    size += blobSize(utf8Length(name));
    size += blobSize(typeof header === 'string' ? utf8Length(header) : header.byteLength);
  }
  return size;
}

function writeHeaders(
  target: Buffer,
  from: number,
  headers: RecordHeaders | undefined,
  names: readonly string[],
): number {
  let at = writeVarint(target, from, names.length);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    const header = (headers as RecordHeaders)[name] as Uint8Array | string;
    const nameBytes = utf8Length(name);
    at = writeVarint(target, at, nameBytes);
    at = writeText(target, at, name, nameBytes);
    if (typeof header === 'string') {
      const headerBytes = utf8Length(header);
      at = writeVarint(target, at, headerBytes);
      at = writeText(target, at, header, headerBytes);
    } else {
      at = writeVarint(target, at, header.byteLength);
      at = writeBytes(target, at, header);
    }
  }
  return at;
}

function utf8Length(text: string): number {
  if (text.length > SHORT) {
    return Buffer.byteLength(text);
  }
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) >= 128) {
      return Buffer.byteLength(text);
    }
  }
  return text.length;
}

/** `length` is that of the text as UTF-8: equal to the text's own only where all of it is ASCII. */
function writeText(target: Buffer, at: number, text: string, length: number): number {
  if (length > SHORT || length !== text.length) {
    target.write(text, at, length, 'utf8');
  } else {
    for (let index = 0; index < length; index++) {
      target[at + index] = text.charCodeAt(index);
    }
  }
  return at + length;
}

function writeBytes(target: Buffer, at: number, bytes: Uint8Array): number {
  const length = bytes.byteLength;
  if (length > SHORT) {
    target.set(bytes, at);
  } else {
    for (let index = 0; index < length; index++) {
      target[at + index] = bytes[index] as number;
    }
  }
  return at + length;
}
