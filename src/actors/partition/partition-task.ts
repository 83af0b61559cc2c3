import type { Broker, LogRecord, OutgoingRecord, PartitionReader, Writer } from '../../broker/broker.ts';
import { regionCount, regionOf } from '../../geo/s2.ts';
import { fillUnitVectors } from '../../geo/sphere.ts';
import { allocateColumns, type RowColumns } from '../../rows/columns.ts';
import type { RowKernel } from '../../rows/kernel.ts';
import { ACCEPTED, type RejectReason, reasonOf } from '../../rows/reasons.ts';
import type { ActorContext, Address } from '../../system/actor.ts';
import type { Connection } from '../../system/connection.ts';
import { nextTurn } from '../../system/event-loop.ts';
import { faultPoint } from '../../system/faults.ts';
import type { AggregatorMessage } from '../centroid-aggregator/messages.ts';
import { commitWhenThereIsRoom } from '../commit.ts';
import { type Claim, openOwnedWriter } from '../owned-writer.ts';
import type { RegionMessage, RegionSnapshot } from '../region/messages.ts';
import { type Fold, regionActor } from '../region/region-actor.ts';
import { rejectedRecord } from '../rejected/rejected-row.ts';
import type { StandingRequests } from '../standing-requests.ts';
import type { PartitionStats } from '../stats.ts';
import { PROGRESS_KEY, type TopicNames } from '../topics.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { FanOut } from './fan-out.ts';
import { advance, atMessageBoundary, current, emptyCursor, load } from './message-cursor.ts';
import type { PartitionMessage } from './messages.ts';
import type { PoisonRegister } from './poison.ts';
import {
  countRead,
  countRejected,
  encodeProgress,
  type PartitionProgress,
  type RowSource,
} from './progress.ts';
import { rejectedOnTopic } from './reject.ts';
import { restoreProgress } from './restore-progress.ts';
import { ROW_BYTES } from './row-buffer.ts';
import { sourceOf } from './row-source.ts';
import { ONLY_PANE, summaryKey } from './summary-chunks.ts';

export interface PartitionSettings {
  /** Rows are fanned out to the regions when there are this many, or ... */
  readonly fanOutRows: number;
  /** ... when none came for this long. */
  readonly fanOutIdleMs: number;
  /** A checkpoint is due after this time or this many rows, whichever comes first. */
  readonly checkpointEveryMs: number;
  readonly checkpointRows: number;
  /** S2 level of the regions. */
  readonly level: number;
  /** Most features a region's summary holds. */
  readonly features: number;
  /** A foreign row's time may be this far ahead of its broker timestamp. */
  readonly maxFutureMs: number;
  /** Where to begin when no progress is stored. */
  readonly startPosition: 'earliest' | 'latest';
}

export interface PartitionDependencies {
  readonly claim: Claim;
  /** Told of what a restart would meet again. */
  readonly giveUp: (error: unknown) => void;
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly settings: PartitionSettings;
  /** Parses lines in the topic's layout. */
  readonly kernel: RowKernel;
  /** Columns the kernel fills; shared by all partitions, because a parse and its use are one step. */
  readonly scratch: ParseScratch;
  /** A new connection to the regions for each incarnation: the old one's credit dies with it. */
  readonly connect: () => Connection;
  readonly aggregator: Address<AggregatorMessage>;
  readonly poison: PoisonRegister;
  /** What was asked of this partition and is not answered, whichever incarnation it was asked of. */
  readonly requests: StandingRequests<PartitionMessage>;
  readonly fold: Fold;
  readonly stats: PartitionStats;
}

/** Where a slice of rows is parsed: columns, and the unit vectors of their positions. */
export interface ParseScratch {
  readonly columns: RowColumns;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
}

export function allocateScratch(capacity: number): ParseScratch {
  return {
    columns: allocateColumns(capacity),
    x: new Float64Array(capacity),
    y: new Float64Array(capacity),
    z: new Float64Array(capacity),
  };
}

/** Bytes of values read from the log at a time. */
const READ_BYTES = 256 * 1024;
/** Rejected rows held for the next checkpoint are bounded: past this one is due at once. */
const MAX_REJECT_BYTES = 1024 * 1024;
/** A region that does not answer for so long is stuck. */
const SNAPSHOT_TIMEOUT_MS = 60_000;
/** Between two looks at the position while a drain waits: markers pass without waking the reader. */
const DRAIN_LOOK_MS = 50;

