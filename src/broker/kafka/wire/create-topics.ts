import type { WireRequest } from '../kafkajs-types.ts';
import { MessageReader, MessageWriter } from './message.ts';

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replication: number;
  readonly configs: Readonly<Record<string, string>>;
}

export interface CreatedTopic {
  readonly name: string;
  /** 0, or a code for `errorOfCode`. */
  readonly errorCode: number;
  /** What the broker says about it; empty where it says nothing. */
  readonly reason: string;
}

/** CreateTopics v2. kafkajs' own form leaves out what the broker says about a refusal. */
export function createTopicsRequest(
  topics: readonly NewTopic[],
  timeoutMs: number,
): WireRequest<CreatedTopic[]> {
  const body = new MessageWriter(512).int32(topics.length);
  for (const { configs, name, partitions, replication } of topics) {
    body.text(name).int32(partitions).int16(replication);
    body.int32(0); // the broker chooses where the copies are
    const entries = Object.entries(configs);
    body.int32(entries.length);
    for (const [key, value] of entries) {
      body.text(key).text(value);
    }
  }
  body.int32(timeoutMs).int8(0);
  return {
    apiKey: 19,
    apiVersion: 2,
    apiName: 'CreateTopics',
    body: body.bytes,
    decode: (payload) => {
      const reader = new MessageReader(payload, 'the CreateTopics answer');
      reader.int32(); // throttle time
      return reader.array(() => ({
        name: reader.text(),
        errorCode: reader.int16(),
        reason: reader.text(),
      }));
    },
  };
}
