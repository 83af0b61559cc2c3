import type { ActorContext, Address } from '../../system/actor.ts';
import type { Connection } from '../../system/connection.ts';
import type { Scheduler } from '../../system/schedule.ts';
import { pause } from '../commit.ts';
import { standingOf, type StandingRules } from '../ingest/ledger.ts';
import type { LedgerStore } from '../ingest/ledger-store.ts';
import type { FoundFile, PublisherMessage } from '../publisher/messages.ts';
import type { StandingRequests } from '../standing-requests.ts';
import type { FileWatcherStats } from '../stats.ts';
import type { FileWatcherMessage, SweepRequest } from './messages.ts';
import { type BrokenFile, lookAt, scan, type Seen } from './scan.ts';
import { type Candidate, firstLook, inReadingOrder, isSettled, lookAgain, type LookTime } from './settling.ts';

export interface FileWatcherSettings {
  readonly directory: string;
  /** Must match the whole file name. */
  readonly filter: RegExp;
  readonly recursive: boolean;
  readonly minimumAgeMs: number;
  /** Interval in ms, or a cron expression. */
  readonly scanEvery: number | string;
  /** Use the operating system's file events as hints. */
  readonly events: boolean;
}

export interface FileWatcherDependencies {
  readonly settings: FileWatcherSettings;
  readonly ledger: LedgerStore;
  readonly rules: StandingRules;
  readonly publisher: Address<PublisherMessage>;
  /** A new connection for each incarnation. */
  readonly connect: () => Connection;
  readonly schedule: Scheduler;
  /** The sweep asked for and not answered, whichever incarnation it was asked of. */
  readonly requests: StandingRequests<SweepRequest>;
  readonly stats: FileWatcherStats;
}

/** Candidates held at a time: the first of them in reading order. The rest is found by a later scan. */
const MAX_CANDIDATES = 4_096;
/** Between two looks at the candidates. */
const LOOK_EVERY_MS = 100;
/** A scan may take this share of the time at most: a folder of 100,000 files is scanned more rarely. */
const SCAN_SHARE = 0.1;
/** After a file could not be settled or failed, it is left alone for so long. */
const LEAVE_ALONE_MS = 60_000;

interface Sweep {
  readonly startedAt: number;
  readonly deadline: number;
  /** Paths present at the start that are not through; undefined until the first scan is done. */
  open: Set<string> | undefined;
  readonly reply: () => void;
}

/** The watcher's loop: scan, look at the candidates, offer what has come to rest, in reading order. */
export class FileWatcherTask {
  readonly #own: FileWatcherDependencies;
  readonly #context: ActorContext<FileWatcherMessage>;
  readonly #matches: (name: string) => boolean;
  readonly #connection: Connection;
  #candidates = new Map<string, Candidate>();
  /** Handed to the publisher and not answered. Bounded by the connection. */
  readonly #offered = new Set<string>();
  /** Monotonic ms before which a path is not offered again. */
  readonly #leftAlone = new Map<string, number>();
  #sweep: Sweep | undefined;
  #scanWanted = true;
  #scans = 0;
  /** Monotonic ms before which no scan starts. */
  #nextScan = 0;
  #wake: AbortController | undefined;

  constructor(own: FileWatcherDependencies, context: ActorContext<FileWatcherMessage>) {
    this.#own = own;
    this.#context = context;
    this.#connection = own.connect();
    this.#matches = (name) => own.settings.filter.test(name);
    for (const sweep of own.requests.open()) {
      this.request(sweep);
    }
  }