/**
 * The work of one incarnation of a partition. Its loop owns all state; messages only leave requests
 * that the loop serves between two slices.
 */
export class PartitionTask {
  readonly #own: PartitionDependencies;
  readonly #context: ActorContext<PartitionMessage>;
  readonly #writer: Writer;
  readonly #reader: PartitionReader;
  readonly #progress: PartitionProgress;
  readonly #connection: Connection;
  readonly #fanOut: FanOut;
  readonly #regions = new Map<number, Address<RegionMessage>>();
  readonly #cursor = emptyCursor();
  readonly #requests: PartitionMessage[] = [];
  /** Drains under way: answered when everything below `end` is checkpointed. */
  #drains: { readonly end: number; readonly reply: () => void }[] = [];
  #rejects: OutgoingRecord[] = [];
  #rejectBytes = 0;
  /** Credit reserved and not yet spent on a row. */
  #credit = 0;
  /** Rows since the last checkpoint, and when the first message of them came; undefined: none came. */
  #rowsSinceCheckpoint = 0;
  #dirtySince: number | undefined;
  /** A checkpoint is wanted at the next message boundary, whatever the time and the rows. */
  #checkpointSoon = false;
  /** Answers of those who wait until this partition is let go of. */
  #lettingGo: (() => void)[] = [];
  /** Resolves when the last checkpoint is on stable storage. */
  #flushed: Promise<void> = Promise.resolve();
  #wake: AbortController | undefined;

  /** Fences former owners, then restores progress; regions restore themselves when rows reach them. */
  static async restore(
    own: PartitionDependencies,
    context: ActorContext<PartitionMessage>,
  ): Promise<PartitionTask> {
    const { broker, claim, settings, topics } = own;
    const { partition } = claim;
    const { clock, log, signal } = context;
    const writer = await openOwnedWriter(broker, `partition-${String(partition)}`, claim, {
      clock,
      log,
      signal,
    });
    try {
      const { startPosition } = settings;
      const restoring = { broker, topics, partition, startPosition, writer, clock, log, signal };
      const progress = await restoreProgress(restoring);
      // The former incarnation may have ended between its commit and telling so; rows that nobody reads
      // again would fill a bounded log for ever.
      await unlessAborted(broker.consumedUpTo(topics.rows, partition, progress.nextOffset), signal);
      if (progress.nextOffset < progress.knownTo) {
        await unlessAborted(broker.consumeAgainFrom(topics.rows, partition, progress.nextOffset), signal);
      }
      const reader = await unlessAborted(
        broker.openReader(topics.rows, partition, progress.nextOffset),
        signal,
        (late) => late.close(),
      );
      return new PartitionTask(own, context, writer, reader, progress);
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  private constructor(
    own: PartitionDependencies,
    context: ActorContext<PartitionMessage>,
    writer: Writer,
    reader: PartitionReader,
    progress: PartitionProgress,
  ) {
    this.#own = own;
    this.#context = context;
    this.#writer = writer;
    this.#reader = reader;
    this.#progress = progress;
    this.#connection = own.connect();
    this.#fanOut = new FanOut({
      capacity: own.settings.fanOutRows,
      regions: regionCount(own.settings.level),
      connection: this.#connection,
      regionFor: (region) => this.#regionFor(region),
      tell: (to, message) => context.tell(to, message),
      foldFailed: (offset, line) => {
        own.poison.failed(own.claim.partition, offset, line);
      },
    });
    own.stats.nextOffset = progress.nextOffset;
    own.stats.rowsCounted = progress.counted;
    own.stats.rowsRejected = progress.rejected;
    own.stats.regions = 0;
    this.#requests.push(...own.requests.open());
  }

  /** Leaves a request for the loop. */
  request(message: PartitionMessage): void {
    this.#requests.push(message);
    this.#wake?.abort();
  }

