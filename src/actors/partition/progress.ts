import type { RejectReason } from '../../rows/reasons.ts';
import type { Redriven } from '../rejected/redriven.ts';

type ByReason = Partial<Record<RejectReason, number>>;

/**
 * How far an input partition is reflected in its region summaries. Written in the same transaction
 * as the summaries, so `nextOffset` is the truth about what has been counted: on restore everything
 * below it is skipped, everything from it on is read.
 *
 * The books balance at every offset, through redrives and rewinds, over all partitions and the ledger:
 *
 *     read in the ledger + foreign - leftOut = counted + rejected + (rejected in the ledger - redriven)
 */
export interface PartitionProgress {
  nextOffset: number;
  /**
   * Rows read that came from elsewhere than a file: samples, and whatever another producer wrote. A
   * file's rows are counted as read where the file is.
   */
  foreign: number;
  /** Rows inside the region summaries. */
  counted: number;
  /** Rows this stage set aside. */
  rejected: number;
  rejectedByReason: ByReason;
  /** The same by source file id, so that a file's rows stay accounted for after its last commit. */
  rejectedByFile: Record<string, number>;
  /** Rows that the publisher had rejected and a redrive has brought here: no longer among its rejected. */
  readonly redriven: { rows: number; readonly byReason: ByReason; readonly byFile: Record<string, number> };
  /** Number of the last rewind that was applied; 0: none. */
  epoch: number;
  /** Offset at which counting began in this epoch. */
  base: number;
  /** Up to here rows had been read before this epoch began: they are not read a second time. */
  knownTo: number;
  /** Rows read before this epoch began to which it has not come, and where it began behind them never will. */
  leftOut: number;
  /** How the regions' rows are kept (`RegionAlgorithm.description`); it changes with a rewind only. */
  algorithm: string;
  /** By what rows are judged to be late, and from which offset on; not recorded before it could change. */
  lateness?: {
    /** ms; null: no row is late. */
    readonly ms: number | null;
    readonly from: number;
  };
}

/** What was kept before there was a choice. */
const FIRST_ALGORITHM = 'summary';

/** In whose books a message's rows stand as read. */
export type RowSource =
  /** In the ledger: the row of a file. */
  | { readonly kind: 'ledger' }
  /** In nobody's yet. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'redriven'; readonly redriven: Redriven };

const FORMAT_VERSION = 1;

export function emptyProgress(): PartitionProgress {
  return {
    nextOffset: 0,
    foreign: 0,
    counted: 0,
    rejected: 0,
    rejectedByReason: {},
    rejectedByFile: {},
    redriven: { rows: 0, byReason: {}, byFile: {} },
    epoch: 0,
    base: 0,
    knownTo: 0,
    leftOut: 0,
    algorithm: FIRST_ALGORITHM,
  };
}

export function encodeProgress(progress: PartitionProgress): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...progress }));
}

/** @throws Error when the record was written by a format this version does not know. */
export function decodeProgress(bytes: Uint8Array): PartitionProgress {
  const { version, ...progress } = JSON.parse(new TextDecoder().decode(bytes)) as Omit<
    PartitionProgress,
    'algorithm'
  > & {
    readonly version: unknown;
    readonly algorithm?: string;
  };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `partition progress has format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}: ` +
        'it was written by another version of Geoflock; use that one, or another state folder',
    );
  }
  return { ...progress, algorithm: progress.algorithm ?? FIRST_ALGORITHM };
}

/** Enters rows of the message at `offset` as read. Each of them is then either counted or rejected. */
export function countRead(
  progress: PartitionProgress,
  offset: number,
  source: RowSource,
  rows: number,
): void {
  const known = offset < progress.knownTo;
  if (source.kind === 'redriven') {
    countRedriven(progress, known, source.redriven, rows);
  } else if (known) {
    progress.leftOut -= rows;
  } else if (source.kind === 'foreign') {
    progress.foreign += rows;
  }
}

function countRedriven(
  progress: PartitionProgress,
  known: boolean,
  { fileId, reason, rejectedAt }: Redriven,
  rows: number,
): void {
  if (rejectedAt !== undefined && rejectedAt >= progress.base) {
    // This epoch has met it where it was rejected: it is not so any more.
    addRejected(progress, reason, fileId, -rows);
  } else if (rejectedAt !== undefined || known) {
    progress.leftOut -= rows;
  } else {
    const { redriven } = progress;
    redriven.rows += rows;
    redriven.byReason[reason] = (redriven.byReason[reason] ?? 0) + rows;
    if (fileId !== undefined) {
      redriven.byFile[fileId] = (redriven.byFile[fileId] ?? 0) + rows;
    }
  }
}

/** Counts one more row that this stage set aside. */
export function countRejected(
  progress: PartitionProgress,
  reason: RejectReason,
  fileId: string | undefined,
): void {
  addRejected(progress, reason, fileId, 1);
}

function addRejected(
  progress: PartitionProgress,
  reason: RejectReason,
  fileId: string | undefined,
  rows: number,
): void {
  progress.rejected += rows;
  progress.rejectedByReason[reason] = (progress.rejectedByReason[reason] ?? 0) + rows;
  if (fileId !== undefined) {
    progress.rejectedByFile[fileId] = (progress.rejectedByFile[fileId] ?? 0) + rows;
  }
}

/** The progress with which epoch number `epoch` begins at `base`: no row is counted yet. */
export function rewound(
  { lateness: _former, ...progress }: PartitionProgress,
  epoch: number,
  base: number,
): PartitionProgress {
  return {
    ...progress,
    nextOffset: base,
    counted: 0,
    rejected: 0,
    rejectedByReason: {},
    rejectedByFile: {},
    epoch,
    base,
    knownTo: Math.max(progress.knownTo, progress.nextOffset),
    leftOut: progress.leftOut + progress.counted + progress.rejected,
  };
}
