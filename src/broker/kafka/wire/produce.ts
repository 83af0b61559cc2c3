import type { WireRequest } from '../kafkajs-types.ts';
import { byTopic, MessageReader, MessageWriter } from './message.ts';

export interface ProduceOptions {
  readonly transactionalId: string;
  readonly timeoutMs: number;
  /** At most one batch a partition. */
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly batch: Buffer;
  }[];
}

export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  /** 0, or a code for `errorOfCode`; then `baseOffset` is -1. */
  readonly errorCode: number;
  /** Offset of the batch's first record. */
  readonly baseOffset: number;
  readonly logStartOffset: number;
}

const ALL_IN_SYNC = -1;

/** Produce v7, acknowledged by all replicas in sync. */
export function produceRequest(options: ProduceOptions): WireRequest<ProducedPartition[]> {
  let size = 64 + Buffer.byteLength(options.transactionalId);
  for (const { batch, topic } of options.partitions) {
    size += 16 + Buffer.byteLength(topic) + batch.byteLength;
  }
  const body = new MessageWriter(size);
  body.text(options.transactionalId).int16(ALL_IN_SYNC).int32(options.timeoutMs);
  const topics = byTopic(options.partitions);
  body.int32(topics.size);
  for (const [topic, partitions] of topics) {
    body.text(topic).int32(partitions.length);
    for (const { batch, partition } of partitions) {
      body.int32(partition).blob(batch);
    }
  }
  return { apiKey: 0, apiVersion: 7, apiName: 'Produce', body: body.bytes, decode: decodeProduced };
}

function decodeProduced(payload: Buffer): ProducedPartition[] {
  return new MessageReader(payload, 'the Produce answer')
    .array((reader) => {
      const topic = reader.text();
      return reader.array((): ProducedPartition => {
        const partition = reader.int32();
        const errorCode = reader.int16();
        const baseOffset = reader.int64();
        reader.int64(); // When it was appended, where the topic's timestamps say that.
        const logStartOffset = reader.int64();
        return { topic, partition, errorCode, baseOffset, logStartOffset };
      });
    })
    .flat();
}
