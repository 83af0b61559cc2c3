import type { WireRequest } from '../kafkajs-types.ts';
import { MessageReader, MessageWriter } from './message.ts';

export interface ClusterMetadata {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly controllerId: number;
  readonly topics: readonly TopicMetadata[];
}

export interface TopicMetadata {
  readonly name: string;
  /** 0, or a code for `errorOfCode`. */
  readonly errorCode: number;
  readonly partitions: readonly PartitionMetadata[];
}

export interface PartitionMetadata {
  readonly partition: number;
  /** Node id, or -1: there is none at present. */
  readonly leader: number;
  readonly replicas: readonly number[];
}

/**
 * Metadata v6 of `topics`, of none where the list is empty. An error of one topic or partition is told
 * with it and leaves the others' metadata usable; kafkajs' own reading refuses the whole answer.
 */
export function metadataRequest(topics: readonly string[]): WireRequest<ClusterMetadata> {
  const body = new MessageWriter(64).int32(topics.length);
  for (const topic of topics) {
    body.text(topic);
  }
  body.int8(0); // a missing topic is not to be made
  return { apiKey: 3, apiVersion: 6, apiName: 'Metadata', body: body.bytes, decode };
}

function decode(payload: Buffer): ClusterMetadata {
  const reader = new MessageReader(payload, 'the Metadata answer');
  reader.int32(); // throttle time
  const brokers = reader.array(() => {
    const broker = { nodeId: reader.int32(), host: reader.text(), port: reader.int32() };
    reader.text(); // rack
    return broker;
  });
  reader.text(); // cluster id
  const controllerId = reader.int32();
  const topics = reader.array((): TopicMetadata => {
    const errorCode = reader.int16();
    const name = reader.text();
    reader.int8(); // internal
    const partitions = reader.array((): PartitionMetadata => {
      reader.int16(); // where the leader is missing, this says why
      const partition = reader.int32();
      const leader = reader.int32();
      const replicas = reader.array(() => reader.int32());
      reader.array(() => reader.int32()); // in sync
      reader.array(() => reader.int32()); // offline
      return { partition, leader, replicas };
    });
    return { name, errorCode, partitions };
  });
  return { brokers, controllerId, topics };
}
