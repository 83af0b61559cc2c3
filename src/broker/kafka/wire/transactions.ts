/** The requests of a transactional producer to its coordinator. */
import type { WireRequest } from '../kafkajs-types.ts';
import { byTopic, MessageReader, MessageWriter } from './message.ts';

/** What fences: the broker takes requests only from the newest epoch of an id. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly epoch: number;
}

const NO_IDENTITY: ProducerIdentity = { producerId: -1n, epoch: -1 };

export interface InitializedProducer extends ProducerIdentity {
  readonly errorCode: number;
}

/**
 * InitProducerId v3: a new epoch; a transaction under way is aborted. With `expected`, only if that is
 * still the newest: then nobody else is fenced by it.
 */
export function initProducerIdRequest(options: {
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly expected?: ProducerIdentity | undefined;
}): WireRequest<InitializedProducer> {
  const { producerId, epoch } = options.expected ?? NO_IDENTITY;
  const body = new MessageWriter(64);
  noTags(body); // belongs to the head of a flexible request, which kafkajs does not write
  compactText(body, options.transactionalId);
  body.int32(options.transactionTimeoutMs).bigint64(producerId).int16(epoch);
  noTags(body);
  return {
    apiKey: 22,
    apiVersion: 3,
    apiName: 'InitProducerId',
    body: body.bytes,
    decode: (payload) => {
      const reader = new MessageReader(payload, 'the InitProducerId answer');
      skipTags(reader); // of the head
      reader.int32(); // throttle time
      return { errorCode: reader.int16(), producerId: reader.bigint64(), epoch: reader.int16() };
    },
  };
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** AddPartitionsToTxn v1. The answer has an error code for each partition. */
export function addPartitionsRequest(options: {
  readonly transactionalId: string;
  readonly identity: ProducerIdentity;
  readonly partitions: readonly TopicPartition[];
}): WireRequest<(TopicPartition & { readonly errorCode: number })[]> {
  const topics = byTopic(options.partitions);
  const body = new MessageWriter(256)
    .text(options.transactionalId)
    .bigint64(options.identity.producerId)
    .int16(options.identity.epoch)
    .int32(topics.size);
  for (const [topic, partitions] of topics) {
    body.text(topic).int32(partitions.length);
    for (const { partition } of partitions) {
      body.int32(partition);
    }
  }
  return {
    apiKey: 24,
    apiVersion: 1,
    apiName: 'AddPartitionsToTxn',
    body: body.bytes,
    decode: (payload) => {
      const reader = new MessageReader(payload, 'the AddPartitionsToTxn answer');
      reader.int32(); // throttle time
      return reader
        .array(() => {
          const topic = reader.text();
          return reader.array(() => ({ topic, partition: reader.int32(), errorCode: reader.int16() }));
        })
        .flat();
    },
  };
}

/** EndTxn v1. The answer is an error code. */
export function endTransactionRequest(options: {
  readonly transactionalId: string;
  readonly identity: ProducerIdentity;
  readonly commit: boolean;
}): WireRequest<number> {
  const body = new MessageWriter(64)
    .text(options.transactionalId)
    .bigint64(options.identity.producerId)
    .int16(options.identity.epoch)
    .int8(options.commit ? 1 : 0);
  return {
    apiKey: 26,
    apiVersion: 1,
    apiName: 'EndTxn',
    body: body.bytes,
    decode: (payload) => {
      const reader = new MessageReader(payload, 'the EndTxn answer');
      reader.int32(); // throttle time
      return reader.int16();
    },
  };
}

/** A text of the flexible versions: its length plus one as an unsigned varint, then the text. */
function compactText(writer: MessageWriter, value: string): void {
  const bytes = Buffer.from(value);
  let rest = bytes.byteLength + 1;
  for (; rest > 0x7f; rest >>>= 7) {
    writer.int8((rest & 0x7f) - 0x80);
  }
  writer.int8(rest);
  for (const byte of bytes) {
    writer.int8((byte << 24) >> 24);
  }
}

function noTags(writer: MessageWriter): void {
  writer.int8(0);
}

/** Fields that a later version may add at the end of a structure. */
function skipTags(reader: MessageReader): void {
  for (let count = unsignedVarint(reader); count > 0; count--) {
    unsignedVarint(reader);
    for (let size = unsignedVarint(reader); size > 0; size--) {
      reader.int8();
    }
  }
}

function unsignedVarint(reader: MessageReader): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = reader.int8();
    value |= (byte & 0x7f) << shift;
    if (byte >= 0) {
      return value;
    }
  }
}