  /** Runs until `signal` aborts, or the partition is let go of. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#run(signal);
    } finally {
      for (const reply of this.#lettingGo) {
        reply();
      }
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // 1. What is due or was asked for, where progress can be written.
      if (atMessageBoundary(this.#cursor)) {
        this.#passMarkers();
        await this.#serveRequests(signal);
        if (this.#lettingGo.length > 0) {
          await this.#makeDurable(signal);
          return;
        }
        if (this.#checkpointDue()) {
          await this.#checkpoint(signal);
        }
      }
      // 2. More messages, when the last ones are parsed.
      if (current(this.#cursor) === undefined) {
        const records = await this.#read(signal);
        if (records.length === 0) {
          this.#fanOut.offer();
          continue;
        }
        load(this.#cursor, records);
      }
      // 3. Credit for their rows; without any, what is collected must move on first.
      if (!(await this.#haveCredit(signal))) {
        continue;
      }
      // 4. Bytes to rows, rows to the buffer.
      this.#parseSlice();
      // 5. On to the regions.
      if (this.#fanOut.room === 0) {
        this.#fanOut.send();
      }
      await nextTurn();
    }
  }

  async close(): Promise<void> {
    this.#connection.close();
    await this.#reader.close();
    await this.#writer.close();
  }

  /**
   * Where nothing is buffered everything below the reader's position is done with, also what no reader
   * sees: transaction markers, aborted records. Progress takes it in, so that it reaches the log's end.
   */
  #passMarkers(): void {
    const { position } = this.#reader;
    if (current(this.#cursor) === undefined && position > this.#progress.nextOffset) {
      this.#progress.nextOffset = position;
      this.#touched(0);
    }
  }

