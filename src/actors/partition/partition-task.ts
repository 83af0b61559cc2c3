import type { Broker, LogRecord, PartitionReader, Writer } from '../../broker/broker.ts';
import type { RegionAlgorithm } from '../../clustering/region-algorithm.ts';
import { regionCount } from '../../geo/s2.ts';
import type { Metrics } from '../../metrics/recorder.ts';
import type { RowKernel } from '../../rows/kernel.ts';
import type { ActorContext, Address } from '../../system/actor.ts';
import type { Connection } from '../../system/connection.ts';
import { nextTurn } from '../../system/event-loop.ts';
import type { Gate, Turn } from '../../system/gate.ts';
import type { Arrivals } from '../arrivals.ts';
import type { AggregatorMessage } from '../centroid-aggregator/messages.ts';
import { type Claim, openOwnedWriter } from '../owned-writer.ts';
import type { RegionMessage, RegionSnapshot } from '../region/messages.ts';
import { type Fold, regionActor } from '../region/region-actor.ts';
import { committedWatermarks } from '../region/watermarks.ts';
import type { StandingRequests } from '../standing-requests.ts';
import type { PartitionStats } from '../stats.ts';
import type { TopicNames } from '../topics.ts';
import { pause } from '../commit.ts';
import type { UndecidedCommits } from '../undecided-commits.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { checkpointMark, Checkpoints } from './checkpoints.ts';
import { FanOut } from './fan-out.ts';
import type { DiscardRegister } from './discards.ts';
import { atMessageBoundary, current, emptyCursor, load } from './message-cursor.ts';
import type { PartitionMessage, PartitionRequest } from './messages.ts';
import type { PoisonRegister } from './poison.ts';
import type { PartitionProgress } from './progress.ts';
import { restoreProgress } from './restore-progress.ts';
import { ROW_BYTES } from './row-buffer.ts';
import { type ParseScratch, RowIntake } from './row-intake.ts';

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
  /** What a region does with its rows. */
  readonly algorithm: RegionAlgorithm;
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
  readonly discards: DiscardRegister;
  /** A row may be this much older than the newest one before it of its region, as things are set now. */
  readonly latenessMs: () => number;
  /** Holds the partitions before their next read. */
  readonly gate: Gate;
  /** What was asked of this partition and is not answered, whichever incarnation it was asked of. */
  readonly requests: StandingRequests<PartitionRequest>;
  readonly fold: Fold;
  readonly stats: PartitionStats;
  readonly metrics: Metrics;
  readonly undecided: UndecidedCommits;
  readonly arrivals: Arrivals;
}

