/**
 * Keys of the embedded store. Bytewise order is the order of reading, so offsets are big-endian.
 *
 * | Kind | After the kind byte | Value |
 * |---|---|---|
 * | format | - | JSON {product, format} |
 * | topic | name | JSON {id, kind, partitions} |
 * | partition | topic u16, partition u16 | next offset f64, consumed f64 |
 * | writer | name | epoch f64 |
 * | sequence | - | commit sequence f64, owner nonce f64 |
 * | batch | topic u16, partition u16, base offset u48, count u32, bytes u32, newest timestamp u48 | see batch.ts |
 * | entry | topic u16, partition u16, key in UTF-8 | the entry's value as it is |
 *
 * A batch's key carries count, size and time, so that the index of a log is rebuilt at the start from
 * keys alone, without touching the pages of the values.
 */

const KIND_FORMAT = 1;
const KIND_TOPIC = 2;
const KIND_PARTITION = 3;
const KIND_WRITER = 4;
const KIND_SEQUENCE = 5;
const KIND_BATCH = 16;
const KIND_ENTRY = 32;

const PARTITION_PREFIX_BYTES = 5;
const BATCH_KEY_BYTES = 25;

/** lmdb's limit with pages of 4 KiB is 1978 bytes; the rest is the prefix and some air. */
export const MAX_KEY_BYTES = 1900;

/** What a batch's key tells. `timestamp` is the newest of its records, in milliseconds. */
export interface BatchHead {
  readonly base: number;
  readonly count: number;
  readonly bytes: number;
  readonly timestamp: number;
}

export const formatKey: Uint8Array = Uint8Array.of(KIND_FORMAT);
export const sequenceKey: Uint8Array = Uint8Array.of(KIND_SEQUENCE);

export function topicKey(name: string): Uint8Array {
  return namedKey(KIND_TOPIC, name);
}

export function topicRange(): KeyRange {
  return { start: Uint8Array.of(KIND_TOPIC), end: Uint8Array.of(KIND_TOPIC + 1) };
}

export function topicNameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset + 1, key.byteLength - 1).toString('utf8');
}

export function writerKey(name: string): Uint8Array {
  return namedKey(KIND_WRITER, name);
}

export function partitionKey(topic: number, partition: number): Uint8Array {
  return prefixOf(KIND_PARTITION, topic, partition, PARTITION_PREFIX_BYTES);
}

export interface KeyRange {
  /** Inclusive. */
  readonly start: Uint8Array;
  /** Exclusive. */
  readonly end: Uint8Array;
}

export function batchRange(topic: number, partition: number): KeyRange {
  const start = prefixOf(KIND_BATCH, topic, partition, PARTITION_PREFIX_BYTES);
  return { start, end: successor(start) };
}

export function batchKey(topic: number, partition: number, head: BatchHead): Uint8Array {
  const key = prefixOf(KIND_BATCH, topic, partition, BATCH_KEY_BYTES);
  key.writeUIntBE(head.base, 5, 6);
  key.writeUInt32BE(head.count, 11);
  key.writeUInt32BE(head.bytes, 15);
  key.writeUIntBE(Math.min(Math.max(Math.floor(head.timestamp), 0), 2 ** 48 - 1), 19, 6);
  return key;
}

export function batchHeadOf(key: Uint8Array): BatchHead {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return {
    base: bytes.readUIntBE(5, 6),
    count: bytes.readUInt32BE(11),
    bytes: bytes.readUInt32BE(15),
    timestamp: bytes.readUIntBE(19, 6),
  };
}

export function entryKey(topic: number, partition: number, key: string): Uint8Array {
  const length = Buffer.byteLength(key);
  const bytes = prefixOf(KIND_ENTRY, topic, partition, PARTITION_PREFIX_BYTES + length);
  bytes.write(key, PARTITION_PREFIX_BYTES, 'utf8');
  return bytes;
}

/** The entries whose keys start with `prefix` (of the UTF-8 form); all of them for the empty one. */
export function entryRange(topic: number, partition: number, prefix: string): KeyRange {
  const start = entryKey(topic, partition, prefix);
  return { start, end: successor(start) };
}

export function entryNameOf(key: Uint8Array): string {
  // Of a small array the engine makes a buffer of its own only when it is asked for it: not of each of thousands of keys.
  const bytes = Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return bytes.toString('utf8', PARTITION_PREFIX_BYTES);
}

function namedKey(kind: number, name: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(kind), Buffer.from(name, 'utf8')]);
}

function prefixOf(kind: number, topic: number, partition: number, length: number): Buffer {
  const key = Buffer.allocUnsafe(length);
  key[0] = kind;
  key.writeUInt16BE(topic, 1);
  key.writeUInt16BE(partition, 3);
  return key;
}

/** The smallest key above all keys that start with `key`. The first byte is a kind, never 255. */
function successor(key: Uint8Array): Uint8Array {
  let length = key.length;
  while (length > 1 && key[length - 1] === 0xff) {
    length--;
  }
  const end = Uint8Array.from(key.subarray(0, length));
  end[length - 1] = (end[length - 1] ?? 0) + 1;
  return end;
}
