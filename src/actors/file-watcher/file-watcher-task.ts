import type { ActorContext, Address } from '../../system/actor.ts';
import type { Connection } from '../../system/connection.ts';
import type { Gate } from '../../system/gate.ts';
import type { Scheduler } from '../../system/schedule.ts';
import { pause } from '../commit.ts';
import { standingOf, type StandingRules } from '../ingest/ledger.ts';
import type { LedgerStore } from '../ingest/ledger-store.ts';
import type { LedgerOwnership } from '../ingest/ownership.ts';
import type { FileOutcome, FoundFile, PublisherMessage } from '../publisher/messages.ts';
import type { StandingRequests } from '../standing-requests.ts';
import type { FileWatcherStats } from '../stats.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { ForeignFiles } from './foreign-files.ts';
import type { FileWatcherMessage, SweepRequest } from './messages.ts';
import { type BrokenFile, type LookedAt, lookAt, scan, type Seen } from './scan.ts';
import {
  type Candidate,
  firstLook,
  inReadingOrder,
  isSettled,
  lookAgain,
  type LookTime,
} from './settling.ts';

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
  /** Which partitions of the ledger can be read here: files of others are left to others. */
  readonly ownership: Pick<LedgerOwnership, 'isOpen' | 'settled'>;
  /** As things are now: failed files may be asked for again while it runs. */
  readonly rules: (path: string) => StandingRules;
  /** Holds the watcher before its next scan. */
  readonly gate: Gate;
  readonly publisher: Address<PublisherMessage>;
  /** A new connection for each incarnation. */
  readonly connect: () => Connection;
  readonly schedule: Scheduler;
  /** The sweep asked for and not answered, whichever incarnation it was asked of. */
  readonly requests: StandingRequests<SweepRequest>;
  readonly stats: FileWatcherStats;
  /** Candidates held at a time. */
  readonly maxCandidates?: number;
}

/** Candidates held at a time: the first of them in reading order. The rest is found by a later scan. */
const MAX_CANDIDATES = 16_384;
/** Candidates looked at together. */
const LOOK_BATCH = 64;
/** Between two looks at the candidates. */
const LOOK_EVERY_MS = 100;
/** Offering waits for the publisher: a look older than this is taken anew. */
const STALE_LOOK_MS = 1_000;
/** A scan may take this share of the time at most: a folder of 100,000 files is scanned more rarely. */
const SCAN_SHARE = 0.1;
/** Between two looks at how others' files fare that a sweep waits for. */
const LOOK_AT_FOREIGN_EVERY_MS = 500;
/** The first scan waits so long for what is ours; what becomes ours later is looked for then. */
const FIRST_SCAN_PATIENCE_MS = 5_000;
/** A file that could not be read, deleted or moved is left alone for so long. */
const LEAVE_ALONE_MS = 60_000;

/** The longest rest; whatever comes ends it. */
const IDLE_MS = 60_000;

interface Sweep {
  readonly settleTimeoutMs: number;
  /** Paths present at the start that are not through. What the publisher answers leaves at once. */
  readonly open: Set<string>;
  /** A scan that began after the request has gone through the folder: `open` is complete. */
  listed: boolean;
  readonly reply: () => void;
}

/** The watcher's loop: scan, look at the candidates, offer what has come to rest, in reading order. */
export class FileWatcherTask {
  readonly #own: FileWatcherDependencies;
  readonly #context: ActorContext<FileWatcherMessage>;
  readonly #matches: (name: string) => boolean;
  readonly #connection: Connection;
  readonly #maxCandidates: number;
  #candidates = new Map<string, Candidate>();
  /** Handed to the publisher and not answered. Bounded by the connection. */
  readonly #offered = new Set<string>();
  /** Monotonic ms before which a path is not offered again. */
  readonly #leftAlone = new Map<string, number>();
  /** Folders that the last scan could not list: told once. */
  #unreadable: ReadonlySet<string> = new Set();
  #sweep: Sweep | undefined;
  readonly #foreign: ForeignFiles;
  /** Partitions whose files have been looked for since they became ours. */
  readonly #known = new Set<number>();
  /** Monotonic ms of the start. */
  readonly #begun: number;
  readonly #stopListening: () => void;
  #scanWanted = true;
  #scans = 0;
  /** There were more files to read than candidates may be held. */
  #cutOff = false;
  /** Monotonic ms before which no scan starts, and no look at the candidates. */
  #nextScan = 0;
  #nextLook = 0;
  #nextForeignLook = 0;
  #wake: AbortController | undefined;