/** Bytes of values read from the log at a time. */
const READ_BYTES = 256 * 1024;
/** Rejected rows held for the next checkpoint are bounded: past this one is due at once. */
const MAX_REJECT_BYTES = 1024 * 1024;
/** A region that does not answer for so long is stuck. */
const SNAPSHOT_TIMEOUT_MS = 60_000;
/** An idle loop shows that it lives. */
const LONGEST_PATIENCE_MS = 500;
/** Between two looks while paused whether there is something to be read. */
const PAUSED_LOOK_MS = 50;
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
  readonly #intake: RowIntake;
  readonly #checkpoints: Checkpoints;
  readonly #regions = new Map<number, Address<RegionMessage>>();
  readonly #cursor = emptyCursor();
  readonly #requests: PartitionRequest[] = [];
  /** Drains under way: answered when everything below `end` is checkpointed. */
  #drains: { readonly end: number; readonly reply: () => void }[] = [];
  /** Credit reserved and not yet spent on a row. */
  #credit = 0;
  /** Rows since the last checkpoint, and when the first message of them came; undefined: none came. */
  #rowsSinceCheckpoint = 0;
  #dirtySince: number | undefined;
  readonly #stopListening: () => void;
  /** The read that the gate let through, while its rows are not all parsed. */
  #turn: Turn | undefined;
  /** Answers of those who wait until this partition is let go of. */
  #lettingGo: (() => void)[] = [];
  #wake: AbortController | undefined;

  /** Fences former owners, then restores progress; regions restore themselves when rows reach them. */
  static async restore(
    own: PartitionDependencies,
    context: ActorContext<PartitionMessage>,
  ): Promise<PartitionTask> {
    const { arrivals, broker, claim, metrics, settings, topics, undecided } = own;
    const { partition } = claim;
    const { clock, log, signal } = context;
    const writer = await openOwnedWriter(broker, `partition-${String(partition)}`, claim, {
      clock,
      log,
      signal,
    });
    try {
      const { startPosition } = settings;
      const algorithm = settings.algorithm.description;
      const ports = { broker, topics, writer, clock, log, metrics, signal };
      const progress = await restoreProgress({ ...ports, partition, startPosition, algorithm });
      undecided.found(partition, checkpointMark(progress));
      arrivals.restored(partition, progress.nextOffset);
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
      const watermarks = noWatermarks(settings);
      if (own.latenessMs() !== Infinity) {
        watermarks.set(await committedWatermarks(broker, topics.regions, partition, settings.level));
      }
      return new PartitionTask(own, context, writer, reader, progress, watermarks);
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
    watermarks: Float64Array,
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
      discarded: (offset, line) => {
        own.discards.discard(own.claim.partition, offset, line);
      },
    });
    const { aggregator, broker, claim, discards, metrics, poison, settings, stats, topics, undecided } = own;
    const { partition } = claim;
    const { clock, log } = context;
    this.#intake = new RowIntake(
      {
        partition,
        topics,
        level: settings.level,
        maxFutureMs: settings.maxFutureMs,
        kernel: own.kernel,
        scratch: own.scratch,
        poison,
        discards,
        arrivals: own.arrivals,
        clock,
        log,
        stats,
      },
      progress,
      this.#fanOut.buffer,
      watermarks,
      own.latenessMs(),
    );
    this.#recordLateness();
    this.#checkpoints = new Checkpoints({
      broker,
      topics,
      partition,
      writer,
      clock,
      log,
      stats,
      metrics,
      undecided,
      counted: progress.counted,
      durable: (nextOffset) => {
        poison.settled(partition, nextOffset);
        discards.settled(partition, nextOffset);
        context.tell(aggregator, { type: 'committed', partition, nextOffset });
      },
      failed: (error) => {
        context.fail(error);
      },
    });
    own.stats.nextOffset = progress.nextOffset;
    own.stats.rowsCounted = progress.counted;
    own.stats.rowsRejected = progress.rejected;
    own.stats.regions = 0;
    own.stats.turnedAt = context.clock.monotonic();
    own.stats.position = reader.position;
    own.stats.restored = true;
    this.#requests.push(...own.requests.open());
    this.#stopListening = own.gate.onChange(() => {
      this.#wake?.abort();
    });
  }

  /** Leaves a request for the loop. */
  request(message: PartitionRequest): void {
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
    const { stats } = this.#own;
    while (!signal.aborted) {
      stats.turnedAt = this.#context.clock.monotonic();
      stats.position = this.#reader.position;
      // 1. What is due or was asked for, where progress can be written.
      if (atMessageBoundary(this.#cursor)) {
        this.#passMarkers();
        await this.#serveRequests(signal);
        if (this.#lettingGo.length > 0) {
          if (!this.#isHeld()) {
            await this.#makeDurable(signal);
          }
          return;
        }
        if (this.#checkpointDue()) {
          await this.#checkpoint(signal);
        }
        await this.#adoptLateness(signal);
      }
      // 2. More messages, when the last ones are parsed, and unless the stage is paused.
      if (current(this.#cursor) === undefined) {
        if (!this.#mayRead()) {
          this.#fanOut.offer();
          await this.#rest(signal);
          continue;
        }
        const records = await this.#read(signal);
        if (records.length === 0) {
          this.#fanOut.offer();
          continue;
        }
        load(this.#cursor, records);
        // What has come while they were waited for holds for them, too.
        continue;
      }
      // 3. Credit for their rows; without any, what is collected must move on first.
      if (!(await this.#haveCredit(signal))) {
        continue;
      }
      // 4. Bytes to rows, rows to the buffer.
      const { accepted, rejected } = this.#intake.take(
        this.#cursor,
        Math.min(this.#credit, this.#fanOut.room),
      );
      this.#credit -= accepted;
      // Also messages without rows are to be done with: they take room in the log.
      this.#touched(accepted + rejected);
      // 5. On to the regions.
      if (this.#fanOut.room === 0) {
        this.#fanOut.send();
      }
      await nextTurn();
    }
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#turn?.done();
    this.#own.stats.restored = false;
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
        algorithm: settings.algorithm,
        fold: this.#own.fold,
        clock: this.#context.clock,
        stats,
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
    return await this.#inPatience(signal, (patience) => this.#reader.read(READ_BYTES, patience));
  }

  /** While paused one read may be let through, which is spent only on what is there to be read. */
  #mayRead(): boolean {
    this.#turn?.done();
    const { gate } = this.#own;
    // Rejected rows cost no credit: while no checkpoint can have them there must not be ever more.
    if (this.#isHeld() && this.#intake.rejectBytes >= MAX_REJECT_BYTES) {
      this.#turn = undefined;
      return false;
    }
    this.#turn = !gate.paused || this.#reader.ready ? gate.enter() : undefined;
    return this.#turn !== undefined;
  }

  /** Until there is something else to do than to read. */
  async #rest(signal: AbortSignal): Promise<void> {
    this.#returnCredit();
    if (this.#requests.length === 0 && !signal.aborted) {
      const { clock } = this.#context;
      await this.#inPatience(signal, (patience) => pause(clock, PAUSED_LOOK_MS, patience));
    }
  }

  /** Does `work` until there is something else to do, or a request comes: its signal aborts then. */
  async #inPatience<T>(signal: AbortSignal, work: (patience: AbortSignal) => Promise<T>): Promise<T> {
    const wake = new AbortController();
    const abort = (): void => {
      wake.abort();
    };
    const cancel = this.#context.clock.after(this.#patienceMs(), abort);
    signal.addEventListener('abort', abort, { once: true });
    this.#wake = wake;
    try {
      return await work(wake.signal);
    } finally {
      this.#wake = undefined;
      cancel();
      signal.removeEventListener('abort', abort);
    }
  }

  /** What rows are judged by is written with the offset from which on they are. */
  #recordLateness(): void {
    const { latenessMs } = this.#intake;
    const ms = latenessMs === Infinity ? null : latenessMs;
    const { lateness, nextOffset } = this.#progress;
    if (lateness?.ms !== ms) {
      this.#progress.lateness = { ms, from: nextOffset };
      if (lateness !== undefined) {
        this.#touched(0);
      }
    }
  }

  /** Another lateness holds from a checkpoint on: what the first rows after it are judged by is committed then. */
  async #adoptLateness(signal: AbortSignal): Promise<void> {
    const wanted = this.#own.latenessMs();
    if (wanted === this.#intake.latenessMs || this.#isHeld()) {
      return;
    }
    if (this.#dirtySince !== undefined) {
      await this.#checkpoint(signal);
    }
    if (signal.aborted) {
      return;
    }
    const { broker, claim, settings, topics } = this.#own;
    const { partition } = claim;
    const watermarks = await committedWatermarks(broker, topics.regions, partition, settings.level);
    this.#context.log.info(
      { partition, from: this.#progress.nextOffset },
      'rows are judged by another lateness',
    );
    this.#intake.judgeLateBy(wanted, watermarks);
    this.#recordLateness();
  }

  /** Rows wait for regions that are paused: no checkpoint can have them. */
  #isHeld(): boolean {
    return this.#connection.paused && !(this.#fanOut.settled && this.#fanOut.buffer.rows === 0);
  }

  /** How long to wait for messages before there is something else to do; the loop turns also while there is not. */
  #patienceMs(): number {
    return Math.min(LONGEST_PATIENCE_MS, this.#untilDue());
  }

  #untilDue(): number {
    const { fanOutIdleMs, checkpointEveryMs } = this.#own.settings;
    if (this.#isHeld()) {
      return PAUSED_LOOK_MS;
    }
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
    if (this.#dirtySince === undefined || this.#isHeld()) {
      return false;
    }
    const { checkpointEveryMs, checkpointRows } = this.#own.settings;
    return (
      // Each poison row costs restarts: what they taught must outlive this process.
      this.#intake.poisoned ||
      this.#rowsSinceCheckpoint >= checkpointRows ||
      this.#intake.rejectBytes >= MAX_REJECT_BYTES ||
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

  #touched(rows: number): void {
    this.#dirtySince ??= this.#context.clock.monotonic();
    this.#rowsSinceCheckpoint += rows;
  }

  /** Every row below the next offset is handled by its region before the regions are asked for their state. */
  async #checkpoint(signal: AbortSignal): Promise<void> {
    const { claim, metrics } = this.#own;
    const { clock } = this.#context;
    const begun = clock.monotonic();
    this.#fanOut.send();
    this.#returnCredit();
    await this.#fanOut.idle(signal);
    const snapshots = await this.#snapshots(signal);
    if (snapshots === undefined) {
      return;
    }
    const rejects = this.#intake.takeRejects();
    if (await this.#checkpoints.write(this.#progress, snapshots, rejects, signal)) {
      metrics.time('partition.checkpoint.time', clock.monotonic() - begun, {
        partition: String(claim.partition),
      });
      this.#rowsSinceCheckpoint = 0;
      this.#dirtySince = undefined;
    }
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
    await this.#checkpoints.flushed;
    return !signal.aborted;
  }
}

/** No row is known yet: none is late. */
function noWatermarks({ level }: PartitionSettings): Float64Array {
  return new Float64Array(regionCount(level)).fill(-Infinity);
}
