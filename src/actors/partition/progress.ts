import type { RejectReason } from '../../rows/reasons.ts';

/**
 * How far an input partition is reflected in its region summaries. Written in the same transaction
 * as the summaries, so `nextOffset` is the truth about what has been counted: on restore everything
 * below it is skipped, everything from it on is read.
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
  readonly rejectedByReason: Partial<Record<RejectReason, number>>;
  /** The same by source file id, so that a file's rows stay accounted for after its last commit. */
  readonly rejectedByFile: Record<string, number>;
}

const FORMAT_VERSION = 1;

export function emptyProgress(): PartitionProgress {
  return { nextOffset: 0, foreign: 0, counted: 0, rejected: 0, rejectedByReason: {}, rejectedByFile: {} };
}

export function encodeProgress(progress: PartitionProgress): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...progress }));
}

/** @throws Error when the record was written by a format this version does not know. */
export function decodeProgress(bytes: Uint8Array): PartitionProgress {
  const { version, ...progress } = JSON.parse(new TextDecoder().decode(bytes)) as PartitionProgress & {
    version: unknown;
  };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `partition progress has format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}: ` +
        'it was written by another version of Geoflock; use that one, or another state folder',
    );
  }
  return progress;
}

/** Counts one more row that this stage set aside. */
export function countRejected(
  progress: PartitionProgress,
  reason: RejectReason,
  fileId: string | undefined,
): void {
  progress.rejected++;
  progress.rejectedByReason[reason] = (progress.rejectedByReason[reason] ?? 0) + 1;
  if (fileId !== undefined) {
    progress.rejectedByFile[fileId] = (progress.rejectedByFile[fileId] ?? 0) + 1;
  }
}
