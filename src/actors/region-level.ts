import type { Broker } from '../broker/broker.ts';
import { TopicMismatchError } from '../broker/errors.ts';
import { regionFromToken } from '../geo/s2.ts';
import { parseSummaryKey } from './partition/summary-chunks.ts';
import { SUMMARY_PREFIX } from './topics.ts';

/**
 * Refuses a state whose summaries are of regions of another level: their cells overlap, so no model
 * could be made of both.
 * @throws TopicMismatchError
 */
export async function checkRegionLevel(
  broker: Broker,
  table: string,
  partitions: number,
  level: number,
): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    for await (const { key } of broker.tableEntries(table, partition, SUMMARY_PREFIX)) {
      const stored = regionFromToken(parseSummaryKey(key).token).level;
      if (stored !== level) {
        throw new TopicMismatchError(
          `table ${table} holds summaries of regions of level ${String(stored)} and level ${String(level)} is ` +
            `expected: set regions.level to ${String(stored)}, or start with a new directory`,
        );
      }
      // All of a state are of one level: the first tells.
      break;
    }
  }
}
