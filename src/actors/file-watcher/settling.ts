import type { FileSignature } from '../ingest/ledger.ts';

/**
 * When a file may be taken: after two equal looks and a minimum age, so that one that is still
 * being written is left alone. The age is counted by the watcher's own clock from the last change
 * it saw to its last look, because a writer's clock and a network volume's may be off; only for files
 * found at the start does an old modification time count instead, so that a backlog need not wait.
 */
export interface Candidate extends FileSignature {
  readonly path: string;
  /** Equal looks so far. */
  readonly looks: number;
  /** Monotonic ms of the first look, of the last change seen, and of the last look. */
  readonly foundAt: number;
  readonly changedAt: number;
  readonly lookedAt: number;
  /** Found by the first scan, and old by its modification time. */
  readonly old: boolean;
  /** It was being read when the process before ended: it comes before all others. */
  readonly resumes: boolean;
}

export interface LookTime {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function firstLook(
  path: string,
  { size, mtimeMs }: FileSignature,
  at: LookTime,
  options: { readonly atStart: boolean; readonly minimumAgeMs: number; readonly resumes: boolean },
): Candidate {
  return {
    path,
    size,
    mtimeMs,
    looks: 1,
    foundAt: at.monotonicMs,
    changedAt: at.monotonicMs,
    lookedAt: at.monotonicMs,
    old: options.atStart && at.wallMs - mtimeMs > options.minimumAgeMs,
    resumes: options.resumes,
  };
}

export function lookAgain(candidate: Candidate, now: FileSignature, at: LookTime): Candidate {
  const { size, mtimeMs } = now;
  const lookedAt = at.monotonicMs;
  return candidate.size === size && candidate.mtimeMs === mtimeMs
    ? { ...candidate, looks: candidate.looks + 1, lookedAt }
    : { ...candidate, size, mtimeMs, looks: 1, changedAt: lookedAt, lookedAt, old: false };
}

export function isSettled(candidate: Candidate, minimumAgeMs: number): boolean {
  const { changedAt, lookedAt, looks, old } = candidate;
  return looks >= 2 && (old || lookedAt - changedAt >= minimumAgeMs);
}

/** The order in which files are read: one that was begun, then by modification time, then by path. */
export function inReadingOrder(a: ReadingRank, b: ReadingRank): number {
  if (a.resumes !== b.resumes) {
    return a.resumes ? -1 : 1;
  }
  if (a.mtimeMs !== b.mtimeMs) {
    return a.mtimeMs - b.mtimeMs;
  }
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

export type ReadingRank = Pick<Candidate, 'mtimeMs' | 'path' | 'resumes'>;
