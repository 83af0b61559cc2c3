import type { Broker, Writer } from '../../broker/broker.ts';
import type { Metrics } from '../../metrics/recorder.ts';
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { commitWhenThereIsRoom } from '../commit.ts';
import { checkAlgorithm } from '../stored-algorithm.ts';
import { currentEpoch, type Epoch } from '../rewind/epoch.ts';
import { PROGRESS_KEY, SUMMARY_PREFIX, type TopicNames } from '../topics.ts';
import { unlessAborted } from '../unless-aborted.ts';
import {
  decodeProgress,
  emptyProgress,
  encodeProgress,
  type PartitionProgress,
  rewound,
} from './progress.ts';

export interface RestoreOptions {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partition: number;
  /** Where to begin when no progress is stored. */
  readonly startPosition: 'earliest' | 'latest';
  /** How the regions are to keep their rows. */
  readonly algorithm: string;
  /** Of this partition, opened: nobody else writes its state. */
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
}

/**
 * What is committed of a partition, with what has to be committed before its first row is read.
 * @throws TopicMismatchError when its rows are kept by another algorithm.
 */
export async function restoreProgress(options: RestoreOptions): Promise<PartitionProgress> {
  const { algorithm, broker, partition, signal, startPosition, topics } = options;
  await unlessAborted(broker.refreshTable(topics.regions, partition), signal);
  const epoch = await unlessAborted(currentEpoch(broker, topics.settings), signal);
  const stored = await broker.tableGet(topics.regions, partition, PROGRESS_KEY);
  if (stored !== undefined) {
    const progress = decodeProgress(stored);
    if (progress.epoch < epoch.number) {
      return await applyRewind(options, progress, epoch);
    }
    checkAlgorithm(progress, algorithm);
    return { ...progress, algorithm };
  }
  const progress = { ...emptyProgress(), epoch: epoch.number, algorithm };
  return startPosition === 'latest' ? await startAtEnd(options, progress) : progress;
}

/** Resolves `latest` once and for all. */
async function startAtEnd(options: RestoreOptions, empty: PartitionProgress): Promise<PartitionProgress> {
  const { broker, log, partition, signal, topics } = options;
  const { end } = await unlessAborted(broker.offsets(topics.rows, partition), signal);
  const progress = { ...empty, nextOffset: end };
  await commit(options, progress, []);
  log.info(
    { partition, offset: end },
    'nothing is counted yet: beginning at the end of the log, as configured',
  );
  return progress;
}

/** Removes all summaries and goes back, in one transaction. */
async function applyRewind(
  options: RestoreOptions,
  former: PartitionProgress,
  { asked, number, targets }: Epoch,
): Promise<PartitionProgress> {
  const { broker, log, partition, signal, topics } = options;
  const { first } = await unlessAborted(broker.offsets(topics.rows, partition), signal);
  const target = Math.min(targets[partition] ?? former.nextOffset, former.nextOffset);
  if (target < first) {
    log.error(
      { partition, target, first },
      'rows to be counted again were removed by retention since the rewind was asked for: they are left out',
    );
  }
  const progress = { ...rewound(former, number, Math.max(target, first)), algorithm: options.algorithm };
  const summaries: string[] = [];
  for await (const { key } of broker.tableEntries(topics.regions, partition, SUMMARY_PREFIX)) {
    summaries.push(key);
  }
  await commit(options, progress, summaries);
  log.info(
    { partition, asked, from: former.nextOffset, to: progress.nextOffset, epoch: number },
    'rewound: this partition is counted anew',
  );
  return progress;
}

async function commit(
  { clock, log, metrics, partition, signal, topics, writer }: RestoreOptions,
  progress: PartitionProgress,
  removed: readonly string[],
): Promise<void> {
  const committed = await commitWhenThereIsRoom(
    writer,
    (transaction) => {
      for (const key of removed) {
        transaction.put(topics.regions, partition, key, null);
      }
      transaction.put(topics.regions, partition, PROGRESS_KEY, encodeProgress(progress));
    },
    { clock, log, metrics, signal, stage: 'partition' },
  );
  signal.throwIfAborted();
  await committed?.flushed;
}
