import { createHash } from 'node:crypto';
import type { HeaderDecision } from '../../rows/header.ts';

/**
 * The ledger: what is known of each source file, one entry a path, written in the same transaction
 * as the file's rows. It is the only memory of the ingest; nothing is left on disk beside it.
 *
 * ```
 *   (seen) ──claim──> reading ──last row──> done ──deleted or moved──> settled
 *                       │  ▲                 │
 *                       │  └────── grown ────┘
 *                       └──> failed (unreadable, vanished, no usable header, does not come to rest);
 *                            what was done and grew can fail too; read again, it goes on
 *   reading or done, and the content is another: the entry closes as `changed` and is archived;
 *   the new content is a new file.
 * ```
 */
export type FileState = 'reading' | 'done' | 'settled' | 'failed' | 'changed';

const MOVES: Readonly<Record<FileState, readonly FileState[]>> = {
  reading: ['reading', 'done', 'failed', 'changed'],
  done: ['reading', 'done', 'settled', 'failed', 'changed'],
  settled: [],
  failed: ['failed', 'reading'],
  changed: [],
};

/** At most this much of a file's beginning, and of what stands before the committed byte, is hashed. */
export const FINGERPRINT_BYTES = 64 * 1024;

export interface Fingerprint {
  /** Bytes hashed, at most `FINGERPRINT_BYTES`. */
  readonly length: number;
  readonly hash: string;
}

export interface LedgerEntry {
  /** Name of the source and path relative to the input folder. */
  readonly source: string;
  readonly path: string;
  /** Derived from source, path, generation and the head fingerprint at the claim; never the inode. */
  readonly fileId: string;
  /** How many files of this path came before. */
  readonly generation: number;
  readonly state: FileState;
  /** Rank in which files were claimed: files are read one after another in this order. */
  readonly order: number;
  readonly size: number;
  readonly mtimeMs: number;
  /** The file's beginning as it was at the claim. */
  readonly head: Fingerprint;
  /** What stands directly before `byte`. */
  readonly tail: Fingerprint;
  /** Committed: bytes and lines consumed, rows read, and of those set aside by the publisher. */
  readonly byte: number;
  readonly line: number;
  readonly read: number;
  readonly rejected: number;
  /** The last line had no line end: what is appended continues it. */
  readonly unterminated: boolean;
  /**
   * Only with `done`: it is being deleted or moved. Found again after that began, with another
   * modification time, it was put there anew.
   */
  readonly settling?: boolean;
  readonly header: HeaderDecision | undefined;
  /** Why the state is `failed` or `changed`. */
  readonly problem?: string;
  /** Replica that wrote this last; unknown of one that did not tell. */
  readonly by?: string;
  /** Wall-clock ms of the claim and of the last change of state. */
  readonly claimedAt: number;
  readonly changedAt: number;
}

const FORMAT_VERSION = 1;

export function encodeLedgerEntry(entry: LedgerEntry): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...entry }));
}

/** @throws Error when the entry was written by a format this version does not know. */
export function decodeLedgerEntry(bytes: Uint8Array): LedgerEntry {
  const { version, ...entry } = JSON.parse(new TextDecoder().decode(bytes)) as LedgerEntry & {
    version: unknown;
  };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `ledger entry has format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}: ` +
        'it was written by another version of Geoflock; use that one, or another state folder',
    );
  }
  return entry;
}

/** @throws Error on a move that the diagram above does not have. */
export function moveTo(entry: LedgerEntry, state: FileState, changes: Partial<LedgerEntry>): LedgerEntry {
  if (!MOVES[entry.state].includes(state)) {
    throw new Error(`ledger: ${entry.path} cannot go from ${entry.state} to ${state}`);
  }
  return { ...entry, ...changes, state };
}

/** Wholly read, and its deletion or move has begun. */
export function isSettling({ settling, state }: LedgerEntry): boolean {
  return state === 'done' && settling === true;
}

export function fingerprint(bytes: Uint8Array): Fingerprint {
  return { length: bytes.length, hash: createHash('sha256').update(bytes).digest('hex') };
}

