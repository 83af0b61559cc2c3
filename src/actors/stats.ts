/**
 * Plain counters that stages keep for status, the live table and metrics. They describe this
 * process; what is true across restarts stands in the broker's tables (`totals.ts`).
 */

export interface FileWatcherStats {
  scans: number;
  /** Files seen by the last finished scan that match the filter. */
  files: number;
  /** Files seen that still change or are too young. */
  waiting: number;
  /** Folders that the last finished scan could not list. */
  unreadable: number;
  /** Files that failed at another replica while a sweep waited for them. */
  failedElsewhere: number;
}

export interface PublisherStats {
  /** Path of the file being read. */
  file: string | undefined;
  filesDone: number;
  filesFailed: number;
  bytes: number;
  rowsRead: number;
  rowsRejected: number;
  transactions: number;
  /** The log is at its limit: reading of files waits. */
  logIsFull: boolean;
}

export interface PartitionStats {
  readonly partition: number;
  rowsRead: number;
  rowsCounted: number;
  rowsRejected: number;
  checkpoints: number;
  regions: number;
  nextOffset: number;
  /** What is committed of it is read back, by the incarnation of now. */
  restored: boolean;
  /** Monotonic ms at which its loop turned last. */
  turnedAt: number;
  /** A commit is under way. */
  committing: boolean;
}

export interface AggregatorStats {
  models: number;
  lastModelMs: number;
}

export interface PipelineStats {
  readonly fileWatcher: FileWatcherStats;
  readonly publisher: PublisherStats;
  readonly partitions: PartitionStats[];
  /** The group has told which partitions are this process's. */
  joined: boolean;
  /** Partitions that were restarted because they were stuck. */
  stuckRestarts: number;
  readonly aggregator: AggregatorStats;
}

export function emptyStats(partitions: number): PipelineStats {
  return {
    fileWatcher: { scans: 0, files: 0, waiting: 0, unreadable: 0, failedElsewhere: 0 },
    publisher: {
      file: undefined,
      filesDone: 0,
      filesFailed: 0,
      bytes: 0,
      rowsRead: 0,
      rowsRejected: 0,
      transactions: 0,
      logIsFull: false,
    },
    partitions: Array.from({ length: partitions }, (_, partition) => ({
      partition,
      rowsRead: 0,
      rowsCounted: 0,
      rowsRejected: 0,
      checkpoints: 0,
      regions: 0,
      nextOffset: 0,
      restored: false,
      turnedAt: 0,
      committing: false,
    })),
    joined: false,
    stuckRestarts: 0,
    aggregator: { models: 0, lastModelMs: 0 },
  };
}