  #regionFor(region: number): Address<RegionMessage> {
    const known = this.#regions.get(region);
    if (known !== undefined) {
      return known;
    }
    const { broker, claim, topics, settings, stats } = this.#own;
    const { partition } = claim;
    const address = this.#context.spawn(
      regionActor({
        broker,
        table: topics.regions,
        partition,
        region,
        level: settings.level,
        features: settings.features,
        fold: this.#own.fold,
      }),
    );
    this.#regions.set(region, address);
    stats.regions = this.#regions.size;
    return address;
  }

  /** The next messages, or none: when idle rows should move on, a checkpoint is due, or a request came. */
  async #read(signal: AbortSignal): Promise<readonly LogRecord[]> {
    if (this.#requests.length > 0 || signal.aborted) {
      return [];
    }
    if (this.#reader.ready) {
      return await this.#reader.read(READ_BYTES, signal);
    }
    this.#returnCredit();
    const wake = new AbortController();
    const abort = (): void => {
      wake.abort();
    };
    const cancel = this.#context.clock.after(this.#patienceMs(), abort);
    signal.addEventListener('abort', abort, { once: true });
    this.#wake = wake;
    try {
      return await this.#reader.read(READ_BYTES, wake.signal);
    } finally {
      this.#wake = undefined;
      cancel();
      signal.removeEventListener('abort', abort);
    }
  }

  /** How long to wait for messages before there is something else to do. */
  #patienceMs(): number {
    const { fanOutIdleMs, checkpointEveryMs } = this.#own.settings;
    if (this.#drains.length > 0) {
      return Math.min(fanOutIdleMs, DRAIN_LOOK_MS);
    }
    if (this.#fanOut.buffer.rows > 0) {
      return fanOutIdleMs;
    }
    if (this.#dirtySince === undefined) {
      return checkpointEveryMs;
    }
    return Math.max(0, this.#dirtySince + checkpointEveryMs - this.#context.clock.monotonic());
  }

  #checkpointDue(): boolean {
    if (this.#dirtySince === undefined) {
      return false;
    }
    const { checkpointEveryMs, checkpointRows } = this.#own.settings;
    return (
      this.#checkpointSoon ||
      this.#rowsSinceCheckpoint >= checkpointRows ||
      this.#rejectBytes >= MAX_REJECT_BYTES ||
      this.#context.clock.monotonic() - this.#dirtySince >= checkpointEveryMs
    );
  }

  async #haveCredit(signal: AbortSignal): Promise<boolean> {
    if (this.#credit > 0) {
      return true;
    }
    const wanted = Math.min(this.#fanOut.room, this.#own.scratch.columns.capacity);
    this.#credit = this.#connection.tryReserveRows(wanted, ROW_BYTES);
    if (this.#credit === 0) {
      this.#fanOut.offer();
      this.#credit = await this.#connection.reserveRows(wanted, ROW_BYTES, signal);
    }
    return this.#credit > 0;
  }

  #returnCredit(): void {
    if (this.#credit > 0) {
      this.#connection.release({ rows: this.#credit, bytes: this.#credit * ROW_BYTES });
      this.#credit = 0;
    }
  }

  #parseSlice(): void {
    const { scratch, kernel, stats, topics } = this.#own;
    let budget = Math.min(this.#credit, this.#fanOut.room, scratch.columns.capacity);
    let record = current(this.#cursor);
    while (record !== undefined && budget > 0) {
      if (record.value === null || record.value.length === 0) {
        countRead(this.#progress, record.offset, sourceOf(record, topics), 1);
        this.#reject(record, 0, new Uint8Array(0), 'empty-message');
        advance(this.#cursor, 0, 0, 0);
      } else {
        const { value } = record;
        const from = this.#cursor.byte;
        const parsed = kernel.parse(value, from, value.length, true, scratch.columns, 0, budget);
        const source = sourceOf(record, topics);
        countRead(this.#progress, record.offset, source, parsed.rows);
        const accepted = this.#collect(record, source, value, parsed.rows);
        this.#credit -= accepted;
        budget -= parsed.rows;
        stats.rowsRead += parsed.rows;
        advance(this.#cursor, parsed.bytes, parsed.lines, value.length);
      }
      if (atMessageBoundary(this.#cursor)) {
        this.#progress.nextOffset = record.offset + 1;
      }
      record = current(this.#cursor);
    }
  }

  /** Moves the scratch columns' accepted rows to the fan-out buffer; sets the others aside. */
  #collect(record: LogRecord, source: RowSource, value: Uint8Array, rows: number): number {
    const { claim, poison, scratch, settings } = this.#own;
    const { partition } = claim;
    const { columns, x, y, z } = scratch;
    const { buffer } = this.#fanOut;
    fillUnitVectors(columns.longitude, columns.latitude, x, y, z, 0, rows);
    const suspects = poison.suspects(partition, record.offset);
    // All others were judged when they were sent.
    const latest = source.kind === 'foreign' ? record.timestamp + settings.maxFutureMs : Infinity;
    const first = buffer.rows;
    let at = first;
    for (let row = 0; row < rows; row++) {
      const line = this.#cursor.line + (columns.lineIndex[row] as number);
      const verdict = columns.verdict[row] as number;
      let reason: RejectReason | undefined;
      if (verdict !== ACCEPTED) {
        reason = reasonOf(verdict);
      } else if ((columns.time[row] as number) > latest) {
        reason = 'future';
      } else if (suspects && poison.isPoison(partition, record.offset, line)) {
        reason = 'poison';
      }
      if (reason !== undefined) {
        const start = columns.lineStart[row] as number;
        this.#reject(
          record,
          line,
          value.subarray(start, start + (columns.lineLength[row] as number)),
          reason,
        );
        continue;
      }
      const px = x[row] as number;
      const py = y[row] as number;
      const pz = z[row] as number;
      buffer.x[at] = px;
      buffer.y[at] = py;
      buffer.z[at] = pz;
      buffer.region[at] = regionOf(px, py, pz, settings.level);
      buffer.time[at] = columns.time[row] as number;
      buffer.offset[at] = record.offset;
      buffer.line[at] = line;
      at++;
    }
    buffer.rows = at;
    const accepted = at - first;
    this.#progress.counted += accepted;
    // Also a message without rows is to be done with: it takes room in the log.
    this.#touched(accepted);
    return accepted;
  }

  #reject(record: LogRecord, line: number, bytes: Uint8Array, reason: RejectReason): void {
    const { claim, topics, stats } = this.#own;
    const { partition } = claim;
    const row = rejectedOnTopic(topics, partition, record, line, bytes, reason);
    const kept = rejectedRecord(row, this.#context.clock.now());
    countRejected(this.#progress, reason, row.file?.id);
    this.#rejects.push(kept);
    this.#rejectBytes += kept.value?.length ?? 0;
    stats.rowsRejected++;
    this.#context.log.debug({ row: row.id, reason }, row.message);
    this.#touched(1);
    // Each poison row costs restarts: what they taught must outlive this process.
    this.#checkpointSoon ||= reason === 'poison';
  }

  #touched(rows: number): void {
    this.#dirtySince ??= this.#context.clock.monotonic();
    this.#rowsSinceCheckpoint += rows;
  }

  /**
   * Writes the changed summaries, the rejected rows and the next offset in one transaction. Every
   * row below the next offset is handled by its region before the regions are asked for their state.
   */
  async #checkpoint(signal: AbortSignal): Promise<void> {
    const { aggregator, broker, claim, poison, stats, topics } = this.#own;
    const { partition } = claim;
    this.#fanOut.send();
    this.#returnCredit();
    await this.#fanOut.idle(signal);
    const snapshots = await this.#snapshots(signal);
    if (snapshots === undefined) {
      return;
    }
    const { nextOffset } = this.#progress;
    const progress = encodeProgress(this.#progress);
    const committed = await commitWhenThereIsRoom(
      this.#writer,
      (transaction) => {
        for (const { token, chunks, vanished } of snapshots) {
          for (const [index, chunk] of chunks.entries()) {
            transaction.put(topics.regions, partition, summaryKey(token, ONLY_PANE, index), chunk);
          }
          for (let gone = 0; gone < vanished; gone++) {
            transaction.put(
              topics.regions,
              partition,
              summaryKey(token, ONLY_PANE, chunks.length + gone),
              null,
            );
          }
        }
        transaction.put(topics.regions, partition, PROGRESS_KEY, progress);
        if (this.#rejects.length > 0) {
          transaction.append(topics.rejected, 0, this.#rejects);
        }
        faultPoint('checkpoint');
      },
      { clock: this.#context.clock, log: this.#context.log, signal },
    );
    if (committed === undefined) {
      return;
    }
    this.#rejects = [];
    this.#rejectBytes = 0;
    this.#rowsSinceCheckpoint = 0;
    this.#dirtySince = undefined;
    this.#checkpointSoon = false;
    stats.checkpoints++;
    stats.rowsCounted = this.#progress.counted;
    stats.nextOffset = nextOffset;
    this.#flushed = Promise.all([this.#flushed, committed.flushed]).then(async () => {
      faultPoint('flush-acknowledge');
      await broker.consumedUpTo(topics.rows, partition, nextOffset);
      poison.settled(partition, nextOffset);
      this.#context.tell(aggregator, { type: 'committed', partition, nextOffset });
    });
    this.#flushed.catch((error: unknown) => {
      this.#context.fail(error);
    });
  }

  /** The changed regions' state; undefined when `signal` aborted. */
  async #snapshots(signal: AbortSignal): Promise<readonly RegionSnapshot[] | undefined> {
    if (signal.aborted) {
      return undefined;
    }
    const answers = await Promise.all(
      [...this.#regions.values()].map((region) =>
        this.#context.ask<RegionMessage, RegionSnapshot | undefined>(
          region,
          (reply) => ({ type: 'snapshot', reply }),
          SNAPSHOT_TIMEOUT_MS,
        ),
      ),
    );
    return answers.filter((snapshot) => snapshot !== undefined);
  }

  async #serveRequests(signal: AbortSignal): Promise<void> {
    for (const request of this.#requests.splice(0)) {
      switch (request.type) {
        case 'drain':
          this.#drains.push(request);
          break;
        case 'let-go':
          this.#lettingGo.push(request.reply);
          break;
        case 'checkpoint':
          if (await this.#makeDurable(signal)) {
            request.reply();
          }
          break;
      }
    }
    if (this.#drains.length > 0 && current(this.#cursor) === undefined) {
      const reached = this.#drains.filter(({ end }) => this.#progress.nextOffset >= end);
      if (reached.length > 0 && (await this.#makeDurable(signal))) {
        this.#drains = this.#drains.filter((drain) => !reached.includes(drain));
        for (const { reply } of reached) {
          reply();
        }
      }
    }
  }

  /** False when `signal` aborted: nothing may be answered then, the next incarnation takes the requests up. */
  async #makeDurable(signal: AbortSignal): Promise<boolean> {
    if (this.#dirtySince !== undefined) {
      await this.#checkpoint(signal);
    }
    await this.#flushed;
    return !signal.aborted;
  }
}
