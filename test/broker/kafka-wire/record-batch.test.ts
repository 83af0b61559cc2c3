import { expect } from 'chai';
import fc from 'fast-check';
import kafkajsDecoder from 'kafkajs/src/protocol/decoder.js';
import kafkajsRecord from 'kafkajs/src/protocol/recordBatch/record/v0/index.js';
import kafkajsBatchDecoder from 'kafkajs/src/protocol/recordBatch/v0/decoder.js';
import kafkajsBatch from 'kafkajs/src/protocol/recordBatch/v0/index.js';
import type { LogRecord, OutgoingRecord } from '../../../src/broker/broker.ts';
import { BrokerError } from '../../../src/broker/errors.ts';
import { codecNamed } from '../../../src/broker/kafka/codecs.ts';
import { crc32c } from '../../../src/broker/kafka/wire/crc32c.ts';
import {
  decodeBatches,
  encodeBatch,
  nextSequence,
  planBatches,
  type RecordBatch,
} from '../../../src/broker/kafka/wire/record-batch.ts';

const NONE = codecNamed('none');
const HEADER = { producerId: 2n ** 40n + 7n, producerEpoch: 3, firstSequence: 11, codec: NONE };

/** Names that plain objects have already. */
const INHERITED = ['__proto__', 'constructor', 'toString'] as const;

const outgoing = fc.record({
  key: fc.option(fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 60, maxLength: 90 }))),
  value: fc.option(fc.uint8Array({ maxLength: 300 })),
  timestamp: fc.oneof(
    fc.integer({ min: 1.7e12, max: 1.7e12 + 5000 }),
    fc.integer({ min: -1, max: 2 ** 53 - 1 }),
  ),
  headers: fc.dictionary(
    fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom(...INHERITED)),
    fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'grapheme', maxLength: 60 })),
    { maxKeys: 3 },
  ),
});
const batches = fc.array(outgoing, { minLength: 1, maxLength: 80 });

/** kafkajs neither reads nor writes headers of names that a plain object inherits. */
function withoutInherited<T extends OutgoingRecord>(record: T): T {
  const headers = Object.entries(record.headers ?? {}).filter(([name]) => !(name in Object.prototype));
  return { ...record, headers: Object.fromEntries(headers) };
}

function bytesOf(value: Uint8Array | string): readonly number[] {
  return [...(typeof value === 'string' ? Buffer.from(value) : value)];
}

/** In a form that compares by content. */
function plain({ headers, key, timestamp, value }: LogRecord | OutgoingRecord): unknown {
  return {
    key,
    timestamp,
    value: value && [...value],
    headers: Object.entries(headers ?? {}).map(([name, header]) => [name, bytesOf(header)]),
  };
}

function only(bytes: Buffer): RecordBatch {
  const [batch, ...more] = decodeBatches(bytes);
  if (batch === undefined || more.length > 0) {
    throw new Error('one batch expected');
  }
  return batch;
}

/** As the broker does it when it appends. */
function at(offset: number, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeBigInt64BE(BigInt(offset), 0);
  return copy;
}

/** Changes a head and makes the checksum right again. */
function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  copy.writeUInt32BE(crc32c(copy, 21, copy.byteLength), 17);
  return copy;
}

const row = (value: string, more: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  key: null,
  value: Buffer.from(value),
  timestamp: 1000,
  ...more,
});

