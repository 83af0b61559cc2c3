import { errorOfCode } from '../kafkajs.ts';
import type { WireRequest } from '../kafkajs-types.ts';
import { byTopic, MessageReader, MessageWriter } from './message.ts';

export interface FetchOptions {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  /** Of the whole answer; the first batch comes even if it is larger. */
  readonly maxBytes: number;
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
    readonly maxBytes: number;
  }[];
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  /** 0, or a code for `errorOfCode`; then the offsets are -1 and there are no records. */
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  /** Transactions that were aborted, with the offset at which each began. */
  readonly aborted: readonly AbortedTransaction[];
  /** Whole batches, the last one perhaps cut off. */
  readonly records: Buffer;
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

const CONSUMER = -1;
const READ_COMMITTED = 1;
const NO_SESSION = 0;
const FINAL_EPOCH = -1;
const UNKNOWN = -1;

/** Fetch v11, read_committed, without a fetch session. */
export function fetchRequest(options: FetchOptions): WireRequest<FetchedPartition[]> {
  const body = new MessageWriter(64 + options.partitions.length * 64);
  body
    .int32(CONSUMER)
    .int32(options.maxWaitMs)
    .int32(options.minBytes)
    .int32(options.maxBytes)
    .int8(READ_COMMITTED)
    .int32(NO_SESSION)
    .int32(FINAL_EPOCH);
  const topics = byTopic(options.partitions);
  body.int32(topics.size);
  for (const [topic, partitions] of topics) {
    body.text(topic).int32(partitions.length);
    for (const { maxBytes, offset, partition } of partitions) {
      body
        .int32(partition)
        .int32(UNKNOWN) // The leader's epoch.
        .int64(offset)
        .int64(UNKNOWN) // A follower's log start.
        .int32(maxBytes);
    }
  }
  body.int32(0); // Nothing to forget of a session.
  body.text(''); // No rack: the leader answers, not a replica near by.
  return { apiKey: 1, apiVersion: 11, apiName: 'Fetch', body: body.bytes, decode: decodeFetched };
}

/** @throws the broker's error, where the request as a whole was refused. */
function decodeFetched(payload: Buffer): FetchedPartition[] {
  const answer = new MessageReader(payload, 'the Fetch answer');
  answer.int32(); // For how long the broker holds back our next answers.
  const refused = answer.int16();
  if (refused !== 0) {
    throw errorOfCode(refused);
  }
  answer.int32(); // The session there is not.
  return answer
    .array((reader) => {
      const topic = reader.text();
      return reader.array((): FetchedPartition => {
        const partition = reader.int32();
        const errorCode = reader.int16();
        const highWatermark = reader.int64();
        const lastStableOffset = reader.int64();
        const logStartOffset = reader.int64();
        const aborted = reader.array(
          (): AbortedTransaction => ({ producerId: reader.bigint64(), firstOffset: reader.int64() }),
        );
        reader.int32(); // A replica to read from instead: none without a rack.
        const records = reader.blob();
        return {
          topic,
          partition,
          errorCode,
          highWatermark,
          lastStableOffset,
          logStartOffset,
          aborted,
          records,
        };
      });
    })
    .flat();
}
