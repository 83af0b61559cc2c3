import type { WireRequest } from '../kafkajs-types.ts';
import { MessageReader, MessageWriter } from './message.ts';

export interface JoinRequest {
  readonly groupId: string;
  /** Empty at first: the coordinator then answers MEMBER_ID_REQUIRED and gives one. */
  readonly memberId: string;
  readonly sessionTimeoutMs: number;
  /** How long the coordinator waits for the other members. */
  readonly rebalanceTimeoutMs: number;
  readonly protocolName: string;
  readonly metadata: Buffer;
}

export interface JoinAnswer {
  readonly errorCode: number;
  readonly generation: number;
  readonly leaderId: string;
  readonly memberId: string;
  /** Told to the leader only. */
  readonly members: readonly { readonly id: string; readonly metadata: Buffer }[];
}

const NETWORK_MS = 5_000;

/** JoinGroup v5. kafkajs' own hides the member id of a join that was not answered to the end. */
export function joinGroupRequest(join: JoinRequest): WireRequest<JoinAnswer> {
  const body = new MessageWriter(256)
    .text(join.groupId)
    .int32(join.sessionTimeoutMs)
    .int32(join.rebalanceTimeoutMs)
    .text(join.memberId)
    .int16(-1) // no static membership
    .text('consumer')
    .int32(1)
    .text(join.protocolName)
    .blob(join.metadata);
  return {
    apiKey: 11,
    apiVersion: 5,
    apiName: 'JoinGroup',
    body: body.bytes,
    timeoutMs: join.rebalanceTimeoutMs + NETWORK_MS,
    decode: (payload) => {
      const reader = new MessageReader(payload, 'the answer to JoinGroup');
      reader.int32(); // throttle time
      const errorCode = reader.int16();
      const generation = reader.int32();
      reader.text(); // protocol
      const leaderId = reader.text();
      const memberId = reader.text();
      const members = reader.array(() => {
        const id = reader.text();
        reader.text(); // static membership
        return { id, metadata: reader.blob() };
      });
      return { errorCode, generation, leaderId, memberId, members };
    },
  };
}
