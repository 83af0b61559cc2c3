import type { FileSignature } from '../ingest/ledger.ts';

/**
 * When a file may be taken: after two equal looks and a minimum age, so that one that is still
 * being written is left alone. The age is counted by the watcher's own clock from the last change
 * it saw, because a writer's clock and a network volume's may be off; only for files found at the
 * start does an old modification time count instead, so that a backlog need not wait.
 */
export interface Candidate extends FileSignature {
  readonly path: string;
  /** Equal looks so far. */
  readonly looks: number;
  /** Monotonic ms of the last change seen. */
  readonly changedAt: number;
  /** Found by the first scan, and old by its modification time. */
  readonly old: boolean;
}

export interface LookTime {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function firstLook(
  path: string,
  { size, mtimeMs }: FileSignature,
  at: LookTime,
  options: { readonly atStart: boolean; readonly minimumAgeMs: number },
): Candidate {
  return {
    path,
    size,
    mtimeMs,
    looks: 1,
    changedAt: at.monotonicMs,
    old: options.atStart && at.wallMs - mtimeMs > options.minimumAgeMs,
  };
}

export function lookAgain(candidate: Candidate, now: FileSignature, at: LookTime): Candidate {
  if (candidate.size === now.size && candidate.mtimeMs === now.mtimeMs) {
    return { ...candidate, looks: candidate.looks + 1 };
  }
  return {
    path: candidate.path,
    size: now.size,
    mtimeMs: now.mtimeMs,
    looks: 1,
    changedAt: at.monotonicMs,
    old: false,
  };
}

export function isSettled(candidate: Candidate, at: LookTime, minimumAgeMs: number): boolean {
  return candidate.looks >= 2 && (candidate.old || at.monotonicMs - candidate.changedAt >= minimumAgeMs);
}

/** The order in which files are read: modification time, then path. */
export function inReadingOrder(
  a: { readonly mtimeMs: number; readonly path: string },
  b: { readonly mtimeMs: number; readonly path: string },
): number {
  if (a.mtimeMs !== b.mtimeMs) {
    return a.mtimeMs - b.mtimeMs;
  }
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
