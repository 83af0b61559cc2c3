import type { Broker, Writer } from '../../broker/broker.ts';
import type { Metrics } from '../../metrics/recorder.ts';
import type { Clock } from '../../system/clock.ts';
import { faultPoint } from '../../system/faults.ts';
import type { Logger } from '../../system/logger.ts';
import { commitWhenThereIsRoom } from '../commit.ts';
import type { RegionSnapshot } from '../region/messages.ts';
import { addByReason, type PartitionStats } from '../stats.ts';
import { PROGRESS_KEY, type TopicNames } from '../topics.ts';
import type { UndecidedCommits } from '../undecided-commits.ts';
import { encodeProgress, type PartitionProgress } from './progress.ts';
import type { Rejects } from './row-intake.ts';

export interface CheckpointsOptions {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partition: number;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly stats: PartitionStats;
  readonly metrics: Metrics;
  /** Checkpoints of all partitions. */
  readonly undecided: UndecidedCommits;
  /** Rows that were counted when the partition was restored. */
  readonly counted: number;
  /** Told of the next offset of each checkpoint that is on stable storage. */
  readonly durable: (nextOffset: number) => void;
  /** Told when one cannot be made durable. */
  readonly failed: (error: unknown) => void;
}

/** The checkpoints of one incarnation of a partition. */
export class Checkpoints {
  readonly #own: CheckpointsOptions;
  #flushed: Promise<void> = Promise.resolve();
  /** Rows that the last checkpoint counts. */
  #counted: number;

  constructor(own: CheckpointsOptions) {
    this.#own = own;
    this.#counted = own.counted;
  }

  /** Resolves when the last one is on stable storage. */
  get flushed(): Promise<void> {
    return this.#flushed;
  }

  /**
   * Writes changed summaries, rejected rows and the next offset in one transaction. Every row below the
   * next offset must be in the snapshots or in what was written before.
   * @returns false when `signal` aborted while there was no room: nothing was written.
   */
  async write(
    progress: PartitionProgress,
    snapshots: readonly RegionSnapshot[],
    rejects: Rejects,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { broker, clock, durable, failed, log, metrics, partition, stats, topics, undecided, writer } =
      this.#own;
    const { counted, nextOffset } = progress;
    const encoded = encodeProgress(progress);
    stats.committing = true;
    const parts = snapshots.flat();
    const writing = commitWhenThereIsRoom(
      writer,
      (transaction) => {
        for (const { key, value } of parts) {
          transaction.put(topics.regions, partition, key, value);
        }
        transaction.put(topics.regions, partition, PROGRESS_KEY, encoded);
        if (rejects.records.length > 0) {
          transaction.append(topics.rejected, 0, rejects.records);
        }
        faultPoint('checkpoint');
      },
      { clock, log, metrics, signal, stage: 'partition' },
    );
    const news = counted - this.#counted;
    const deciding = undecided.counted(partition, checkpointMark(progress), writing, () => {
      stats.committed.counted += news;
      addByReason(stats.committed.rejectedByReason, rejects.byReason);
    });
    const committed = await deciding.finally(() => {
      stats.committing = false;
      // However long that took, what comes next has its time.
      stats.turnedAt = clock.monotonic();
    });
    if (committed === undefined) {
      return false;
    }
    this.#counted = counted;
    stats.checkpoints++;
    stats.lastCheckpointBytes = encoded.length + sizeOf(parts) + sizeOf(rejects.records);
    stats.checkpointBytes += stats.lastCheckpointBytes;
    stats.rowsCounted = counted;
    stats.nextOffset = nextOffset;
    this.#flushed = Promise.all([this.#flushed, committed.flushed]).then(async () => {
      faultPoint('flush-acknowledge');
      await broker.consumedUpTo(topics.rows, partition, nextOffset);
      durable(nextOffset);
    });
    this.#flushed.catch(failed);
    return true;
  }
}

/** Rows only ever bring the next offset forward: it tells one checkpoint with rows from the one before. */
export function checkpointMark({ epoch, nextOffset }: PartitionProgress): string {
  return `${String(epoch)} ${String(nextOffset)}`;
}

function sizeOf(values: readonly { readonly value: Uint8Array | null }[]): number {
  return values.reduce((bytes, { value }) => bytes + (value?.length ?? 0), 0);
}
