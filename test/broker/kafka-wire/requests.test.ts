import { expect } from 'chai';
import fc from 'fast-check';
import theirFetchRequest from 'kafkajs/src/protocol/requests/fetch/v11/request.js';
import theirProduceResponse from 'kafkajs/src/protocol/requests/produce/v7/response.js';
import { BrokerError } from '../../../src/broker/errors.ts';
import { codecNamed } from '../../../src/broker/kafka/codecs.ts';
import { errorType } from '../../../src/broker/kafka/kafkajs.ts';
import { visibleBatches } from '../../../src/broker/kafka/visible.ts';
import { crc32c } from '../../../src/broker/kafka/wire/crc32c.ts';
import { type FetchedPartition, fetchRequest } from '../../../src/broker/kafka/wire/fetch.ts';
import { MessageReader, MessageWriter } from '../../../src/broker/kafka/wire/message.ts';
import { produceRequest } from '../../../src/broker/kafka/wire/produce.ts';
import { decodeBatches, encodeBatch } from '../../../src/broker/kafka/wire/record-batch.ts';

const NONE = codecNamed('none');

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('the Fetch request', () => {
  it('is what another implementation sends, topics grouped', async () => {
    const encodeTheirs = theirFetchRequest as (options: object) => {
      readonly apiKey: number;
      readonly apiVersion: number;
      encode(): Promise<{ readonly buffer: Buffer }>;
    };
    const theirs = encodeTheirs({
      replicaId: -1,
      maxWaitTime: 100,
      minBytes: 1,
      maxBytes: 10_000_000,
      isolationLevel: 1,
      topics: [
        {
          topic: 'mobile_data',
          partitions: [
            {
              partition: 3,
              currentLeaderEpoch: -1,
              fetchOffset: 2 ** 40,
              logStartOffset: -1,
              maxBytes: 1000,
            },
            { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, logStartOffset: -1, maxBytes: 2000 },
          ],
        },
        {
          topic: 'zwölf',
          partitions: [
            { partition: 1, currentLeaderEpoch: -1, fetchOffset: 7, logStartOffset: -1, maxBytes: 1 },
          ],
        },
      ],
    });
    const ours = fetchRequest({
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 10_000_000,
      partitions: [
        { topic: 'mobile_data', partition: 3, offset: 2 ** 40, maxBytes: 1000 },
        { topic: 'zwölf', partition: 1, offset: 7, maxBytes: 1 },
        { topic: 'mobile_data', partition: 0, offset: 0, maxBytes: 2000 },
      ],
    });
    const { buffer } = await theirs.encode();
    expect(Buffer.from(ours.body).toString('hex')).to.equal(buffer.toString('hex'));
    expect([ours.apiKey, ours.apiVersion]).to.deep.equal([theirs.apiKey, theirs.apiVersion]);
  });

  const answer = (refused: number, records: Buffer): Buffer =>
    new MessageWriter(16)
      .int32(5) // throttle time
      .int16(refused)
      .int32(0) // session
      .int32(2)
      .text('first')
      .int32(2)
      .int32(4)
      .int16(0)
      .int64(90) // high watermark
      .int64(80) // last stable offset
      .int64(10) // log start
      .int32(1)
      .bigint64(2n ** 60n)
      .int64(33)
      .int32(-1) // preferred replica
      .blob(records)
      .int32(5)
      .int16(1)
      .int64(-1)
      .int64(-1)
      .int64(-1)
      .int32(-1) // null: no aborted transactions
      .int32(-1)
      .int32(-1) // null: no records
      .text('second')
      .int32(1)
      .int32(0)
      .int16(0)
      .int64(0)
      .int64(0)
      .int64(0)
      .int32(0)
      .int32(-1)
      .blob(Buffer.alloc(0)).bytes;

  const request = fetchRequest({ maxWaitMs: 0, minBytes: 1, maxBytes: 1, partitions: [] });

  it('has its answer read, the records as a part of it', () => {
    const payload = answer(0, Buffer.from('some records'));
    const partitions = request.decode(payload);
    expect(partitions[0]?.records.buffer).to.equal(payload.buffer);
    const nothing = Buffer.alloc(0);
    expect(partitions).to.deep.equal([
      {
        topic: 'first',
        partition: 4,
        errorCode: 0,
        highWatermark: 90,
        lastStableOffset: 80,
        logStartOffset: 10,
        aborted: [{ producerId: 2n ** 60n, firstOffset: 33 }],
        records: Buffer.from('some records'),
      },
      {
        topic: 'first',
        partition: 5,
        errorCode: 1,
        highWatermark: -1,
        lastStableOffset: -1,
        logStartOffset: -1,
        aborted: [],
        records: nothing,
      },
      {
        topic: 'second',
        partition: 0,
        errorCode: 0,
        highWatermark: 0,
        lastStableOffset: 0,
        logStartOffset: 0,
        aborted: [],
        records: nothing,
      },
    ]);
  });

  it("fails with the broker's word where it was refused as a whole", () => {
    expect(errorType(thrownBy(() => request.decode(answer(71, Buffer.alloc(0)))))).to.equal(
      'INVALID_FETCH_SESSION_EPOCH',
    );
  });

  it('says that an answer is cut off', () => {
    const payload = answer(0, Buffer.from('records'));
    for (let length = 0; length < payload.byteLength; length++) {
      expect(() => request.decode(payload.subarray(0, length)), String(length)).to.throw(
        BrokerError,
        /Fetch.+ends early/,
      );
    }
  });
});

