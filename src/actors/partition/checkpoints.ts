import type { Broker, OutgoingRecord, Writer } from '../../broker/broker.ts';
import type { Clock } from '../../system/clock.ts';
import { faultPoint } from '../../system/faults.ts';
import type { Logger } from '../../system/logger.ts';
import { commitWhenThereIsRoom } from '../commit.ts';
import type { RegionSnapshot } from '../region/messages.ts';
import type { PartitionStats } from '../stats.ts';
import { PROGRESS_KEY, type TopicNames } from '../topics.ts';
import { encodeProgress, type PartitionProgress } from './progress.ts';

export interface CheckpointsOptions {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partition: number;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly stats: PartitionStats;
  /** Told of the next offset of each checkpoint that is on stable storage. */
  readonly durable: (nextOffset: number) => void;
  /** Told when one cannot be made durable. */
  readonly failed: (error: unknown) => void;
}

/** The checkpoints of one incarnation of a partition. */
export class Checkpoints {
  readonly #own: CheckpointsOptions;
  #flushed: Promise<void> = Promise.resolve();

  constructor(own: CheckpointsOptions) {
    this.#own = own;
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
    rejects: readonly OutgoingRecord[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { broker, clock, durable, failed, log, partition, stats, topics, writer } = this.#own;
    const { nextOffset } = progress;
    const encoded = encodeProgress(progress);
    stats.committing = true;
    const committed = await commitWhenThereIsRoom(
      writer,
      (transaction) => {
        for (const { key, value } of snapshots.flat()) {
          transaction.put(topics.regions, partition, key, value);
        }
        transaction.put(topics.regions, partition, PROGRESS_KEY, encoded);
        if (rejects.length > 0) {
          transaction.append(topics.rejected, 0, rejects);
        }
        faultPoint('checkpoint');
      },
      { clock, log, signal },
    ).finally(() => {
      stats.committing = false;
    });
    if (committed === undefined) {
      return false;
    }
    stats.checkpoints++;
    stats.rowsCounted = progress.counted;
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
