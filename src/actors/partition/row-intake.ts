import type { LogRecord, OutgoingRecord } from '../../broker/broker.ts';
import { regionOf } from '../../geo/s2.ts';
import { fillUnitVectors } from '../../geo/sphere.ts';
import { allocateColumns, type RowColumns } from '../../rows/columns.ts';
import type { RowKernel } from '../../rows/kernel.ts';
import { ACCEPTED, type RejectReason, reasonOf } from '../../rows/reasons.ts';
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { type Arrivals, decodeArrival } from '../arrivals.ts';
import { rejectedRecord } from '../rejected/rejected-row.ts';
import type { PartitionStats, RowsByReason } from '../stats.ts';
import type { TopicNames } from '../topics.ts';
import { advance, atMessageBoundary, current, type MessageCursor } from './message-cursor.ts';
import type { DiscardRegister } from './discards.ts';
import type { PoisonRegister } from './poison.ts';
import { countRead, countRejected, type PartitionProgress, type RowSource } from './progress.ts';
import { rejectedOnTopic } from './reject.ts';
import type { RowBuffer } from './row-buffer.ts';
import { sourceOf } from './row-source.ts';

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

export interface RowIntakeOptions {
  readonly partition: number;
  readonly topics: TopicNames;
  /** S2 level of the regions. */
  readonly level: number;
  /** A foreign row's time may be this far ahead of its message's timestamp. */
  readonly maxFutureMs: number;
  readonly kernel: RowKernel;
  readonly scratch: ParseScratch;
  readonly poison: PoisonRegister;
  readonly discards: DiscardRegister;
  readonly arrivals: Arrivals;
  readonly clock: Clock;
  readonly log: Logger;
  readonly stats: PartitionStats;
}

/** The rows that were set aside since the last checkpoint. */
export interface Rejects {
  /** For their topic. */
  readonly records: readonly OutgoingRecord[];
  readonly byReason: RowsByReason;
}

/** What became of the rows of one slice. */
export interface Taken {
  readonly accepted: number;
  readonly rejected: number;
}

/** From messages to rows: parses, enters them in the books, and buffers those that are good for their regions. */
export class RowIntake {
  readonly #own: RowIntakeOptions;
  readonly #progress: PartitionProgress;
  readonly #buffer: RowBuffer;
  readonly #watermarks: Float64Array;
  /** A row may be this much older than the newest one before it of its region; Infinity: of any age. */
  #latenessMs: number;
  #rejects: OutgoingRecord[] = [];
  #byReason: RowsByReason = {};
  #rejectBytes = 0;
  #poisoned = false;
  #rejected = 0;
  /** Of the message before. */
  #timestamp = Number.NaN;

  /**
   * Writes to `progress`, `buffer` and `watermarks`, which are the partition's: the latter are the greatest
   * event time of each region's rows so far.
   */
  constructor(
    own: RowIntakeOptions,
    progress: PartitionProgress,
    buffer: RowBuffer,
    watermarks: Float64Array,
    latenessMs: number,
  ) {
    this.#own = own;
    this.#latenessMs = latenessMs;
    this.#progress = progress;
    this.#buffer = buffer;
    this.#watermarks = watermarks;
  }

  /** Rows are judged by another lateness from now on, and by what is known of their regions. */
  judgeLateBy(latenessMs: number, watermarks: Float64Array): void {
    this.#watermarks.set(watermarks);
    this.#latenessMs = latenessMs;
  }

  get latenessMs(): number {
    return this.#latenessMs;
  }

  /** Of the rejected rows that are held for the next checkpoint. */
  get rejectBytes(): number {
    return this.#rejectBytes;
  }

  /** There is a row among them that is known to this process only: that must become durable. */
  get poisoned(): boolean {
    return this.#poisoned;
  }