describe('the Produce request', () => {
  const partitions = [
    { topic: 'b', partition: 1, batch: Buffer.from('batch one') },
    { topic: 'a', partition: 0, batch: Buffer.from('two') },
    { topic: 'b', partition: 7, batch: Buffer.from('') },
  ];
  const request = produceRequest({ transactionalId: 'group-writer', timeoutMs: 9000, partitions });

  it('has the batches of a topic together', () => {
    expect([request.apiKey, request.apiVersion]).to.deep.equal([0, 7]);
    const reader = new MessageReader(Buffer.from(request.body), 'it');
    expect(reader.text()).to.equal('group-writer');
    expect(reader.int16()).to.equal(-1);
    expect(reader.int32()).to.equal(9000);
    expect(
      reader.array(() => [reader.text(), reader.array(() => [reader.int32(), reader.blob().toString()])]),
    ).to.deep.equal([
      [
        'b',
        [
          [1, 'batch one'],
          [7, ''],
        ],
      ],
      ['a', [[0, 'two']]],
    ]);
    expect(() => reader.int8()).to.throw(BrokerError, /ends early/);
  });

  it('has its answer read as another implementation reads it', async () => {
    const payload = new MessageWriter(8)
      .int32(2)
      .text('b')
      .int32(2)
      .int32(1)
      .int16(0)
      .int64(2 ** 45)
      .int64(-1)
      .int64(12)
      .int32(7)
      .int16(10)
      .int64(-1)
      .int64(-1)
      .int64(-1)
      .text('a')
      .int32(1)
      .int32(0)
      .int16(0)
      .int64(0)
      .int64(1_700_000_000_000)
      .int64(0)
      .int32(0).bytes;
    const theirs = theirProduceResponse as {
      decode(payload: Buffer): Promise<{
        readonly topics: readonly {
          readonly topicName: string;
          readonly partitions: readonly {
            readonly partition: number;
            readonly errorCode: number;
            readonly baseOffset: string;
            readonly logStartOffset: string;
          }[];
        }[];
      }>;
    };
    const { topics } = await theirs.decode(payload);
    const ours = request.decode(payload);
    expect(ours).to.have.length(3);
    expect(ours).to.deep.equal(
      topics.flatMap(({ partitions: answers, topicName }) =>
        answers.map(({ baseOffset, errorCode, logStartOffset, partition }) => ({
          topic: topicName,
          partition,
          errorCode,
          baseOffset: Number(baseOffset),
          logStartOffset: Number(logStartOffset),
        })),
      ),
    );
  });
});

