/** Where a partition begins and ends, as its leader tells. */
import { BrokerError } from '../errors.ts';
import type { KafkaConnections } from './kafkajs.ts';

/** Timestamps by which Kafka names the two ends of a log. */
const EARLIEST = -2;
const LATEST = -1;
/** The end is behind the open transactions, which may hold back what is committed. */
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

type IsolationLevel = typeof READ_UNCOMMITTED | typeof READ_COMMITTED;

export interface PartitionOffsets {
  /** First retained offset. */
  readonly first: number;
  /** The offset the next record will get, also behind what is not committed yet. */
  readonly end: number;
}

export async function partitionOffsets(
  connections: Pick<KafkaConnections, 'leader'>,
  topic: string,
  partition: number,
): Promise<PartitionOffsets> {
  const [first, end] = await Promise.all([
    offsetOf(connections, topic, partition, EARLIEST),
    offsetOf(connections, topic, partition, LATEST),
  ]);
  return { first, end };
}

export async function endOffset(
  connections: Pick<KafkaConnections, 'leader'>,
  topic: string,
  partition: number,
): Promise<number> {
  return await offsetOf(connections, topic, partition, LATEST);
}

/** Behind all that is decided: up to the end, or to the first transaction that is open. */
export async function stableOffset(
  connections: Pick<KafkaConnections, 'leader'>,
  topic: string,
  partition: number,
): Promise<number> {
  return await offsetOf(connections, topic, partition, LATEST, READ_COMMITTED);
}

/** Offset of the first record of this time or later; undefined where there is none. */
export async function offsetSince(
  connections: Pick<KafkaConnections, 'leader'>,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number | undefined> {
  const offset = await askedOffset(connections, topic, partition, timestamp);
  return offset < 0 ? undefined : offset;
}

async function offsetOf(
  connections: Pick<KafkaConnections, 'leader'>,
  topic: string,
  partition: number,
  end: typeof EARLIEST | typeof LATEST,
  isolationLevel: IsolationLevel = READ_UNCOMMITTED,
): Promise<number> {
  const offset = await askedOffset(connections, topic, partition, end, isolationLevel);
  if (offset < 0) {
    throw new BrokerError(`${topic}-${String(partition)}: Kafka answers no offset but ${String(offset)}`);
  }
  return offset;
}

/** -1 where no record is of that time or later. */
async function askedOffset(
  connections: Pick<KafkaConnections, 'leader'>,
  topic: string,
  partition: number,
  timestamp: number,
  isolationLevel: IsolationLevel = READ_UNCOMMITTED,
): Promise<number> {
  const leader = await connections.leader(topic, partition);
  const { responses } = await leader.listOffsets({
    replicaId: -1,
    isolationLevel,
    topics: [{ topic, partitions: [{ partition, timestamp }] }],
  });
  const offset = Number(responses[0]?.partitions[0]?.offset);
  if (!Number.isSafeInteger(offset)) {
    throw new BrokerError(`${topic}-${String(partition)}: Kafka answers no offset but ${String(offset)}`);
  }
  return offset;
}