  /** Rejected rows since the last call. */
  takeRejects(): Rejects {
    const rejects = { records: this.#rejects, byReason: this.#byReason };
    this.#rejects = [];
    this.#byReason = {};
    this.#rejectBytes = 0;
    this.#poisoned = false;
    return rejects;
  }

  /** Takes rows from the messages of the cursor on, at most `most` of them and what the scratch holds. */
  take(cursor: MessageCursor, most: number): Taken {
    const { clock, kernel, scratch, stats, topics } = this.#own;
    const begun = clock.monotonic();
    const before = this.#buffer.rows;
    this.#rejected = 0;
    let budget = Math.min(most, scratch.columns.capacity);
    for (let record = current(cursor); record !== undefined && budget > 0; record = current(cursor)) {
      if (record.timestamp !== this.#timestamp) {
        this.#timestamp = record.timestamp;
        this.#noteArrival(record);
      }
      const source = sourceOf(record, topics);
      if (record.value === null || record.value.length === 0) {
        countRead(this.#progress, record.offset, source, 1);
        this.#reject(record, 0, new Uint8Array(0), 'empty-message');
        advance(cursor, 0, 0, 0);
      } else {
        const { value } = record;
        const parsed = kernel.parse(value, cursor.byte, value.length, true, scratch.columns, 0, budget);
        countRead(this.#progress, record.offset, source, parsed.rows);
        this.#collect(record, source, cursor.line, parsed.rows);
        budget -= parsed.rows;
        stats.rowsRead += parsed.rows;
        advance(cursor, parsed.bytes, parsed.lines, value.length);
      }
      if (atMessageBoundary(cursor)) {
        this.#progress.nextOffset = record.offset + 1;
        stats.messages++;
      }
    }
    stats.slices++;
    stats.parseMs += clock.monotonic() - begun;
    const accepted = this.#buffer.rows - before;
    this.#progress.counted += accepted;
    return { accepted, rejected: this.#rejected };
  }

  /** The messages of a transaction have one timestamp, so that not each of them need be asked. */
  #noteArrival({ headers, offset }: LogRecord): void {
    const { arrivals, partition, topics } = this.#own;
    const header = headers[topics.arrivedHeader];
    // What a rewind counts anew had been in a model before.
    if (header !== undefined && offset >= this.#progress.knownTo) {
      const arrivedAt = decodeArrival(header);
      if (arrivedAt !== undefined) {
        arrivals.read(partition, offset, arrivedAt);
      }
    }
  }

  /** Moves the scratch columns' accepted rows to the buffer; sets the others aside. */
  #collect(record: LogRecord, source: RowSource, firstLine: number, rows: number): void {
    const { discards, level, maxFutureMs, partition, poison, scratch } = this.#own;
    const { latenessMs } = this;
    const watermarks = this.#watermarks;
    const { columns, x, y, z } = scratch;
    const buffer = this.#buffer;
    fillUnitVectors(columns.longitude, columns.latitude, x, y, z, 0, rows);
    const suspects = poison.suspects(partition, record.offset);
    const dropped = discards.concerns(partition, record.offset);
    // All others were judged when they were sent.
    const latest = source.kind === 'foreign' ? record.timestamp + maxFutureMs : Infinity;
    let at = buffer.rows;
    for (let row = 0; row < rows; row++) {
      const line = firstLine + (columns.lineIndex[row] as number);
      const verdict = columns.verdict[row] as number;
      const time = columns.time[row] as number;
      const px = x[row] as number;
      const py = y[row] as number;
      const pz = z[row] as number;
      let region = 0;
      let reason: RejectReason | undefined;
      if (verdict !== ACCEPTED) {
        reason = reasonOf(verdict);
      } else if (time > latest) {
        reason = 'future';
      } else if (suspects && poison.isPoison(partition, record.offset, line)) {
        reason = 'poison';
      } else if (dropped && discards.has(partition, record.offset, line)) {
        reason = 'discarded';
      } else {
        region = regionOf(px, py, pz, level);
        const watermark = watermarks[region] as number;
        if (time < watermark - latenessMs) {
          reason = 'late';
        } else if (time > watermark) {
          watermarks[region] = time;
        }
      }
      if (reason !== undefined) {
        const start = columns.lineStart[row] as number;
        const end = start + (columns.lineLength[row] as number);
        this.#reject(record, line, (record.value ?? new Uint8Array(0)).subarray(start, end), reason);
        continue;
      }
      buffer.x[at] = px;
      buffer.y[at] = py;
      buffer.z[at] = pz;
      buffer.region[at] = region;
      buffer.time[at] = time;
      buffer.offset[at] = record.offset;
      buffer.line[at] = line;
      at++;
    }
    buffer.rows = at;
  }

  #reject(record: LogRecord, line: number, bytes: Uint8Array, reason: RejectReason): void {
    const { clock, log, partition, stats, topics } = this.#own;
    const row = rejectedOnTopic(topics, partition, record, line, bytes, reason);
    const kept = rejectedRecord(row, clock.now());
    countRejected(this.#progress, reason, row.file?.id);
    this.#rejects.push(kept);
    this.#rejectBytes += kept.value?.length ?? 0;
    this.#poisoned ||= reason === 'poison' || reason === 'discarded';
    this.#byReason[reason] = (this.#byReason[reason] ?? 0) + 1;
    this.#rejected++;
    stats.rowsRejected++;
    log.debug({ row: row.id, reason }, row.message);
  }
}
