/**
 * What members of a group tell each other, in the layout of Kafka's own consumers
 * (ConsumerProtocolSubscription and ConsumerProtocolAssignment, version 1), so that Kafka's tools show
 * who has which partition. What theirs has no place for is in the user data, as JSON.
 */
import { z } from 'zod';
import { BrokerError } from '../errors.ts';
import type { Assignment, MemberState } from './assignor.ts';
import { MessageReader, MessageWriter } from './wire/message.ts';

/** Groups whose members take part by another name are not ours: Kafka does not let us join them. */
export const PROTOCOL_NAME = 'geoflock-cooperative-sticky';

const LAYOUT_VERSION = 1;
/** Of the user data. Raised when an older member would misunderstand it. */
const FORMAT = 1;

const memberData = z.object({
  format: z.literal(FORMAT),
  generation: z.number().int().nonnegative(),
  fingerprint: z.string(),
});
const assignmentData = z.object({ format: z.literal(FORMAT), refusal: z.string().optional() });

export function encodeMember(
  topic: string,
  { fingerprint, generation, owned }: Omit<MemberState, 'id'>,
): Buffer {
  const writer = new MessageWriter(256).int16(LAYOUT_VERSION).int32(1).text(topic);
  writer.blob(json({ format: FORMAT, generation, fingerprint }));
  writePartitions(writer, topic, owned);
  return writer.bytes;
}

/** A member that says something we do not understand differs from us in its configuration: its version. */
export function decodeMember(id: string, topic: string, bytes: Buffer): MemberState {
  const reader = new MessageReader(bytes, `what member ${id} says of itself`);
  reader.int16();
  const topics = reader.array(() => reader.text()).join();
  const data = reader.blob().toString();
  const owned = readPartitions(reader, topic);
  try {
    const { fingerprint, generation } = memberData.parse(JSON.parse(data));
    const whole = topics === topic ? fingerprint : `topic ${topics}, ${fingerprint}`;
    return { id, owned, generation, fingerprint: whole };
  } catch {
    return { id, owned, generation: 0, fingerprint: `another version of Geoflock, ${data.slice(0, 200)}` };
  }
}

export function encodeAssignment(topic: string, { partitions, refusal }: Assignment): Buffer {
  const writer = new MessageWriter(256).int16(LAYOUT_VERSION);
  writePartitions(writer, topic, partitions);
  return writer.blob(json({ format: FORMAT, refusal })).bytes;
}

/** @throws BrokerError the leader is of another version of Geoflock. */
export function decodeAssignment(topic: string, bytes: Buffer): Assignment {
  const reader = new MessageReader(bytes, 'the assignment');
  reader.int16();
  const partitions = readPartitions(reader, topic);
  const data = reader.blob().toString();
  try {
    const { refusal } = assignmentData.parse(JSON.parse(data));
    return refusal === undefined ? { partitions } : { partitions, refusal };
  } catch (cause) {
    throw new BrokerError(
      `the leader of the consumer group says ${data.slice(0, 200)}, which this version of ` +
        'Geoflock does not understand: run the same version in all replicas, or give them another group',
      { cause },
    );
  }
}

function writePartitions(writer: MessageWriter, topic: string, partitions: readonly number[]): void {
  if (partitions.length === 0) {
    writer.int32(0);
    return;
  }
  writer.int32(1).text(topic).int32(partitions.length);
  for (const partition of partitions) {
    writer.int32(partition);
  }
}

function readPartitions(reader: MessageReader, topic: string): number[] {
  const topics = reader.array(() => ({
    name: reader.text(),
    partitions: reader.array(() => reader.int32()),
  }));
  return topics.filter(({ name }) => name === topic).flatMap(({ partitions }) => partitions);
}

function json(data: object): Buffer {
  return Buffer.from(JSON.stringify(data));
}
