import type { Broker } from '../broker/broker.ts';
import { TopicMismatchError } from '../broker/errors.ts';
import { decodeProgress, type PartitionProgress } from './partition/progress.ts';
import { currentEpoch } from './rewind/epoch.ts';
import { PROGRESS_KEY, type TopicNames } from './topics.ts';

/**
 * Refuses a state whose rows are kept by another algorithm, or by other settings of it, unless it is about to
 * be rewound: nothing is left of it then.
 * @param expected the algorithm's description.
 * @throws TopicMismatchError
 */
export async function checkAlgorithms(
  broker: Broker,
  topics: Pick<TopicNames, 'regions' | 'settings'>,
  partitions: number,
  expected: string,
): Promise<void> {
  const epoch = await currentEpoch(broker, topics.settings);
  for (let partition = 0; partition < partitions; partition++) {
    const stored = await broker.tableGet(topics.regions, partition, PROGRESS_KEY);
    const progress = stored === undefined ? undefined : decodeProgress(stored);
    if (progress?.epoch === epoch.number) {
      checkAlgorithm(progress, expected);
    }
  }
}

/** @throws TopicMismatchError when rows are kept, and by another algorithm than is expected. */
export function checkAlgorithm(
  { algorithm, counted }: Pick<PartitionProgress, 'algorithm' | 'counted'>,
  expected: string,
): void {
  if (counted > 0 && algorithm !== expected) {
    throw new TopicMismatchError(
      `the rows that are counted are kept with clustering.algorithm ${algorithm}, and ${expected} is expected: set ` +
        'clustering.algorithm and clustering.streamingKMeans to what they were, or have all rows counted again ' +
        '(`geoflock rewind --to-offset earliest`), or start with another state.directory or topics.group',
    );
  }
}