describe('what a reader of committed data sees of a log', () => {
  /** One producer's transaction takes a number of records and ends in a marker, or is still open. */
  const step = fc.record({
    producer: fc.nat({ max: 3 }),
    records: fc.nat({ max: 3 }),
    end: fc.constantFrom('commit', 'abort', 'none'),
  });

  interface Log {
    readonly bytes: Buffer;
    readonly aborted: FetchedPartition['aborted'];
    readonly visible: readonly number[];
    readonly end: number;
    /** Where each batch begins. */
    readonly bases: readonly number[];
  }

  function batch(
    offset: number,
    producerId: bigint,
    count: number,
    attributes: number,
    key: string | null,
  ): Buffer {
    const records = Array.from({ length: count }, () => ({ key, value: Buffer.from('v'), timestamp: 1 }));
    const header = { producerId, producerEpoch: 0, firstSequence: 0, codec: NONE };
    const bytes = encodeBatch(records, 0, count, header);
    bytes.writeBigInt64BE(BigInt(offset), 0);
    bytes.writeInt16BE(attributes, 21);
    bytes.writeUInt32BE(crc32c(bytes, 21, bytes.byteLength), 17);
    return bytes;
  }

  const MARKER_KEY = { abort: '\0\0\0\0', commit: '\0\0\0\x01' } as const;

  /** Producer 0 writes without transactions; those that are open at the end come to nothing. */
  function log(
    steps: readonly { producer: number; records: number; end: 'commit' | 'abort' | 'none' }[],
  ): Log {
    const parts: Buffer[] = [];
    const bases: number[] = [];
    const aborted: { producerId: bigint; firstOffset: number }[] = [];
    const visible: number[] = [];
    const open = new Map<number, number[]>();
    let end = 100;
    const add = (producer: number, count: number, attributes: number, key: string | null): void => {
      parts.push(batch(end, BigInt(producer), count, attributes, key));
      bases.push(end);
      end += count;
    };
    const finish = (producer: number, how: 'abort' | 'commit'): void => {
      const [first, ...more] = open.get(producer) ?? [];
      if (first !== undefined) {
        if (how === 'abort') {
          aborted.push({ producerId: BigInt(producer), firstOffset: first });
        } else {
          visible.push(first, ...more);
        }
        open.delete(producer);
        add(producer, 1, 48, MARKER_KEY[how]);
      }
    };
    for (const { end: how, producer, records } of steps) {
      const offsets = Array.from({ length: records }, (_, index) => end + index);
      if (records > 0) {
        add(producer, records, producer === 0 ? 0 : 16, null);
        if (producer === 0) {
          visible.push(...offsets);
        } else {
          open.set(producer, [...(open.get(producer) ?? []), ...offsets]);
        }
      }
      if (how !== 'none') {
        finish(producer, how);
      }
    }
    for (const producer of [...open.keys()]) {
      finish(producer, 'abort');
    }
    return { bytes: Buffer.concat(parts), aborted, visible: visible.sort((a, b) => a - b), end, bases };
  }

  it('is what was committed, from any offset on, and reading goes on behind all of it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.nat(), (steps, seed) => {
        const { aborted, bases, bytes, end, visible } = log(steps);
        fc.pre(bases.length > 0);
        const from = 100 + (seed % (end - 100));
        // A broker answers from the batch that holds the offset, and tells the transactions from there on.
        const [first] = decodeBatches(bytes).filter(({ nextOffset }) => nextOffset > from);
        const skipped = bases.indexOf(first?.baseOffset ?? -1);
        const sizes = decodeBatches(bytes).map(({ baseOffset }) => baseOffset);
        expect(sizes).to.deep.equal(bases);
        let at = 0;
        for (let index = 0; index < skipped; index++) {
          at += 12 + bytes.readInt32BE(at + 8);
        }
        const markerOf = (producerId: bigint, firstOffset: number): number =>
          decodeBatches(bytes).find(
            (one) => one.control === 'abort' && one.producerId === producerId && one.baseOffset > firstOffset,
          )?.baseOffset ?? end;
        const fetched: FetchedPartition = {
          topic: 't',
          partition: 0,
          errorCode: 0,
          highWatermark: end,
          lastStableOffset: end,
          logStartOffset: 0,
          aborted: aborted.filter((one) => markerOf(one.producerId, one.firstOffset) >= from),
          records: bytes.subarray(at),
        };
        const { batches, nextOffset } = visibleBatches(fetched, from);
        expect(nextOffset).to.equal(end);
        expect(batches.flatMap((one) => one.recordsFrom(from)).map(({ offset }) => offset)).to.deep.equal(
          visible.filter((offset) => offset >= from),
        );
      }),
      { numRuns: 300 },
    );
  });
});
