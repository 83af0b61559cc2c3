import type { Broker, Transaction } from '../../broker/broker.ts';
import { FencedError, NotOwnerError } from '../../broker/errors.ts';
import { partitionOf } from '../../broker/partitioner.ts';
import type { ColumnOverride, HeaderDecision } from '../../rows/header.ts';
import { describeMapping, readHeader } from '../../rows/header.ts';
import type { ActorContext } from '../../system/actor.ts';
import type { Connection } from '../../system/connection.ts';
import { faultPoint } from '../../system/faults.ts';
import { commitWhenThereIsRoom, pause } from '../commit.ts';
import { codeOf, reasonOf } from '../file-watcher/scan.ts';
import {
  addToTotals,
  type Fingerprint,
  FINGERPRINT_BYTES,
  type FileSignature,
  fileId,
  fingerprint,
  isSettling,
  type LedgerEntry,
  type LedgerTotals,
  moveTo,
} from '../ingest/ledger.ts';
import { type LedgerStore, putEntry, putTotals } from '../ingest/ledger-store.ts';
import type { LedgerOwnership } from '../ingest/ownership.ts';
import { isWriterLost } from '../owned-writer.ts';
import type { StandingRequests } from '../standing-requests.ts';
import type { PublisherStats } from '../stats.ts';
import { CREATED_PREFIX, type TopicNames } from '../topics.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { FileReader, type ReadBuffers } from './file-reader.ts';
import { findFirstLine } from './first-line.ts';
import { LedgerWriters, type OpenPartition } from './ledger-writers.ts';
import type { FileOutcome, FlushRequest, FoundFile, PublisherMessage } from './messages.ts';
import type { RowPacker } from './row-packer.ts';
import { sampleRecord } from './sample.ts';
import { type AfterReading, settleFile } from './settle.ts';
import { type Difference, SourceFile } from './source-file.ts';

export interface PublisherSettings {
  readonly directory: string;
  readonly sourceName: string;
  readonly columns: ColumnOverride;
  readonly utcOffsetMinutes: number;
  readonly maxLineBytes: number;
  /** A row's time may be this far ahead of the moment it is read. */
  readonly maxFutureMs: number;
  readonly after: AfterReading;
  readonly level: number;
  readonly partitions: number;
  /** Most bytes the log may hold that are not consumed. */
  readonly logLimitBytes: number;
}

export interface PublisherDependencies {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly ledger: LedgerStore;
  readonly settings: PublisherSettings;
  /** Bytes and rows of the transaction being built; shared by nobody. */
  readonly buffers: ReadBuffers;
  /** Asked once an incarnation, when the first partition is open. */
  readonly packer: (rowsTopicIsOurs: boolean) => RowPacker;
  /** Which partitions of the ledger are this process's. */
  readonly ownership: LedgerOwnership;
  /** Told of what a restart would meet again. */
  readonly giveUp: (error: unknown) => void;
  /** A new connection for each incarnation. */
  readonly connect: () => Connection;
  readonly stats: PublisherStats;
  /** Flushes asked for and not answered, whichever incarnation they were asked of. */
  readonly requests: StandingRequests<FlushRequest>;
}

/** Whoever owns this partition of the ledger publishes the test source. */
const SAMPLE_PARTITION = 0;
/** How long the publisher waits before it asks again whether the log has room. */
const LOG_PAUSE_MS = 50;
const NO_BYTES: Fingerprint = fingerprint(new Uint8Array(0));
/** No file looks like this: whatever is found at the path is looked at again. */
const NOT_SEEN: FileSignature = { size: 0, mtimeMs: -1 };
const LINE_FEED = 0x0a;

/** The work of one incarnation of the publisher: the life of each file in the ledger. */
export class PublisherTask {
  readonly #own: PublisherDependencies;
  readonly #context: ActorContext<PublisherMessage>;
  readonly #writers: LedgerWriters;
  readonly #connection: Connection;
  /** The partition being worked on. */
  #at: OpenPartition | undefined;
  #packer: RowPacker | undefined;
  #flushed: Promise<void> = Promise.resolve();

  constructor(own: PublisherDependencies, context: ActorContext<PublisherMessage>) {
    this.#own = own;
    this.#context = context;
    this.#connection = own.connect();
    this.#writers = new LedgerWriters(own, context);
  }