export function sameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  return a.length === b.length && a.hash === b.hash;
}

export function fileId(source: string, path: string, generation: number, head: Fingerprint): string {
  return createHash('sha256')
    .update(JSON.stringify([source, path, generation, head.length, head.hash]))
    .digest('hex')
    .slice(0, 24);
}

/** What a look at the file system tells of a path. */
export interface FileSignature {
  readonly size: number;
  readonly mtimeMs: number;
}

/**
 * What a path's entry says about a file that is there now:
 * - `known`: nothing to do, as long as it looks like this,
 * - `resume`: it was being read,
 * - `unsettled`: wholly read, but still there although it should have been deleted or moved,
 * - `look`: new, grown, replaced, or failed before: it must come to rest, then be read.
 */
export type Standing = 'known' | 'resume' | 'unsettled' | 'look';

export interface StandingRules {
  /** Files are deleted or moved after their last row is committed. */
  readonly settles: boolean;
  /** Wall-clock ms: a file that failed before this is tried again, once. */
  readonly retryFailedBefore: number;
}

export function standingOf(
  entry: LedgerEntry | undefined,
  now: FileSignature,
  { settles, retryFailedBefore }: StandingRules,
): Standing {
  if (entry === undefined) {
    return 'look';
  }
  const same = entry.size === now.size && entry.mtimeMs === now.mtimeMs;
  switch (entry.state) {
    case 'reading':
      return 'resume';
    case 'done':
      if (!same) {
        return 'look';
      }
      return settles ? 'unsettled' : 'known';
    case 'failed':
      return same && entry.changedAt >= retryFailedBefore ? 'known' : 'look';
    case 'settled':
    case 'changed':
      return 'look';
  }
}

/** Sums over the files of one ledger partition, kept beside the entries in the same transactions. */
export interface LedgerTotals {
  /** Files whose last row is committed, whatever became of them afterwards. */
  readonly done: number;
  /** Files that failed and have not been read since. */
  readonly failed: number;
  readonly read: number;
  readonly rejected: number;
  readonly rejectedByReason: Readonly<Record<string, number>>;
  /** Rows of the test source, which come from no file. */
  readonly sampled: number;
  /** Next claim's order. */
  readonly nextOrder: number;
}

export const NO_FILES: LedgerTotals = {
  done: 0,
  failed: 0,
  read: 0,
  rejected: 0,
  rejectedByReason: {},
  sampled: 0,
  nextOrder: 0,
};

export function encodeTotals(totals: LedgerTotals): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...totals }));
}

export function decodeTotals(bytes: Uint8Array): LedgerTotals {
  const { version, ...totals } = JSON.parse(new TextDecoder().decode(bytes)) as LedgerTotals & {
    version: unknown;
  };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `ledger totals have format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}`,
    );
  }
  return totals;
}

/** The totals after `before` became `after` and its rows since were counted. */
export function addToTotals(
  totals: LedgerTotals,
  before: LedgerEntry | undefined,
  after: LedgerEntry,
  rejectedByReason: Readonly<Record<string, number>> = {},
): LedgerTotals {
  const same = before?.fileId === after.fileId ? before : undefined;
  // Read to its end, whatever became of it afterwards, unless it is being read again.
  const wasDone = same !== undefined && (same.state === 'done' || same.state === 'settled');
  const isDone =
    after.state === 'done' || after.state === 'settled' || (wasDone && after.state === 'changed');
  const earlier = same ?? { read: 0, rejected: 0 };
  const byReason = { ...totals.rejectedByReason };
  for (const [reason, rows] of Object.entries(rejectedByReason)) {
    byReason[reason] = (byReason[reason] ?? 0) + rows;
  }
  return {
    ...totals,
    done: totals.done + Number(isDone) - Number(wasDone),
    failed: totals.failed + Number(after.state === 'failed') - Number(before?.state === 'failed'),
    read: totals.read + after.read - earlier.read,
    rejected: totals.rejected + after.rejected - earlier.rejected,
    rejectedByReason: byReason,
  };
}
