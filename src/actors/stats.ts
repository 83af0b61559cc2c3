import type { RejectReason } from '../rows/reasons.ts';
import type { FileState } from './ingest/ledger.ts';

/**
 * Plain counters that stages keep for status, the live table and metrics. They describe this
 * process; what is true across restarts stands in the broker's tables (`totals.ts`).
 */

export type RowsByReason = Partial<Record<RejectReason, number>>;

export interface FileWatcherStats {
  scans: number;
  /** Milliseconds that they took. */
  busyMs: number;
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
  /** Committed by this process: rows and messages on the topic, rejected rows. */
  rowsPublished: number;
  messages: number;
  readonly rejectedByReason: RowsByReason;
  /** Times that a file came to a state. */
  readonly fileStates: Record<FileState, number>;
  /** Stretches of files that were read, parsed and packed, and the milliseconds that took. */
  steps: number;
  busyMs: number;
}

export interface PartitionStats {
  readonly partition: number;
  rowsRead: number;
  rowsCounted: number;
  rowsRejected: number;
  checkpoints: number;
  regions: number;
  nextOffset: number;
  /** It is worked on here: what is committed of it is read back. */
  restored: boolean;
  /** Monotonic ms at which its loop turned last, or the incarnation of now began. */
  turnedAt: number;
  /** Offset of the next record that it will read. */
  position: number;
  /** A commit is under way. */
  committing: boolean;
  messages: number;
  /** Slices that were parsed, ranges of rows that its regions folded, and the milliseconds these took. */
  slices: number;
  parseMs: number;
  folds: number;
  foldMs: number;
  /** What checkpoints of this process have committed: also after restarts each row once. */
  readonly committed: { counted: number; readonly rejectedByReason: RowsByReason };
  /** Bytes of all checkpoints, and of the last. */
  checkpointBytes: number;
  lastCheckpointBytes: number;
}

export interface AggregatorStats {
  models: number;
  lastModelMs: number;
  busyMs: number;
}

export interface ReporterStats {
  readonly report: Writes;
  readonly export: Writes;
}

interface Writes {
  count: number;
  busyMs: number;
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
  readonly reporter: ReporterStats;
}

/** Adds rows by their reasons to those before. */
export function addByReason(sums: RowsByReason, added: RowsByReason): void {
  for (const [reason, rows] of Object.entries(added) as [RejectReason, number][]) {
    sums[reason] = (sums[reason] ?? 0) + rows;
  }
}

export function emptyStats(partitions: number): PipelineStats {
  return {
    fileWatcher: { scans: 0, busyMs: 0, files: 0, waiting: 0, unreadable: 0, failedElsewhere: 0 },
    publisher: {
      file: undefined,
      filesDone: 0,
      filesFailed: 0,
      bytes: 0,
      rowsRead: 0,
      rowsRejected: 0,
      transactions: 0,
      logIsFull: false,
      rowsPublished: 0,
      messages: 0,
      rejectedByReason: {},
      fileStates: { reading: 0, done: 0, settled: 0, failed: 0, changed: 0 },
      steps: 0,
      busyMs: 0,
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
      position: 0,
      committing: false,
      messages: 0,
      slices: 0,
      parseMs: 0,
      folds: 0,
      foldMs: 0,
      committed: { counted: 0, rejectedByReason: {} },
      checkpointBytes: 0,
      lastCheckpointBytes: 0,
    })),
    joined: false,
    stuckRestarts: 0,
    aggregator: { models: 0, lastModelMs: 0, busyMs: 0 },
    reporter: { report: { count: 0, busyMs: 0 }, export: { count: 0, busyMs: 0 } },
  };
}