  async close(): Promise<void> {
    this.#connection.close();
    await this.#writers.close();
  }

  /** Resolves when everything committed so far is on stable storage. */
  flushed(): Promise<void> {
    return this.#flushed;
  }

  /** Reads one file to its end, or as far as it can be read; settles it. */
  async publish(found: FoundFile): Promise<FileOutcome> {
    const partition = this.#own.ledger.partitionOf(found.path);
    // Not ours any more: whoever owns it now finds it, and we do when it comes back.
    return (await this.#on(partition, () => this.#publish(found))) ?? 'again';
  }

  /**
   * Works on an open partition of the ledger; undefined when it is not, or no longer, ours. What its
   * last commit did is then of no matter here: whoever opens it next reads what is committed.
   */
  async #on<T>(partition: number, work: () => Promise<T>): Promise<T | undefined> {
    return await this.#writers.use(partition, async (open) => {
      this.#at = open;
      try {
        return await work();
      } catch (error) {
        if (open.signal.aborted && (isWriterLost(error) || error === open.signal.reason)) {
          this.#context.log.info({ partition, problem: String(error) }, 'let go of in the middle');
          return undefined;
        }
        this.#tellOfNamesake(error);
        throw error;
      } finally {
        this.#at = undefined;
      }
    });
  }

  #tellOfNamesake(error: unknown): void {
    const { ledger, settings } = this.#own;
    if (error instanceof FencedError && ledger.totalsKey.endsWith(`/${settings.sourceName}`)) {
      this.#context.log.error(
        { source: settings.sourceName },
        'another replica with ingest.ownership local has the same source.name: give each a name of its own',
      );
    }
  }

  async #publish(found: FoundFile): Promise<FileOutcome> {
    const { ledger, settings, stats } = this.#own;
    const { path } = found;
    const entry = await ledger.entry(path);
    if (found.kind === 'broken') {
      await this.#fail(path, entry, found.problem);
      return 'through';
    }
    let file: SourceFile;
    try {
      file = await SourceFile.open(settings.directory, path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        await this.#gone(path, entry);
        return 'through';
      }
      await this.#fail(path, entry, reasonOf(error));
      return 'later';
    }
    stats.file = path;
    try {
      return found.kind === 'gone' ? 'again' : await this.#publishOpen(file, found, entry);
    } catch (error) {
      if (codeOf(error) === undefined) {
        throw error;
      }
      await this.#fail(path, await ledger.entry(path), reasonOf(error));
      return 'later';
    } finally {
      stats.file = undefined;
      await file.close();
    }
  }

  /** Publishes one row of the test source. */
  async publishSample(): Promise<void> {
    const { settings, topics } = this.#own;
    const record = sampleRecord(settings.level, this.#context.clock.now());
    // One replica is enough.
    await this.#on(SAMPLE_PARTITION, async () => {
      const { totals } = this.#open;
      const next = { ...totals, sampled: totals.sampled + 1 };
      await this.#commit(next, (transaction) => {
        transaction.append(topics.rows, partitionOf(record.key, settings.partitions), [record]);
        putTotals(transaction, this.#own.ledger, SAMPLE_PARTITION, next);
      });
    });
  }

  /** Packs as suits the topic. */
  async #packerOfTopic(): Promise<RowPacker> {
    if (this.#packer === undefined) {
      const { broker, packer, topics } = this.#own;
      const { signal } = this.#open;
      await unlessAborted(broker.refreshTable(topics.files, 0), signal);
      const mark = await broker.tableGet(topics.files, 0, CREATED_PREFIX + topics.rows);
      this.#packer = packer(broker.kind === 'embedded' || mark !== undefined);
      this.#context.log.info({ topic: topics.rows }, `rows go out in ${this.#packer.packing.reason}`);
    }
    return this.#packer;
  }

  async #publishOpen(
    file: SourceFile,
    found: FileSignature,
    entry: LedgerEntry | undefined,
  ): Promise<FileOutcome> {
    const claimed = await this.#claim(file, found, entry);
    if (typeof claimed === 'string') {
      return claimed;
    }
    const done = claimed.state === 'done' ? claimed : await this.#read(file, claimed, found.size);
    return typeof done === 'string' ? done : await this.#settle(file, done);
  }

  /**
   * Decides what the file is to the ledger: new, to be gone on with, or nothing to do. Returns the
   * entry to read on from (state `reading`), a `done` one to settle, or what became of it.
   */
  async #claim(
    file: SourceFile,
    found: FileSignature,
    entry: LedgerEntry | undefined,
  ): Promise<LedgerEntry | FileOutcome> {
    const { log } = this.#context;
    if (entry === undefined || entry.state === 'settled' || entry.state === 'changed') {
      return await this.#claimNew(file, found, entry);
    }
    if (entry.state === 'failed' && entry.byte === 0) {
      return await this.#claimNew(file, found, entry);
    }
    const putAnew = isSettling(entry) && file.size === entry.byte && file.mtimeMs !== entry.mtimeMs;
    const difference = putAnew
      ? ({ kind: 'changed', how: 'it was read to its end, and put there again' } as const)
      : await file.compare(entry);
    if (difference?.kind === 'changed') {
      log.warn(
        { file: file.path, fileId: entry.fileId, read: entry.read },
        `${difference.how}: what was read of it stays counted, the content is a new file`,
      );
      const closed = entry.state === 'failed' ? entry : moveTo(entry, 'changed', { problem: difference.how });
      return await this.#claimNew(file, found, closed);
    }
    if (entry.state === 'done' && file.size === entry.byte) {
      const { size, mtimeMs } = file;
      if (size === entry.size && mtimeMs === entry.mtimeMs) {
        return entry;
      }
      const touched = moveTo(entry, 'done', { size, mtimeMs });
      await this.#put(touched, entry);
      return touched;
    }
    log.info(
      { file: file.path, byte: entry.byte, size: file.size, rows: entry.read },
      'going on in the file',
    );
    if (entry.state === 'reading') {
      return entry;
    }
    // Committed by itself: the totals take it out of `done` or `failed` before it gets there again.
    const reading = moveTo(entry, 'reading', { size: file.size, mtimeMs: file.mtimeMs, settling: false });
    await this.#put(reading, entry);
    return reading;
  }

  /** Claims a file that was not read before. A file without a usable header fails here, with no row read. */
  async #claimNew(
    file: SourceFile,
    found: FileSignature,
    replaced: LedgerEntry | undefined,
  ): Promise<LedgerEntry | FileOutcome> {
    const { log } = this.#context;
    const { settings } = this.#own;
    const { path, size, mtimeMs } = file;
    if (size !== found.size || mtimeMs !== found.mtimeMs) {
      // While it waited for its turn it was written to: its header may be half there.
      return 'again';
    }
    const headBytes = await file.bytesAt(0, Math.min(size, FINGERPRINT_BYTES));
    const head = fingerprint(headBytes);
    const generation = replaced === undefined ? 0 : replaced.generation + 1;
    const now = this.#context.clock.now();
    const claim: LedgerEntry = {
      source: settings.sourceName,
      path,
      fileId: fileId(settings.sourceName, path, generation, head),
      generation,
      state: 'reading',
      order: this.#open.totals.nextOrder,
      size,
      mtimeMs,
      head,
      tail: NO_BYTES,
      byte: 0,
      line: 0,
      read: 0,
      rejected: 0,
      unterminated: false,
      header: undefined,
      claimedAt: now,
      changedAt: now,
    };
    const first = findFirstLine(headBytes, headBytes.length === size);
    if (first !== undefined && first.text === undefined) {
      log.info({ file: path, size }, 'no rows in it');
      const done = moveTo(claim, 'done', { byte: size, tail: await file.tailAt(size) });
      await this.#put(done, replaced);
      this.#own.stats.filesDone++;
      return done;
    }
    const header: HeaderDecision =
      first?.text === undefined
        ? { kind: 'unusable', message: `the first line is longer than ${String(FINGERPRINT_BYTES)} bytes` }
        : readHeader(first.text, settings.columns);
    if (header.kind === 'unusable' || first === undefined) {
      const message = header.kind === 'unusable' ? header.message : 'no first line';
      log.error({ file: path }, `not read: ${message}`);
      await this.#putFailed({ ...claim, state: 'failed', header, problem: message }, replaced);
      return 'through';
    }
    log.info({ file: path, size, fileId: claim.fileId }, `reading; ${describeMapping(header)}`);
    const headless = header.kind === 'headerless';
    const byte = headless ? first.startByte : first.endByte;
    const line = (headless ? first.startLine : first.endLine) - 1;
    const unterminated = !headless && headBytes[byte - 1] !== LINE_FEED;
    const entry = { ...claim, header, byte, line, unterminated, tail: await file.tailAt(byte) };
    await this.#put(entry, replaced);
    return entry;
  }

  /** Reads on from the committed byte. Returns the `done` entry, or what became of the file. */
  async #read(
    file: SourceFile,
    claimed: LedgerEntry,
    restedSize: number,
  ): Promise<LedgerEntry | FileOutcome> {
    const { stats } = this.#own;
    const packer = await this.#packerOfTopic();
    const { clock } = this.#context;
    const reader = new FileReader({ ...this.#own, packer }, file, { clock, restedSize });
    const { signal } = this.#open;
    let entry = claimed;
    while (!signal.aborted) {
      const { buffers } = this.#own;
      const cost = { rows: buffers.columns.capacity, bytes: buffers.bytes.length };
      if (!(await this.#connection.reserve(cost, signal))) {
        return 'again';
      }
      try {
        const step = await reader.next(entry);
        if (step.kind === 'lost') {
          return await this.#lost(entry, step.difference);
        }
        if (step.kind === 'restless') {
          this.#context.log.info(
            { file: entry.path, byte: entry.byte, rows: entry.read },
            'still being written: the rest is read once it has come to rest',
          );
          return 'again';
        }
        if (!(await this.#roomInLog(step.logBytes))) {
          return 'again';
        }
        await this.#put(step.entry, entry, step.fill, step.rejectedByReason);
        stats.rowsRead += step.entry.read - entry.read;
        stats.rowsRejected += step.entry.rejected - entry.rejected;
        stats.bytes += step.entry.byte - entry.byte;
        entry = step.entry;
        if (entry.state === 'done') {
          stats.filesDone++;
          this.#context.log.info(
            { file: entry.path, rows: entry.read, rejected: entry.rejected, bytes: entry.byte },
            'read to its end',
          );
          return entry;
        }
      } finally {
        this.#connection.release(cost);
      }
    }
    return 'again';
  }

  /** The file is not what was claimed any more: close its entry; its committed rows stay counted. */
  async #lost(entry: LedgerEntry, difference: Difference): Promise<FileOutcome> {
    const { log } = this.#context;
    const facts = { file: entry.path, fileId: entry.fileId, byte: entry.byte, rows: entry.read };
    if (difference.kind === 'vanished') {
      const problem = `it vanished while it was read, at byte ${String(entry.byte)} of ${String(entry.size)}`;
      log.error(facts, `${problem}; its ${String(entry.read)} rows up to there stay counted`);
      await this.#putFailed(moveTo(entry, 'failed', { ...NOT_SEEN, problem }), entry);
      return 'through';
    }
    log.warn(facts, `${difference.how}: its rows up to there stay counted, the content is a new file`);
    await this.#put(moveTo(entry, 'changed', { problem: difference.how }), entry);
    return 'again';
  }

  /** Nothing stands at the path. */
  async #gone(path: string, entry: LedgerEntry | undefined): Promise<void> {
    if (entry?.state === 'reading') {
      await this.#lost(entry, { kind: 'vanished' });
    } else if (entry !== undefined && isSettling(entry)) {
      // Ended between the deletion and its record; or somebody else was faster.
      await this.#put(moveTo(entry, 'settled', {}), entry);
    } else {
      this.#context.log.warn({ file: path }, 'gone before it was read');
    }
  }

  async #fail(path: string, entry: LedgerEntry | undefined, problem: string): Promise<void> {
    this.#context.log.error({ file: path }, `not read: ${problem}`);
    const now = this.#context.clock.now();
    if (entry?.state === 'reading' || entry?.state === 'done' || entry?.state === 'failed') {
      await this.#putFailed(moveTo(entry, 'failed', { ...NOT_SEEN, problem, changedAt: now }), entry);
      return;
    }
    const { settings } = this.#own;
    const generation = entry === undefined ? 0 : entry.generation + 1;
    await this.#putFailed(
      {
        source: settings.sourceName,
        path,
        fileId: fileId(settings.sourceName, path, generation, NO_BYTES),
        generation,
        state: 'failed',
        order: this.#open.totals.nextOrder,
        ...NOT_SEEN,
        head: NO_BYTES,
        tail: NO_BYTES,
        byte: 0,
        line: 0,
        read: 0,
        rejected: 0,
        unterminated: false,
        header: undefined,
        problem,
        claimedAt: now,
        changedAt: now,
      },
      entry,
    );
  }

  async #putFailed(entry: LedgerEntry, before: LedgerEntry | undefined): Promise<void> {
    this.#own.stats.filesFailed++;
    await this.#put(entry, before);
  }

  /** Deletes or moves a file whose last row is on stable storage, then says so in the ledger. */
  async #settle(file: SourceFile, done: LedgerEntry): Promise<FileOutcome> {
    const { settings } = this.#own;
    const { log } = this.#context;
    const { path } = done;
    faultPoint('commit-settle');
    if (settings.after.kind === 'keep') {
      return 'through';
    }
    const settling = moveTo(done, 'done', { settling: true });
    if (done.settling !== true) {
      await this.#put(settling, done);
    }
    await this.#flushed;
    faultPoint('flush-acknowledge');
    const difference = await file.check(done, done.byte);
    if (difference === undefined && file.size === done.byte) {
      try {
        log.info({ file: path }, await settleFile(settings.directory, path, settings.after));
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') {
          const problem = reasonOf(error);
          log.warn(
            { file: path, problem },
            `read to its end, but it could not be ${settings.after.kind}d: ${problem}; it will be tried again`,
          );
          await this.#put(moveTo(settling, 'done', { settling: false }), settling);
          return 'later';
        }
      }
    } else if (difference?.kind !== 'vanished') {
      // What was added to it, or put in its place, has not been read.
      log.info({ file: path }, 'it changed after it was read to its end: left where it is');
      await this.#put(moveTo(settling, 'done', { settling: false }), settling);
      return 'again';
    }
    await this.#put(moveTo(settling, 'settled', {}), settling);
    return 'through';
  }

  /** False when the partition is to be let go of while the log is full. */
  async #roomInLog(bytes: number): Promise<boolean> {
    const { broker, settings, topics } = this.#own;
    const { clock, log } = this.#context;
    const { signal } = this.#open;
    let told = false;
    for (;;) {
      const unconsumed = broker.unconsumed(topics.rows).bytes;
      // Into an empty log anything goes: one transaction above the limit is better than none for ever.
      if (unconsumed === 0 || unconsumed + bytes <= settings.logLimitBytes) {
        return true;
      }
      if (!told) {
        log.warn({ limit: settings.logLimitBytes }, 'the log is at its limit: reading of files waits');
        told = true;
      }
      await pause(clock, LOG_PAUSE_MS, signal);
      if (signal.aborted) {
        return false;
      }
    }
  }

  /** Commits an entry with its partition's totals, and whatever `fill` adds. */
  async #put(
    entry: LedgerEntry,
    before: LedgerEntry | undefined,
    fill: (transaction: Transaction) => void = () => undefined,
    rejectedByReason: Readonly<Record<string, number>> = {},
  ): Promise<void> {
    const { ledger } = this.#own;
    const dated = entry.state === before?.state ? entry : { ...entry, changedAt: this.#context.clock.now() };
    const added = addToTotals(this.#open.totals, before, dated, rejectedByReason);
    const totals = { ...added, nextOrder: Math.max(added.nextOrder, entry.order + 1) };
    await this.#commit(totals, (transaction) => {
      fill(transaction);
      putEntry(transaction, ledger, dated, totals, before);
      faultPoint('publish-transaction');
    });
  }

  async #commit(totals: LedgerTotals, fill: (transaction: Transaction) => void): Promise<void> {
    const open = this.#open;
    const { signal, writer } = open;
    const { clock, log } = this.#context;
    const committed = await commitWhenThereIsRoom(writer, fill, { clock, log, signal });
    if (committed === undefined) {
      throw new NotOwnerError(
        `${writer.name} is to be let go of and the broker had no room: the transaction was not written`,
      );
    }
    open.totals = totals;
    this.#own.stats.transactions++;
    this.#flushed = committed.flushed;
    committed.flushed.catch((error: unknown) => {
      this.#context.fail(error);
    });
  }

  get #open(): OpenPartition {
    if (this.#at === undefined) {
      throw new Error('the publisher works on no ledger partition');
    }
    return this.#at;
  }
}
