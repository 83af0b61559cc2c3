import type { Retention } from '../broker.ts';
import type { PartitionLog } from './partition-log.ts';

/** Batches to remove from the old end of one partition. */
export interface Removal {
  readonly log: PartitionLog;
  readonly count: number;
}

/**
 * What retention removes now from one topic, at most `limit` batches: the oldest first, over all
 * partitions, while the topic is larger than its bytes or the oldest batch is past its age. Batches
 * with unconsumed records stop it, unless the retention says otherwise.
 *
 * @param now milliseconds since the epoch, compared with the newest timestamp in a batch
 */
export function planRemovals(
  logs: readonly PartitionLog[],
  retention: Retention,
  now: number,
  limit: number,
): readonly Removal[] {
  const counts = new Map<PartitionLog, number>();
  let bytes = logs.reduce((sum, log) => sum + log.index.bytes, 0);
  for (let left = limit; left > 0; left--) {
    let oldest: PartitionLog | undefined;
    let oldestTimestamp = Number.POSITIVE_INFINITY;
    let oldestBytes = 0;
    for (const log of logs) {
      const head = log.index.at(counts.get(log) ?? 0);
      if (head === undefined || head.timestamp >= oldestTimestamp) {
        continue;
      }
      if (retention.retainUnconsumed === false || head.base + head.count <= log.consumed) {
        oldest = log;
        oldestTimestamp = head.timestamp;
        oldestBytes = head.bytes;
      }
    }
    if (oldest === undefined || (bytes <= retention.bytes && now - oldestTimestamp <= retention.ageMs)) {
      break;
    }
    bytes -= oldestBytes;
    counts.set(oldest, (counts.get(oldest) ?? 0) + 1);
  }
  return [...counts].map(([log, count]) => ({ log, count }));
}
