/** How the topics are set up that we create. Whoever creates them by hand does the same. */
import type { TopicSpec } from '../broker.ts';
import type { NewTopic } from './wire/create-topics.ts';

const MIB = 1024 * 1024;
const MINUTE_MS = 60_000;
/** As large as the largest value and a line that was rewritten need; Kafka's own default is 1 MiB. */
const MAX_MESSAGE_BYTES = 8 * MIB;

export function newTopic(spec: TopicSpec, replication: number): NewTopic {
  const { kind, name, partitions } = spec;
  return {
    name,
    partitions,
    replication,
    configs: {
      'max.message.bytes': String(MAX_MESSAGE_BYTES),
      // What is acknowledged survives the loss of one broker, and one that is away stops nothing.
      'min.insync.replicas': String(replication >= 3 ? 2 : 1),
      ...(kind === 'table' ? tableConfigs() : logConfigs(spec)),
    },
  };
}

/**
 * A restore reads what compaction has left and all since. Only closed segments are compacted, so they are
 * small, closed soon, and compacted when a tenth of the table has been written anew.
 */
function tableConfigs(): Record<string, string> {
  return {
    'cleanup.policy': 'compact',
    'segment.bytes': String(32 * MIB),
    'segment.ms': String(10 * MINUTE_MS),
    'min.cleanable.dirty.ratio': '0.1',
    'max.compaction.lag.ms': String(10 * MINUTE_MS),
  };
}

/** Kafka's limit of bytes is one partition's, and whole segments are removed: an eighth is precise enough. */
function logConfigs({ partitions, retention }: TopicSpec): Record<string, string> {
  if (retention === undefined) {
    return { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' };
  }
  const unlimited = retention.bytes === Number.POSITIVE_INFINITY;
  const bytes = Math.max(1, Math.ceil(retention.bytes / partitions));
  const ageMs = Math.max(1, Math.round(retention.ageMs));
  return {
    'cleanup.policy': 'delete',
    'retention.ms': String(ageMs),
    'retention.bytes': unlimited ? '-1' : String(bytes),
    'segment.bytes': String(Math.round(clamp(bytes / 8, 16 * MIB, 1024 * MIB))),
    'segment.ms': String(Math.round(clamp(ageMs / 8, 10 * MINUTE_MS, 7 * 24 * 60 * MINUTE_MS))),
  };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
