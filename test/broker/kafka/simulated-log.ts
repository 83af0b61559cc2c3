import { ATTRIBUTE, FIELD } from '../../../src/broker/kafka/wire/batch-layout.ts';
import { crc32c } from '../../../src/broker/kafka/wire/crc32c.ts';
import type { FetchedPartition } from '../../../src/broker/kafka/wire/fetch.ts';
import { encodeBatch } from '../../../src/broker/kafka/wire/record-batch.ts';
import { type CodecName, codecNamed } from '../../../src/broker/kafka/codecs.ts';

export const TOPIC = 'simulated';

interface Batch {
  readonly base: number;
  readonly next: number;
  readonly bytes: Buffer;
}

interface Aborted {
  readonly producerId: bigint;
  readonly firstOffset: number;
  /** Offset of the marker. */
  readonly lastOffset: number;
}

/** A partition as a broker keeps it: batches, markers, and which transactions were aborted. */
export class SimulatedLog {
  readonly #batches: Batch[] = [];
  readonly #aborted: Aborted[] = [];
  /** Open transactions: producer, and offset of their first record. */
  readonly #open = new Map<number, number>();
  readonly #written: { readonly producer: number; readonly offset: number; readonly value: string | null }[] =
    [];
  readonly #committed = new Map<number, string | null>();
  #end = 0;

  get end(): number {
    return this.#end;
  }

  get stable(): number {
    return Math.min(this.#end, ...this.#open.values());
  }

  /** What a reader of committed data sees from `offset` on, up to the first open transaction. */
  visible(offset: number): { offset: number; value: string | null }[] {
    return [...this.#committed]
      .filter(([at]) => at >= offset && at < this.stable)
      .sort(([left], [right]) => left - right)
      .map(([at, value]) => ({ offset: at, value }));
  }

  /** `producer` 0 writes outside of transactions. */
  append(
    producer: number,
    values: readonly (string | null)[],
    { codec = 'none', key = null }: { readonly codec?: CodecName; readonly key?: string | null } = {},
  ): void {
    for (const [at, value] of values.entries()) {
      const offset = this.#end + at;
      if (producer === 0) {
        this.#committed.set(offset, value);
      } else {
        this.#written.push({ producer, offset, value });
      }
    }
    if (producer !== 0 && !this.#open.has(producer)) {
      this.#open.set(producer, this.#end);
    }
    const records = values.map((value) => ({
      key,
      value: value === null ? null : Buffer.from(value),
      timestamp: 1,
    }));
    this.#push(
      encodeBatch(records, 0, records.length, {
        producerId: BigInt(producer),
        producerEpoch: 0,
        firstSequence: 0,
        codec: codecNamed(codec),
      }),
      values.length,
      producer === 0 ? 0 : ATTRIBUTE.transactional,
    );
  }

  /** Ends the transaction of `producer`, if there is one, by a marker. */
  finish(producer: number, outcome: 'commit' | 'abort'): void {
    const firstOffset = this.#open.get(producer);
    if (firstOffset === undefined) {
      return;
    }
    this.#open.delete(producer);
    const producerId = BigInt(producer);
    if (outcome === 'abort') {
      this.#aborted.push({ producerId, firstOffset, lastOffset: this.#end });
    } else {
      for (const { offset, producer: by, value } of this.#written) {
        if (by === producer && offset >= firstOffset) {
          this.#committed.set(offset, value);
        }
      }
    }
    const marker = { key: `\0\0\0${outcome === 'commit' ? '\u0001' : '\0'}`, value: null, timestamp: 1 };
    const header = { producerId, producerEpoch: 0, firstSequence: -1, codec: codecNamed('none') };
    this.#push(encodeBatch([marker], 0, 1, header), 1, ATTRIBUTE.transactional | ATTRIBUTE.control);
  }

  /**
   * As a broker answers: whole batches below the stable offset, the last one perhaps cut. The stable offset
   * that it tells, it may have noted before.
   */
  fetch(offset: number, maxBytes: number, noted = this.stable): FetchedPartition {
    const from = this.#batches.filter(({ base, next }) => next > offset && base < this.stable);
    const first = from[0]?.bytes.byteLength ?? 0;
    const all = Buffer.concat(from.map(({ bytes }) => bytes));
    const records = Buffer.from(all.subarray(0, Math.max(first, maxBytes)));
    const upper = this.stable;
    return {
      topic: TOPIC,
      partition: 0,
      errorCode: 0,
      highWatermark: this.#end,
      lastStableOffset: noted,
      logStartOffset: 0,
      aborted: this.#aborted.filter(
        ({ firstOffset, lastOffset }) => lastOffset >= offset && firstOffset < upper,
      ),
      records,
    };
  }

  #push(encoded: Buffer, count: number, attributes: number): void {
    const bytes = Buffer.from(encoded);
    bytes.writeBigInt64BE(BigInt(this.#end), 0);
    const codec = bytes.readInt16BE(FIELD.attributes) & ATTRIBUTE.codec;
    bytes.writeInt16BE(attributes | codec, FIELD.attributes);
    bytes.writeUInt32BE(crc32c(bytes, FIELD.attributes, bytes.byteLength), FIELD.crc);
    this.#batches.push({ base: this.#end, next: this.#end + count, bytes });
    this.#end += count;
  }
}