describe('record batches of Kafka', () => {
  it('come back as they were written, with any codec, from any offset on', () => {
    fc.assert(
      fc.property(batches, fc.constantFrom('none', 'gzip', 'lz4'), fc.nat(), (written, codec, seed) => {
        const from = seed % written.length;
        const bytes = encodeBatch(written, from, written.length, { ...HEADER, codec: codecNamed(codec) });
        const batch = only(at(5000, bytes));
        expect(batch.baseOffset).to.equal(5000);
        expect(batch.nextOffset).to.equal(5000 + written.length - from);
        expect(batch.producerId).to.equal(HEADER.producerId);
        expect(batch.transactional).to.be.true;
        expect(batch.control).to.equal(undefined);
        expect(batch.records.map(plain)).to.deep.equal(written.slice(from).map(plain));
        expect(batch.records.map(({ offset }) => offset)).to.deep.equal(
          written.slice(from).map((_, index) => 5000 + index),
        );
        const later = 5000 + (seed % (written.length + 2));
        expect(batch.recordsFrom(later)).to.deep.equal(batch.records.filter(({ offset }) => offset >= later));
      }),
      { numRuns: 150 },
    );
  });

  it('are read by another implementation as they were meant', async () => {
    const Decoder = kafkajsDecoder as new (bytes: Buffer) => object;
    const decode = kafkajsBatchDecoder as (decoder: object) => Promise<{
      readonly producerId: string;
      readonly producerEpoch: number;
      readonly firstSequence: number;
      readonly lastOffsetDelta: number;
      readonly inTransaction: boolean;
      readonly maxTimestamp: string;
      readonly records: readonly {
        readonly key: Buffer | null;
        readonly value: Buffer | null;
        readonly timestamp: string;
        readonly offset: string;
        readonly headers: Readonly<Record<string, Buffer>>;
      }[];
    }>;
    await fc.assert(
      fc.asyncProperty(batches, fc.constantFrom('none', 'gzip'), async (made, codec) => {
        const written = made.map(withoutInherited);
        const bytes = encodeBatch(written, 0, written.length, { ...HEADER, codec: codecNamed(codec) });
        const theirs = await decode(new Decoder(bytes));
        expect(theirs.producerId).to.equal(String(HEADER.producerId));
        expect(theirs.producerEpoch).to.equal(3);
        expect(theirs.firstSequence).to.equal(11);
        expect(theirs.lastOffsetDelta).to.equal(written.length - 1);
        expect(theirs.inTransaction).to.be.true;
        expect(Number(theirs.maxTimestamp)).to.equal(Math.max(...written.map(({ timestamp }) => timestamp)));
        expect(
          theirs.records.map(({ headers, key, timestamp, value }) => ({
            key: key === null ? null : key.toString(),
            timestamp: Number(timestamp),
            value: value && [...value],
            headers: Object.entries(headers).map(([name, header]) => [name, [...header]]),
          })),
        ).to.deep.equal(written.map(plain));
        expect(theirs.records.map(({ offset }) => Number(offset))).to.deep.equal(
          written.map((_, index) => index),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('of another implementation are byte for byte what we write, and are read', async () => {
    const encodeRecord = kafkajsRecord as (record: object) => object;
    const { RecordBatch: encodeTheirs } = kafkajsBatch as {
      readonly RecordBatch: (batch: object) => Promise<{ readonly buffer: Buffer }>;
    };
    await fc.assert(
      fc.asyncProperty(batches, async (any) => {
        const made = any.map(withoutInherited);
        const base = made[0]?.timestamp ?? 0;
        const theirs = await encodeTheirs({
          records: made.map(({ headers, key, timestamp, value }, index) =>
            encodeRecord({
              offsetDelta: index,
              timestampDelta: timestamp - base,
              key,
              value: value && Buffer.from(value),
              headers: Object.fromEntries(
                Object.entries(headers).map(([name, header]) => [name, Buffer.from(header)]),
              ),
            }),
          ),
          firstTimestamp: base,
          maxTimestamp: Math.max(...made.map(({ timestamp }) => timestamp)),
          lastOffsetDelta: made.length - 1,
          transactional: true,
          producerId: String(HEADER.producerId),
          producerEpoch: 3,
          firstSequence: 11,
          partitionLeaderEpoch: -1,
        });
        expect(encodeBatch(made, 0, made.length, HEADER).equals(theirs.buffer)).to.be.true;
        expect(only(theirs.buffer).records.map(plain)).to.deep.equal(made.map(plain));
      }),
      { numRuns: 60 },
    );
  });

  it('keep whole milliseconds', () => {
    const bytes = encodeBatch(
      [row('a', { timestamp: 1000.9 }), row('b', { timestamp: 999.2 })],
      0,
      2,
      HEADER,
    );
    expect(only(bytes).records.map(({ timestamp }) => timestamp)).to.deep.equal([1000, 999]);
    expect(() => encodeBatch([row('a', { key: 'k', timestamp: Number.NaN })], 0, 1, HEADER)).to.throw(
      BrokerError,
      /key "k" has timestamp NaN/,
    );
  });

  it('are planned to fit, and hold one record where that is larger', () => {
    const of = (bytes: number): OutgoingRecord => ({
      key: 'k',
      value: new Uint8Array(bytes),
      timestamp: 0,
      headers: { origin: new Uint8Array(10), text: 'é'.repeat(5) },
    });
    const records = [of(400), of(400), of(400), of(2000), of(1), of(1)];
    const plans = planBatches(records, 1200);
    expect(plans).to.deep.equal([
      { from: 0, to: 2 },
      { from: 2, to: 3 },
      { from: 3, to: 4 },
      { from: 4, to: 6 },
    ]);
    expect(planBatches([], 1200)).to.deep.equal([]);
    fc.assert(
      fc.property(batches, fc.integer({ min: 200, max: 3000 }), (written, maxBytes) => {
        let next = 0;
        for (const { from, to } of planBatches(written, maxBytes)) {
          expect(from).to.equal(next);
          expect(to).to.be.greaterThan(from);
          next = to;
          if (to - from > 1) {
            expect(encodeBatch(written, from, to, HEADER).byteLength).to.be.at.most(maxBytes);
          }
        }
        expect(next).to.equal(written.length);
      }),
      { numRuns: 60 },
    );
  });

  it('number their records on, past 2^31 from zero', () => {
    expect(nextSequence(10, 5)).to.equal(15);
    expect(nextSequence(2 ** 31 - 3, 2)).to.equal(2 ** 31 - 1);
    expect(nextSequence(2 ** 31 - 3, 3)).to.equal(0);
    expect(nextSequence(2 ** 31 - 3, 5)).to.equal(2);
  });
});

describe('a fetched piece of a log', () => {
  const first = at(10, encodeBatch([row('a'), row('b')], 0, 2, HEADER));
  const second = at(12, encodeBatch([row('c')], 0, 1, HEADER));
  const both = Buffer.concat([first, second]);

  it('gives its whole batches wherever it is cut', () => {
    for (let length = 0; length <= both.byteLength; length++) {
      const whole = Number(length >= first.byteLength) + Number(length >= both.byteLength);
      expect(decodeBatches(both.subarray(0, length)).map(({ baseOffset }) => baseOffset)).to.deep.equal(
        [10, 12].slice(0, whole),
      );
    }
  });

  it('is read without copying values', () => {
    const [batch] = decodeBatches(both);
    const value = batch?.records[0]?.value;
    expect(value?.buffer).to.equal(both.buffer);
  });

  it('is refused wherever a byte of it is another', () => {
    // The offset and the leader's epoch are the broker's to change, and are not covered by the checksum.
    for (let place = 16; place < first.byteLength; place++) {
      const damaged = Buffer.from(first);
      damaged[place] = (damaged[place] as number) ^ 1;
      expect(() => decodeBatches(damaged, "partition 3 of topic 't'"), `byte ${String(place)}`).to.throw(
        BrokerError,
        /the record batch at offset 10 of partition 3 of topic 't'/,
      );
    }
  });

  it('is refused in the formats from before Kafka 0.11, with the remedy', () => {
    for (const format of [0, 1]) {
      const old = changed(first, (copy) => copy.writeInt8(format, 16));
      expect(() => decodeBatches(old)).to.throw(
        BrokerError,
        new RegExp(`message format ${String(format)}.+copy the`),
      );
    }
    const newer = changed(first, (copy) => copy.writeInt8(3, 16));
    expect(() => decodeBatches(newer)).to.throw(BrokerError, /message format 3/);
  });

  it('is refused, not read for ever, where a length is nonsense', () => {
    for (const length of [-12, -1, 0, 4, 48]) {
      const bad = changed(first, (copy) => copy.writeInt32BE(length, 8));
      expect(() => decodeBatches(bad), String(length)).to.throw(BrokerError);
    }
  });

  it('says when the broker appended a batch, where the topic wants that', () => {
    const appended = changed(first, (copy) => {
      copy.writeInt16BE(copy.readInt16BE(21) | 8, 21);
      copy.writeBigInt64BE(777_000n, 35);
    });
    expect(only(appended).records.map(({ timestamp }) => timestamp)).to.deep.equal([777_000, 777_000]);
  });

  it('goes on after a batch of which compaction left nothing', () => {
    const empty = changed(first.subarray(0, 61), (copy) => {
      copy.writeInt32BE(49, 8);
      copy.writeInt32BE(6, 23);
      copy.writeInt32BE(0, 57);
    });
    const batch = only(empty);
    expect(batch.records).to.deep.equal([]);
    expect(batch.nextOffset).to.equal(17);
    expect(batch.control).to.equal(undefined);
  });

  it('keeps the offsets of what compaction left', () => {
    const batch = encodeBatch([row('a'), row('b'), row('c')], 0, 3, HEADER);
    // The difference of the middle record's offset, behind length, attributes and timestamp.
    const middle = 61 + (batch.byteLength - 61) / 3;
    const gap = only(changed(at(20, batch), (copy) => copy.writeInt8(8, middle + 3)));
    expect(gap.records.map(({ offset }) => offset)).to.deep.equal([20, 24, 22]);
  });

  it('tells the markers of transactions, and others, from records', () => {
    const marker = (type: number): Buffer => {
      const key = Buffer.alloc(4);
      key.writeInt16BE(type, 2);
      const bytes = encodeBatch([row('123456', { key: key.toString('latin1') })], 0, 1, HEADER);
      return changed(bytes, (copy) => copy.writeInt16BE(48, 21));
    };
    expect([0, 1, 2].map((type) => only(marker(type)).control)).to.deep.equal(['abort', 'commit', 'other']);
    const compacted = changed(marker(1), (copy) => copy.writeInt32BE(0, 57));
    expect(only(compacted).control).to.equal('other');
  });

  it('refuses records that do not fit into their batch, though the checksum is right', () => {
    const bytes = encodeBatch([row('abc', { headers: { h: 'v' } })], 0, 1, HEADER);
    // Every number of the one record: its length, those of key and value, the number of headers, theirs.
    for (const place of [61, 65, 66, 70, 71, 73]) {
      for (const value of [0x7e, 0xfe]) {
        const bad = only(changed(bytes, (copy) => copy.writeUInt8(value, place)));
        expect(() => bad.records, `${String(value)} at ${String(place)}`).to.throw(BrokerError, /do not fit/);
      }
    }
    const shorter = only(changed(bytes, (copy) => copy.writeUInt8(2, 61)));
    expect(() => shorter.records).to.throw(BrokerError, /do not fit/);
    const more = only(changed(bytes, (copy) => copy.writeInt32BE(2, 57)));
    expect(() => more.records).to.throw(BrokerError, /do not fit/);
  });

  it('names batch and codec where it cannot be unpacked', () => {
    const unknown = only(changed(first, (copy) => copy.writeInt16BE(21, 21)));
    expect(() => unknown.records).to.throw(BrokerError, /offset 10 .*compression 5 is not known/);
    for (const codec of [1, 2, 3, 4]) {
      const bad = only(changed(first, (copy) => copy.writeInt16BE(16 | codec, 21)));
      expect(() => bad.records, String(codec)).to.throw(
        BrokerError,
        /offset 10 of a log cannot be decompressed/,
      );
    }
  });

  it('refuses offsets that a number cannot hold', () => {
    const far = changed(first, (copy) => copy.writeBigInt64BE(2n ** 53n, 0));
    expect(() => decodeBatches(far)).to.throw(BrokerError, /9007199254740992.+above 2\^53/);
  });

  it('reads a header of null as empty, and the last of two of one name', () => {
    const bytes = encodeBatch([row('', { headers: { a: 'x', b: 'y' } })], 0, 1, HEADER);
    // Names and values of one byte each are the last eight bytes: length, name, length, value.
    const twice = only(changed(bytes, (copy) => copy.write('a', copy.byteLength - 3)));
    expect(
      Object.entries(twice.records[0]?.headers ?? {}).map(([name, value]) => [name, String(value)]),
    ).to.deep.equal([['a', 'y']]);
    const nothing = encodeBatch([row('', { headers: { a: '' } })], 0, 1, HEADER);
    const nulled = only(changed(nothing, (copy) => copy.writeUInt8(1, copy.byteLength - 1)));
    expect(nulled.records[0]?.headers).to.deep.equal({ a: Buffer.alloc(0) });
  });
});

describe('CRC-32C', () => {
  it('is that of the published examples', () => {
    expect(crc32c(Buffer.from('123456789'), 0, 9)).to.equal(0xe3069283);
    expect(crc32c(new Uint8Array(32), 0, 32)).to.equal(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255), 0, 32)).to.equal(0x62a8ab43);
    expect(crc32c(new Uint8Array(0), 0, 0)).to.equal(0);
  });

  it('does not depend on where in memory the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 9 }), (bytes, shift) => {
        const moved = new Uint8Array(bytes.byteLength + 20);
        moved.set(bytes, shift);
        let expected = ~0;
        for (const byte of bytes) {
          expected ^= byte;
          for (let bit = 0; bit < 8; bit++) {
            expected = (expected >>> 1) ^ (expected & 1 ? 0x82f63b78 : 0);
          }
        }
        expect(crc32c(moved, shift, shift + bytes.byteLength)).to.equal(~expected >>> 0);
      }),
    );
  });
});