  request(message: FileWatcherMessage): void {
    switch (message.type) {
      case 'hint':
      case 'scan':
        this.#scanWanted = true;
        break;
      case 'finished':
        this.#offered.delete(message.path);
        this.#candidates.delete(message.path);
        this.#sweep?.open?.delete(message.path);
        break;
      case 'sweep': {
        const now = this.#context.clock.monotonic();
        this.#sweep = {
          startedAt: now,
          deadline: now + message.settleTimeoutMs,
          open: undefined,
          reply: message.reply,
        };
        this.#scanWanted = true;
        break;
      }
    }
    this.#wake?.abort();
  }

  close(): void {
    this.#connection.close();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#scanWanted && this.#now().monotonicMs >= this.#nextScan) {
        this.#scanWanted = false;
        await this.#scan(signal);
      }
      await this.#lookAtCandidates();
      await this.#offerSettled(signal);
      this.#endSweepWhenDone();
      await this.#rest(signal);
    }
  }

  #now(): LookTime {
    return { monotonicMs: this.#context.clock.monotonic(), wallMs: this.#context.clock.now() };
  }

  async #scan(signal: AbortSignal): Promise<void> {
    const { settings, stats } = this.#own;
    const begun = this.#now();
    const found = new Map<string, Candidate>();
    const collectOpen = this.#sweep !== undefined && this.#sweep.open === undefined;
    const open = new Set<string>();
    let files = 0;
    for await (const items of scan({ ...settings, matches: this.#matches })) {
      if (signal.aborted) {
        return;
      }
      for (const item of items) {
        if ('unreadable' in item) {
          this.#context.log.warn({ problem: item.unreadable }, 'cannot be scanned');
          continue;
        }
        files++;
        const path = 'file' in item ? item.file.path : item.broken.path;
        if ('broken' in item) {
          await this.#offerBroken(item.broken, signal);
        } else {
          await this.#consider(item.file, found);
        }
        if (collectOpen && (found.has(path) || this.#offered.has(path))) {
          open.add(path);
        }
      }
      if (found.size > 2 * MAX_CANDIDATES) {
        this.#keepFirst(found);
      }
    }
    this.#keepFirst(found);
    this.#candidates = found;
    this.#scans++;
    stats.scans++;
    stats.files = files;
    const took = this.#now().monotonicMs - begun.monotonicMs;
    this.#nextScan = this.#now().monotonicMs + took / SCAN_SHARE;
    if (this.#sweep !== undefined) {
      if (collectOpen) {
        this.#sweep.open = open;
      } else {
        this.#forgetVanished(this.#sweep);
      }
    }
  }

  /** Adds a file to the candidates when the ledger does not say that it is through. */
  async #consider(file: Seen, found: Map<string, Candidate>): Promise<void> {
    const { path } = file;
    const now = this.#now();
    if (this.#offered.has(path) || (this.#leftAlone.get(path) ?? 0) > now.monotonicMs) {
      return;
    }
    const standing = standingOf(await this.#own.ledger.entry(path), file, this.#own.rules);
    if (standing === 'known') {
      return;
    }
    const known = this.#candidates.get(path);
    const { minimumAgeMs } = this.#own.settings;
    found.set(path, known ?? firstLook(path, file, now, { atStart: this.#scans === 0, minimumAgeMs }));
  }

  #keepFirst(found: Map<string, Candidate>): void {
    if (found.size <= MAX_CANDIDATES) {
      return;
    }
    const inOrder = [...found.values()].sort(inReadingOrder);
    for (const { path } of inOrder.slice(MAX_CANDIDATES)) {
      found.delete(path);
    }
    // Those cut off are found again once the first are through.
    this.#scanWanted = true;
  }

  async #lookAtCandidates(): Promise<void> {
    const { directory } = this.#own.settings;
    for (const candidate of this.#candidates.values()) {
      const item = await lookAt(directory, candidate.path);
      if (item === undefined || !('file' in item)) {
        this.#candidates.delete(candidate.path);
        this.#scanWanted = true;
      } else {
        this.#candidates.set(candidate.path, lookAgain(candidate, item.file, this.#now()));
      }
    }
    this.#own.stats.waiting = this.#candidates.size;
  }

  async #offerSettled(signal: AbortSignal): Promise<void> {
    const { minimumAgeMs } = this.#own.settings;
    const inOrder = [...this.#candidates.values()].sort(inReadingOrder);
    for (const candidate of inOrder) {
      const { path, size, mtimeMs } = candidate;
      if (isSettled(candidate, this.#now(), minimumAgeMs)) {
        await this.#offer({ kind: 'settled', path, size, mtimeMs }, signal);
      } else if (this.#isOverdue(path)) {
        await this.#offer({ kind: 'broken', path, problem: 'still changing when the settle timeout ended' }, signal);
      }
    }
  }

  #isOverdue(path: string): boolean {
    const sweep = this.#sweep;
    return sweep?.open?.has(path) === true && this.#now().monotonicMs > sweep.deadline;
  }

  async #offerBroken({ path, problem }: BrokenFile, signal: AbortSignal): Promise<void> {
    const now = this.#now().monotonicMs;
    if (this.#offered.has(path) || (this.#leftAlone.get(path) ?? 0) > now) {
      return;
    }
    this.#leftAlone.set(path, now + LEAVE_ALONE_MS);
    await this.#offer({ kind: 'broken', path, problem }, signal);
  }

  async #offer(file: FoundFile, signal: AbortSignal): Promise<void> {
    const { publisher } = this.#own;
    const connection = this.#connection;
    const { path } = file;
    const cost = { rows: 1, bytes: Buffer.byteLength(path) };
    if (!(await connection.reserve(cost, signal))) {
      return;
    }
    this.#candidates.delete(path);
    this.#offered.add(path);
    connection.send(path, cost, () => {
      this.#context.tell(publisher, {
        type: 'file',
        file,
        handled: () => {
          connection.release(cost);
          this.request({ type: 'finished', path });
        },
      });
    });
  }

  /** What was there at the start and is neither offered nor a candidate any more has vanished. */
  #forgetVanished(sweep: Sweep): void {
    for (const path of sweep.open ?? []) {
      if (!this.#offered.has(path) && !this.#candidates.has(path) && this.#candidates.size < MAX_CANDIDATES) {
        this.#context.log.warn({ file: path }, 'it was there at the start and is gone before it was read');
        sweep.open?.delete(path);
      }
    }
  }

  #endSweepWhenDone(): void {
    if (this.#sweep?.open?.size === 0) {
      const { reply } = this.#sweep;
      this.#sweep = undefined;
      reply();
    }
  }

  /** Until the next look, scan or request. */
  async #rest(signal: AbortSignal): Promise<void> {
    const wake = new AbortController();
    const abort = (): void => {
      wake.abort();
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#wake = wake;
    const untilScan = Math.max(0, this.#nextScan - this.#now().monotonicMs);
    const busy = this.#candidates.size > 0 || this.#sweep !== undefined;
    const ms = busy ? LOOK_EVERY_MS : this.#scanWanted ? untilScan + 1 : 60_000;
    await pause(this.#context.clock, ms, wake.signal);
    this.#wake = undefined;
    signal.removeEventListener('abort', abort);
  }
}