  constructor(own: FileWatcherDependencies, context: ActorContext<FileWatcherMessage>) {
    this.#own = own;
    this.#context = context;
    this.#begun = context.clock.monotonic();
    this.#connection = own.connect();
    this.#maxCandidates = own.maxCandidates ?? MAX_CANDIDATES;
    this.#foreign = new ForeignFiles({ ...own, clock: context.clock, log: context.log });
    this.#matches = (name) => own.settings.filter.test(name);
    this.#stopListening = own.gate.onChange(() => {
      this.#wake?.abort();
    });
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
      case 'retry':
        this.#leftAlone.clear();
        this.#scanSoon();
        break;
      case 'owned':
        if (this.#hasGained()) {
          this.#scanSoon();
        }
        break;
      case 'finished':
        this.#finished(message.path, message.outcome);
        break;
      case 'sweep':
        this.#sweep = {
          settleTimeoutMs: message.settleTimeoutMs,
          open: new Set(),
          listed: false,
          reply: message.reply,
        };
        this.#scanSoon();
        break;
    }
    this.#wake?.abort();
  }

  close(): void {
    this.#stopListening();
    this.#connection.close();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const turn = this.#own.gate.enter();
      if (turn !== undefined) {
        try {
          if (turn.single) {
            this.#scanSoon();
            this.#nextLook = 0;
          }
          await this.#work(signal);
        } finally {
          turn.done();
        }
      }
      await this.#lookAtForeign(signal);
      this.#endSweepWhenDone();
      await this.#rest(signal);
    }
  }

  /** One scan, where it is time for one, and one look at what it found. */
  async #work(signal: AbortSignal): Promise<void> {
    if (this.#cutOff && this.#candidates.size === 0) {
      this.#scanSoon();
    }
    if (this.#mayScan()) {
      this.#scanWanted = false;
      const gained = this.#gainedPartitions();
      await this.#scan(gained, signal);
      await this.#offerGone(gained, signal);
      await this.#foreign.tellOfUnclaimed((path) => !this.#isOurs(path), signal);
    }
    if (this.#now().monotonicMs >= this.#nextLook) {
      await this.#lookAtCandidates(signal);
      this.#nextLook = this.#now().monotonicMs + LOOK_EVERY_MS;
      await this.#offerSettled(signal);
    }
  }

  #mayScan(): boolean {
    return this.#scanWanted && this.#ready() && this.#now().monotonicMs >= this.#nextScan;
  }

  /** The first scan waits until it is known what is ours, so that all of it is found at once. */
  #ready(): boolean {
    return this.#scans > 0 || this.#own.ownership.settled || this.#untilImpatient() === 0;
  }

  #untilImpatient(): number {
    return Math.max(0, this.#begun + FIRST_SCAN_PATIENCE_MS - this.#now().monotonicMs);
  }

  #isOurs(path: string): boolean {
    const { ledger, ownership } = this.#own;
    return ownership.isOpen(ledger.partitionOf(path));
  }

  #hasGained(): boolean {
    const { ledger, ownership } = this.#own;
    const all = Array.from({ length: ledger.partitions }, (_, partition) => partition);
    return all.some((partition) => ownership.isOpen(partition) && !this.#known.has(partition));
  }

  /** Partitions that became ours since the scan before. */
  #gainedPartitions(): ReadonlySet<number> {
    const { ledger, ownership } = this.#own;
    const gained = new Set<number>();
    for (let partition = 0; partition < ledger.partitions; partition++) {
      if (!ownership.isOpen(partition)) {
        this.#known.delete(partition);
      } else if (!this.#known.has(partition)) {
        this.#known.add(partition);
        gained.add(partition);
      }
    }
    return gained;
  }

  #finished(path: string, outcome: FileOutcome): void {
    this.#offered.delete(path);
    if (outcome === 'again') {
      // It stays in the sweep: what was there at the start has not been read yet.
      this.#scanWanted = true;
      return;
    }
    if (outcome === 'later') {
      this.#leftAlone.set(path, this.#now().monotonicMs + LEAVE_ALONE_MS);
    }
    this.#sweep?.open.delete(path);
  }

  /** There is work for sure: the scan need not keep to its share of the time. */
  #scanSoon(): void {
    this.#scanWanted = true;
    this.#nextScan = 0;
  }

  #now(): LookTime {
    return { monotonicMs: this.#context.clock.monotonic(), wallMs: this.#context.clock.now() };
  }

  async #scan(gained: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    const { settings, stats } = this.#own;
    const begun = this.#now();
    const found = new Map<string, Candidate>();
    const listing = this.#sweep?.listed === false ? this.#sweep : undefined;
    let files = 0;
    const unreadable = new Set<string>();
    let cutOff = false;
    this.#forgetLeftAlone();
    for await (const items of scan({ ...settings, matches: this.#matches })) {
      if (signal.aborted) {
        return;
      }
      for (const item of items) {
        if ('unreadable' in item) {
          unreadable.add(item.unreadable);
          if (!this.#unreadable.has(item.unreadable)) {
            this.#context.log.error({ problem: item.unreadable }, 'not scanned: files in it are not read');
          }
          continue;
        }
        files++;
        const path = 'file' in item ? item.file.path : item.broken.path;
        if (!this.#isOurs(path)) {
          await this.#foreign.seen(path, signal);
          listing?.open.add(path);
          continue;
        }
        if ('broken' in item) {
          await this.#offerBroken(item.broken, signal);
        } else {
          await this.#consider(item.file, found, gained, signal);
        }
        if (found.has(path) || this.#offered.has(path)) {
          listing?.open.add(path);
        }
      }
      if (found.size > 2 * this.#maxCandidates) {
        this.#keepFirst(found);
        cutOff = true;
      }
    }
    this.#keepFirst(found);
    this.#cutOff = cutOff || found.size >= this.#maxCandidates;
    this.#candidates = found;
    this.#nextLook = 0;
    this.#scans++;
    stats.scans++;
    stats.files = files;
    stats.unreadable = unreadable.size;
    this.#unreadable = unreadable;
    const ended = this.#now().monotonicMs;
    stats.busyMs += ended - begun.monotonicMs;
    this.#nextScan = ended + (ended - begun.monotonicMs) / SCAN_SHARE;
    if (listing !== undefined) {
      listing.listed = true;
    } else if (this.#sweep?.listed === false) {
      // Asked for during this scan: what is present now is known after the next.
      this.#scanSoon();
    } else if (this.#sweep !== undefined) {
      await this.#offerVanished(this.#sweep, signal);
    }
  }

  /** Adds a file to the candidates when the ledger does not say that it is through. */
  async #consider(
    file: Seen,
    found: Map<string, Candidate>,
    gained: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<void> {
    const { path } = file;
    const now = this.#now();
    if (this.#offered.has(path)) {
      return;
    }
    if ((this.#leftAlone.get(path) ?? 0) > now.monotonicMs) {
      this.#sweep?.open.delete(path);
      return;
    }
    const entry = await unlessAborted(this.#own.ledger.entry(path), signal);
    const standing = standingOf(entry, file, this.#own.rules(path));
    if (standing === 'known') {
      this.#sweep?.open.delete(path);
      return;
    }
    const known = this.#candidates.get(path);
    if (known !== undefined) {
      found.set(path, known);
      return;
    }
    const { minimumAgeMs } = this.#own.settings;
    // Those that were cut off were there at the start as well.
    const atStart = gained.has(this.#own.ledger.partitionOf(path)) || this.#cutOff;
    found.set(path, firstLook(path, file, now, { atStart, minimumAgeMs, resumes: standing === 'resume' }));
  }

  #keepFirst(found: Map<string, Candidate>): void {
    if (found.size <= this.#maxCandidates) {
      return;
    }
    const inOrder = [...found.values()].sort(inReadingOrder);
    for (const { path } of inOrder.slice(this.#maxCandidates)) {
      found.delete(path);
    }
  }

  async #lookAtCandidates(signal: AbortSignal): Promise<void> {
    const { directory } = this.#own.settings;
    const candidates = [...this.#candidates.values()];
    for (let from = 0; from < candidates.length && !signal.aborted; from += LOOK_BATCH) {
      const batch = candidates.slice(from, from + LOOK_BATCH);
      const looks = await Promise.all(batch.map(({ path }) => lookAt(directory, path)));
      for (const [index, candidate] of batch.entries()) {
        this.#looked(candidate, looks[index]);
      }
    }
    this.#own.stats.waiting = this.#candidates.size;
  }

  #looked(candidate: Candidate, item: LookedAt | undefined): void {
    if (item === undefined || !('file' in item)) {
      this.#candidates.delete(candidate.path);
      this.#scanWanted = true;
    } else {
      this.#candidates.set(candidate.path, lookAgain(candidate, item.file, this.#now()));
    }
  }

  async #offerSettled(signal: AbortSignal): Promise<void> {
    const { minimumAgeMs } = this.#own.settings;
    const ready = [...this.#candidates.values()]
      .filter((candidate) => isSettled(candidate, minimumAgeMs) || this.#isOverdue(candidate))
      .sort(inReadingOrder);
    for (const seen of ready) {
      if (signal.aborted) {
        return;
      }
      if (!this.#isOurs(seen.path)) {
        this.#candidates.delete(seen.path);
        continue;
      }
      const candidate = await this.#fresh(seen);
      if (candidate === undefined) {
        continue;
      }
      const { path, size, mtimeMs } = candidate;
      if (isSettled(candidate, minimumAgeMs)) {
        await this.#offer({ kind: 'settled', path, size, mtimeMs }, signal);
      } else if (this.#isOverdue(candidate)) {
        await this.#offer(
          { kind: 'broken', path, problem: 'still changing when the settle timeout ended' },
          signal,
        );
      }
    }
  }

  /** Looks again where offering the files before it took a while. */
  async #fresh(candidate: Candidate): Promise<Candidate | undefined> {
    if (this.#now().monotonicMs - candidate.lookedAt > STALE_LOOK_MS) {
      this.#looked(candidate, await lookAt(this.#own.settings.directory, candidate.path));
    }
    return this.#candidates.get(candidate.path);
  }

  #isOverdue({ foundAt, lookedAt, path }: Candidate): boolean {
    const sweep = this.#sweep;
    return sweep?.open.has(path) === true && lookedAt - foundAt > sweep.settleTimeoutMs;
  }

  /** What the ledger says was begun, and is not there any more. */
  async #offerGone(partitions: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    for (const partition of partitions) {
      for await (const { path } of this.#own.ledger.unfinished(partition)) {
        if (signal.aborted) {
          return;
        }
        await this.#offerIfGone(path, signal);
      }
    }
  }

  /** A sweep ends when others have done with their files too: the ledger tells. */
  async #lookAtForeign(signal: AbortSignal): Promise<void> {
    const sweep = this.#sweep;
    const begun = this.#now().monotonicMs;
    if (sweep?.listed !== true || begun < this.#nextForeignLook) {
      return;
    }
    const paths = [...sweep.open].filter((path) => !this.#isOurs(path) && !this.#offered.has(path));
    await this.#foreign.refresh(paths, signal);
    for (const path of paths) {
      if (signal.aborted) {
        return;
      }
      const state = await this.#foreign.stateOf(path, sweep.settleTimeoutMs);
      if (state !== 'open') {
        sweep.open.delete(path);
      }
      if (state === 'failed') {
        this.#own.stats.failedElsewhere++;
      }
    }
    const ended = this.#now().monotonicMs;
    this.#nextForeignLook = ended + Math.max(LOOK_AT_FOREIGN_EVERY_MS, (ended - begun) / SCAN_SHARE);
  }

  /** What was there at the start and is neither offered nor a candidate any more. */
  async #offerVanished(sweep: Sweep, signal: AbortSignal): Promise<void> {
    if (this.#cutOff) {
      return;
    }
    for (const path of sweep.open) {
      if (this.#isOurs(path)) {
        await this.#offerIfGone(path, signal);
      }
    }
  }

  async #offerIfGone(path: string, signal: AbortSignal): Promise<void> {
    if (this.#offered.has(path) || this.#candidates.has(path)) {
      return;
    }
    if ((await lookAt(this.#own.settings.directory, path)) === undefined) {
      await this.#offer({ kind: 'gone', path }, signal);
    } else {
      this.#scanWanted = true;
    }
  }

  /** Tells the publisher of a path that cannot be read, unless the ledger says so already. */
  async #offerBroken({ path, problem }: BrokenFile, signal: AbortSignal): Promise<void> {
    const { ledger, rules } = this.#own;
    const { retryFailedBefore } = rules(path);
    if (this.#offered.has(path)) {
      return;
    }
    const entry = await unlessAborted(ledger.entry(path), signal);
    const told =
      entry?.state === 'failed' && entry.problem === problem && entry.changedAt >= retryFailedBefore;
    if (told) {
      this.#sweep?.open.delete(path);
    } else {
      await this.#offer({ kind: 'broken', path, problem }, signal);
    }
  }

  #forgetLeftAlone(): void {
    const now = this.#now().monotonicMs;
    for (const [path, until] of this.#leftAlone) {
      if (until <= now) {
        this.#leftAlone.delete(path);
      }
    }
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
    connection.send(path, cost, {
      deliver: () => {
        this.#context.tell(publisher, {
          type: 'file',
          file,
          handled: (outcome) => {
            connection.release(cost);
            this.request({ type: 'finished', path, outcome });
          },
        });
      },
      // The next scan finds it again.
      dropped: () => {
        this.request({ type: 'finished', path, outcome: 'again' });
      },
    });
  }

  #endSweepWhenDone(): void {
    if (this.#sweep?.listed === true && this.#sweep.open.size === 0) {
      const { reply } = this.#sweep;
      this.#sweep = undefined;
      this.#foreign.forget();
      reply();
    }
  }

  /** Until the next look, scan or request. */
  async #rest(signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      return;
    }
    const wake = new AbortController();
    const abort = (): void => {
      wake.abort();
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#wake = wake;
    const untilScan = Math.max(0, this.#nextScan - this.#now().monotonicMs);
    const busy = this.#candidates.size > 0 || this.#sweep !== undefined;
    const untilLook = Math.max(0, this.#nextLook - this.#now().monotonicMs);
    const untilReady = this.#ready() ? untilScan : this.#untilImpatient();
    const working = busy ? untilLook : this.#scanWanted ? untilReady : IDLE_MS;
    const ms = this.#own.gate.open ? working : IDLE_MS;
    await pause(this.#context.clock, ms, wake.signal);
    this.#wake = undefined;
    signal.removeEventListener('abort', abort);
  }
}
