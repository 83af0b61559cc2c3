import type { LogRecord } from '../../broker.ts';
import { BrokerError } from '../../errors.ts';
import { codecOfId } from '../codecs.ts';
import { ATTRIBUTE, FIELD, FORMAT, HEAD_BYTES, PREFIX_BYTES } from './batch-layout.ts';
import { crc32c } from './crc32c.ts';
import { readInt64, readOffset } from './int64.ts';
import { type Placement, readRecords } from './records.ts';
import { VarintReader } from './varint.ts';

export { type BatchPlan, encodeBatch, nextSequence, planBatches } from './encode-batch.ts';

const MARKERS: Readonly<Record<number, 'abort' | 'commit'>> = { 0: 'abort', 1: 'commit' };

/** One batch as it was read. Its records are decoded when they are asked for. */
export class RecordBatch {
  readonly baseOffset: number;
  /** Where reading goes on after this batch, also where compaction removed its last records. */
  readonly nextOffset: number;
  readonly producerId: bigint;
  readonly transactional: boolean;
  readonly #bytes: Buffer;
  readonly #attributes: number;
  readonly #where: string;

  /** `bytes` are exactly one batch, its head and checksum seen to be right. */
  constructor(bytes: Buffer, where: string) {
    this.baseOffset = readOffset(bytes, 0);
    this.nextOffset = this.baseOffset + bytes.readInt32BE(FIELD.lastOffset) + 1;
    this.producerId = bytes.readBigInt64BE(FIELD.producerId);
    this.#attributes = bytes.readInt16BE(FIELD.attributes);
    this.transactional = (this.#attributes & ATTRIBUTE.transactional) !== 0;
    this.#bytes = bytes;
    this.#where = where;
  }

  /** What the marker of a control batch says; `other` is a marker we have no use for. */
  get control(): 'commit' | 'abort' | 'other' | undefined {
    if ((this.#attributes & ATTRIBUTE.control) === 0) {
      return undefined;
    }
    if (this.#bytes.readInt32BE(FIELD.count) < 1) {
      return 'other';
    }
    // A record's length, attributes and differences, then its key: a version and a type, 16 bits each.
    const reader = new VarintReader(this.#bytes, HEAD_BYTES, this.#where);
    reader.number();
    reader.at++;
    reader.number();
    reader.number();
    const key = reader.skipBlob();
    return (key < 0 ? undefined : MARKERS[this.#bytes.readInt16BE(key + 2)]) ?? 'other';
  }

  /** Values and headers are parts of the bytes that were read. */
  get records(): LogRecord[] {
    return this.recordsFrom(0);
  }

  /** Those whose offset is `from` or more. */
  recordsFrom(from: number): LogRecord[] {
    const bytes = this.#bytes;
    const count = bytes.readInt32BE(FIELD.count);
    if (count <= 0 || from >= this.nextOffset) {
      return [];
    }
    const codecId = this.#attributes & ATTRIBUTE.codec;
    const placement: Placement = {
      count,
      baseOffset: this.baseOffset,
      baseTimestamp: readInt64(bytes, FIELD.baseTimestamp),
      appendTime:
        (this.#attributes & ATTRIBUTE.appendTime) === 0
          ? undefined
          : readInt64(bytes, FIELD.largestTimestamp),
    };
    const reader =
      codecId === 0
        ? new VarintReader(bytes, HEAD_BYTES, this.#where)
        : new VarintReader(this.#decompressed(codecId), 0, this.#where);
    return readRecords(reader, placement, from);
  }

  #decompressed(codecId: number): Buffer {
    try {
      return codecOfId(codecId).decompress(this.#bytes.subarray(HEAD_BYTES));
    } catch (error) {
      throw new BrokerError(
        `${this.#where} cannot be decompressed: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  }
}

/**
 * The batches of a fetched piece of a log; one that is cut off at the end is left out. `where` names the
 * piece in errors.
 * @throws BrokerError a batch is damaged, or in a format that is not read.
 */
export function decodeBatches(bytes: Buffer, where = 'a log'): RecordBatch[] {
  const batches: RecordBatch[] = [];
  let from = 0;
  while (from + PREFIX_BYTES <= bytes.byteLength) {
    const to = from + PREFIX_BYTES + bytes.readInt32BE(from + FIELD.length);
    if (to > bytes.byteLength) {
      break;
    }
    const name = `the record batch at offset ${String(bytes.readBigInt64BE(from))} of ${where}`;
    check(bytes, from, to, name);
    batches.push(new RecordBatch(bytes.subarray(from, to), name));
    from = to;
  }
  return batches;
}

function check(bytes: Buffer, from: number, to: number, name: string): void {
  const format = to - from > FIELD.format ? bytes[from + FIELD.format] : undefined;
  if (format === 0 || format === 1) {
    throw new BrokerError(
      `${name} has message format ${String(format)}, from before Kafka 0.11; format 2 is read: copy the ` +
        'topic with a Kafka client of today into a new one, or rewind to after these records',
    );
  }
  if (format !== FORMAT || to - from < HEAD_BYTES) {
    throw new BrokerError(
      `${name} has message format ${String(format)} and ${String(to - from)} bytes; format 2 is read, of at ` +
        `least ${String(HEAD_BYTES)} bytes`,
    );
  }
  const stored = bytes.readUInt32BE(from + FIELD.crc);
  const found = crc32c(bytes, from + FIELD.attributes, to);
  if (stored !== found) {
    throw new BrokerError(
      `${name} is damaged: its checksum is ${stored.toString(16)}, that of its bytes ${found.toString(16)}; ` +
        'look for disk or memory errors on the broker, or rewind to after the batch',
    );
  }
}
