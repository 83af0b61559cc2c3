import type { Broker, Transaction } from '../../broker/broker.ts';
import { FencedError, NotOwnerError } from '../../broker/errors.ts';
import { partitionOf } from '../../broker/partitioner.ts';
import type { ColumnOverride } from '../../rows/header.ts';
import type { ActorContext } from '../../system/actor.ts';
import type { Metrics } from '../../metrics/recorder.ts';
import type { Connection } from '../../system/connection.ts';
import { faultPoint } from '../../system/faults.ts';
import type { Gate } from '../../system/gate.ts';
import { commitWhenThereIsRoom, pause } from '../commit.ts';
import { codeOf, reasonOf } from '../file-watcher/scan.ts';
import {
  addToTotals,
  type FileSignature,
  type LedgerEntry,
  type LedgerTotals,
  moveTo,
} from '../ingest/ledger.ts';
import { type LedgerStore, putEntry, putTotals } from '../ingest/ledger-store.ts';
import type { LedgerOwnership } from '../ingest/ownership.ts';
import { isWriterLost } from '../owned-writer.ts';
import type { StandingRequests } from '../standing-requests.ts';
import { addByReason, type PublisherStats } from '../stats.ts';
import { CREATED_PREFIX, type TopicNames } from '../topics.ts';
import type { UndecidedCommits } from '../undecided-commits.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { FileClaims } from './claims.ts';
import { FileReader, type ReadBuffers, type ReadStep } from './file-reader.ts';
import { LedgerWriters, type OpenPartition, totalsMark } from './ledger-writers.ts';
import type { FileOutcome, FlushRequest, FoundFile, PublisherMessage } from './messages.ts';
import type { RowPacker } from './row-packer.ts';
import { sampleRecord } from './sample.ts';
import { type AfterReading, settleFile } from './settle.ts';
import { SourceFile } from './source-file.ts';

export interface PublisherSettings {
  readonly directory: string;
  /** Name of this replica, for the ledger. */
  readonly replica: string;
  readonly sourceName: string;
  readonly columns: ColumnOverride;
  readonly utcOffsetMinutes: number;
  readonly maxLineBytes: number;
  /** A row's time may be this far ahead of the moment it is read. */
  readonly maxFutureMs: number;
  readonly after: AfterReading;
  readonly level: number;
  readonly partitions: number;
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
  /** Most bytes the log may hold that are not consumed, as things are set now. */
  readonly logLimitBytes: () => number;
  /** Holds the publisher before its next transaction. */
  readonly gate: Gate;
  /** A new connection for each incarnation. */
  readonly connect: () => Connection;
  readonly stats: PublisherStats;
  readonly metrics: Metrics;
  /** Commits to the partitions of the ledger. */
  readonly undecided: UndecidedCommits;
  /** Flushes asked for and not answered, whichever incarnation they were asked of. */
  readonly requests: StandingRequests<FlushRequest>;
}

type ProgressStep = Extract<ReadStep, { readonly kind: 'progress' }>;

/** Whoever owns this partition of the ledger publishes the test source. */
const SAMPLE_PARTITION = 0;
/** How long the publisher waits before it asks again whether the log has room. */
const LOG_PAUSE_MS = 50;

