import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import type { LedgerEntry, StandingRules } from '../ingest/ledger.ts';
import { isSettling } from '../ingest/ledger.ts';
import type { LedgerStore } from '../ingest/ledger-store.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { lookAt, type Seen } from './scan.ts';
import { type Candidate, firstLook, isSettled, lookAgain } from './settling.ts';

/** A file that its owner has not begun for so long is told about. */
const UNCLAIMED_MS = 60_000;
/** A ledger that answers later than this was out of reach. */
const PROMPT_MS = 5_000;
/** Files watched for that: enough to notice, few enough to stay small. */
const MAX_WATCHED = 1_000;

export interface ForeignFilesDependencies {
  readonly settings: { readonly directory: string; readonly minimumAgeMs: number };
  readonly ledger: LedgerStore;
  readonly rules: (path: string) => StandingRules;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What became of another replica's file, for a sweep that waits for it. */
export type ForeignState = 'open' | 'through' | 'failed';

/**
 * Files in the folder whose ledger partition another replica owns: nothing to do here but to see in
 * the ledger how they fare.
 */
export class ForeignFiles {
  readonly #own: ForeignFilesDependencies;
  /** Files without a ledger entry, and when each was first seen: monotonic ms. */
  readonly #unclaimed = new Map<string, number>();
  #told = false;
  /** Files that a sweep waits for and nobody reads yet. */
  readonly #restless = new Map<string, Candidate>();

  constructor(own: ForeignFilesDependencies) {
    this.#own = own;
  }

  /** A scan has seen it. */
  async seen(path: string, signal: AbortSignal): Promise<void> {
    if (this.#told) {
      return;
    }
    // The first look at a partition of the ledger reads it, and waits for a broker that is away.
    if ((await unlessAborted(this.#own.ledger.entry(path), signal)) !== undefined) {
      this.#unclaimed.delete(path);
    } else if (!this.#unclaimed.has(path) && this.#unclaimed.size < MAX_WATCHED) {
      this.#unclaimed.set(path, this.#own.clock.monotonic());
    }
  }

  /** Tells, once, of a file that nobody has claimed for long. */
  async tellOfUnclaimed(isForeign: (path: string) => boolean, signal: AbortSignal): Promise<void> {
    const { clock, ledger, log, settings } = this.#own;
    const before = clock.monotonic() - UNCLAIMED_MS;
    const due = [...this.#unclaimed].filter(([, since]) => since <= before).map(([path]) => path);
    if (due.length === 0 || this.#told) {
      return;
    }
    const asked = clock.monotonic();
    await this.refresh(due, signal);
    if (clock.monotonic() - asked > PROMPT_MS) {
      // The broker was away: its owner could not claim it either.
      this.#unclaimed.clear();
      return;
    }
    for (const path of due) {
      this.#unclaimed.delete(path);
      const unclaimed = isForeign(path) && (await ledger.entry(path)) === undefined;
      if (unclaimed && (await lookAt(settings.directory, path)) !== undefined) {
        this.#told = true;
        this.#unclaimed.clear();
        log.warn(
          { file: path, partition: ledger.partitionOf(path), seconds: UNCLAIMED_MS / 1000 },
          'another replica owns this file and has not begun it: it is busy, or it does not see this folder; ' +
            'where replicas do not share the folder set ingest.ownership to local and give each its own source.name',
        );
        return;
      }
    }
  }

  /** Brings the ledger's answers about these paths up to what others have committed. */
  async refresh(paths: Iterable<string>, signal: AbortSignal): Promise<void> {
    const { ledger } = this.#own;
    const partitions = new Set([...paths].map((path) => ledger.partitionOf(path)));
    await unlessAborted(
      Promise.all([...partitions].map((partition) => ledger.refresh(partition))).then(() => undefined),
      signal,
    );
  }

  /** How a file fares that a sweep waits for, by the ledger as last refreshed and the folder as it is. */
  async stateOf(path: string, settleTimeoutMs: number): Promise<ForeignState> {
    const { ledger, settings } = this.#own;
    const entry = await ledger.entry(path);
    if (entry?.state === 'reading') {
      this.#restless.delete(path);
      return 'open';
    }
    const found = await lookAt(settings.directory, path);
    const state =
      found === undefined
        ? stateOfAbsent(entry)
        : 'broken' in found
          ? stateOfBroken(entry)
          : stateOfPresent(entry, found.file, this.#own.rules(path));
    if (state !== 'open') {
      this.#restless.delete(path);
    } else if (found !== undefined && 'file' in found && this.#isOverdue(found.file, settleTimeoutMs)) {
      this.#own.log.error({ file: path }, 'not read: still changing when the settle timeout ended');
      return 'failed';
    }
    return state;
  }

  /** The sweep is over. */
  forget(): void {
    this.#restless.clear();
  }

  /** It does not come to rest: its owner, if it only watches, would wait for ever. */
  #isOverdue(file: Seen, settleTimeoutMs: number): boolean {
    const { clock, settings } = this.#own;
    const { minimumAgeMs } = settings;
    const now = { monotonicMs: clock.monotonic(), wallMs: clock.now() };
    const known = this.#restless.get(file.path);
    const candidate =
      known === undefined
        ? firstLook(file.path, file, now, { atStart: true, minimumAgeMs, resumes: false })
        : lookAgain(known, file, now);
    this.#restless.set(file.path, candidate);
    return !isSettled(candidate, minimumAgeMs) && candidate.lookedAt - candidate.foundAt > settleTimeoutMs;
  }
}

function stateOfAbsent(entry: LedgerEntry | undefined): ForeignState {
  if (entry?.state === 'failed') {
    return 'failed';
  }
  // Its deletion is under way, or its owner ended in the middle of it and the next will say so.
  return entry !== undefined && isSettling(entry) ? 'open' : 'through';
}

function stateOfBroken(entry: LedgerEntry | undefined): ForeignState {
  return entry?.state === 'failed' ? 'failed' : 'open';
}

function stateOfPresent(entry: LedgerEntry | undefined, file: Seen, rules: StandingRules): ForeignState {
  if (entry === undefined) {
    return 'open';
  }
  const same = entry.size === file.size && entry.mtimeMs === file.mtimeMs;
  switch (entry.state) {
    case 'done':
      // `settling` false: its owner could not delete or move it, and tries again later.
      return same && (!rules.settles || entry.settling === false) ? 'through' : 'open';
    case 'failed':
      // A negative time: it could not be looked at.
      return same || entry.mtimeMs < 0 ? 'failed' : 'open';
    case 'reading':
    case 'settled':
    case 'changed':
      return 'open';
  }
}