/** The work of one incarnation of the publisher: the life of each file in the ledger. */
export class PublisherTask {
  readonly #own: PublisherDependencies;
  readonly #context: ActorContext<PublisherMessage>;
  readonly #writers: LedgerWriters;
  readonly #claims: FileClaims;
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
    const { clock, log } = context;
    this.#claims = new FileClaims({
      settings: own.settings,
      clock,
      log,
      stats: own.stats,
      nextOrder: () => this.#open.totals.nextOrder,
      put: (entry, before) => this.#put(entry, before),
    });
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
    if (!(await this.#own.gate.untilOpen(this.#context.signal))) {
      return 'again';
    }
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
      await this.#claims.fail(path, entry, found.problem);
      return 'through';
    }
    let file: SourceFile;
    try {
      file = await SourceFile.open(settings.directory, path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        await this.#claims.gone(path, entry);
        return 'through';
      }
      await this.#claims.fail(path, entry, reasonOf(error));
      return 'later';
    }
    stats.file = path;
    try {
      return found.kind === 'gone' ? 'again' : await this.#publishOpen(file, found, entry);
    } catch (error) {
      if (codeOf(error) === undefined) {
        throw error;
      }
      await this.#claims.fail(path, await ledger.entry(path), reasonOf(error));
      return 'later';
    } finally {
      stats.file = undefined;
      await file.close();
    }
  }

  /** Publishes one row of the test source. */
  async publishSample(): Promise<void> {
    if (this.#own.gate.paused) {
      return;
    }
    const { settings, stats, topics } = this.#own;
    const record = sampleRecord(settings.level, this.#context.clock.now());
    // One replica is enough.
    await this.#on(SAMPLE_PARTITION, async () => {
      const { totals } = this.#open;
      const next = { ...totals, sampled: totals.sampled + 1 };
      await this.#commit(
        next,
        (transaction) => {
          transaction.append(topics.rows, partitionOf(record.key, settings.partitions), [record]);
          putTotals(transaction, this.#own.ledger, SAMPLE_PARTITION, next);
        },
        () => {
          stats.rowsPublished++;
          stats.messages++;
        },
      );
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
    const claimed = await this.#claims.claim(file, found, entry);
    if (typeof claimed === 'string') {
      return claimed;
    }
    const done = claimed.state === 'done' ? claimed : await this.#read(file, claimed, found.size);
    return typeof done === 'string' ? done : await this.#settle(file, done);
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
      const { buffers, gate } = this.#own;
      const turn = await gate.begin(signal);
      if (turn === undefined) {
        return 'again';
      }
      const cost = { rows: buffers.columns.capacity, bytes: buffers.bytes.length };
      if (!(await this.#connection.reserve(cost, signal))) {
        turn.done();
        return 'again';
      }
      try {
        const begun = clock.monotonic();
        const step = await reader.next(entry);
        stats.busyMs += clock.monotonic() - begun;
        stats.steps++;
        if (step.kind === 'lost') {
          return await this.#claims.lost(entry, step.difference);
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
        await this.#put(step.entry, entry, step);
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
        turn.done();
      }
    }
    return 'again';
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
    const { broker, logLimitBytes, topics } = this.#own;
    const { clock, log } = this.#context;
    const { signal } = this.#open;
    let told = false;
    for (;;) {
      const unconsumed = broker.unconsumed(topics.rows).bytes;
      // Into an empty log anything goes: one transaction above the limit is better than none for ever.
      this.#own.stats.logIsFull = unconsumed > 0 && unconsumed + bytes > logLimitBytes();
      if (!this.#own.stats.logIsFull) {
        return true;
      }
      if (!told) {
        log.warn({ limit: logLimitBytes() }, 'the log is at its limit: reading of files waits');
        told = true;
      }
      await pause(clock, LOG_PAUSE_MS, signal);
      if (signal.aborted) {
        this.#own.stats.logIsFull = false;
        return false;
      }
    }
  }

  /** Commits an entry with its partition's totals, and the rows of the step that led to it. */
  async #put(entry: LedgerEntry, before: LedgerEntry | undefined, step?: ProgressStep): Promise<void> {
    const { ledger, settings } = this.#own;
    const changedAt = entry.state === before?.state ? entry.changedAt : this.#context.clock.now();
    const dated = { ...entry, by: settings.replica, changedAt };
    const added = addToTotals(this.#open.totals, before, dated, step?.rejectedByReason);
    const totals = { ...added, nextOrder: Math.max(added.nextOrder, entry.order + 1) };
    await this.#commit(
      totals,
      (transaction) => {
        step?.fill(transaction);
        putEntry(transaction, ledger, dated, totals, before);
        faultPoint('publish-transaction');
      },
      () => {
        this.#count(entry, before, step);
      },
    );
  }

  /** What is committed of a file is counted. */
  #count(entry: LedgerEntry, before: LedgerEntry | undefined, step: ProgressStep | undefined): void {
    const { stats } = this.#own;
    const same = before?.fileId === entry.fileId ? before : undefined;
    if (entry.state !== same?.state) {
      stats.fileStates[entry.state]++;
    }
    if (step !== undefined && same !== undefined) {
      const read = entry.read - same.read;
      const rejected = entry.rejected - same.rejected;
      stats.rowsRead += read;
      stats.rowsRejected += rejected;
      stats.rowsPublished += read - rejected;
      stats.bytes += entry.byte - same.byte;
      stats.messages += step.messages;
      addByReason(stats.rejectedByReason, step.rejectedByReason);
    }
  }

  async #commit(
    totals: LedgerTotals,
    fill: (transaction: Transaction) => void,
    count: () => void,
  ): Promise<void> {
    const { metrics, undecided } = this.#own;
    const open = this.#open;
    const { partition, signal, writer } = open;
    const { clock, log } = this.#context;
    const mark = totalsMark(totals);
    const committed = await undecided.counted(
      partition,
      mark === totalsMark(open.totals) ? undefined : mark,
      commitWhenThereIsRoom(writer, fill, { clock, log, metrics, signal, stage: 'publisher' }),
      count,
    );
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
