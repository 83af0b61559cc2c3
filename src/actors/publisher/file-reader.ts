import type { OutgoingRecord, Transaction } from '../../broker/broker.ts';
import { allocateColumns, type RowColumns } from '../../rows/columns.ts';
import { explainRejection } from '../../rows/explain.ts';
import type { SourceMapping } from '../../rows/header.ts';
import type { RowKernel, RowLayout } from '../../rows/kernel.ts';
import { ACCEPTED, type RejectReason, reasonOf } from '../../rows/reasons.ts';
import { createTopicLineWriter, type TopicLineWriter } from '../../rows/topic-line.ts';
import { createTypeScriptKernel } from '../../rows/typescript-kernel.ts';
import type { Clock } from '../../system/clock.ts';
import { nextTurn } from '../../system/event-loop.ts';
import { encodeArrival } from '../arrivals.ts';
import { FINGERPRINT_BYTES, fingerprint, type LedgerEntry, moveTo } from '../ingest/ledger.ts';
import { KEPT_BYTES, keptRow, rejectedRecord } from '../rejected/rejected-row.ts';
import type { RowsByReason } from '../stats.ts';
import type { TopicNames } from '../topics.ts';
import type { RowPacker } from './row-packer.ts';
import type { Difference, SourceFile } from './source-file.ts';

/** Where the bytes and rows of one transaction are built. */
export interface ReadBuffers {
  /** The file's bytes at `[0, input)`, then room for the packed lines. */
  readonly bytes: Buffer;
  readonly input: number;
  readonly columns: RowColumns;
}

export function allocateReadBuffers(input: number, rows: number): ReadBuffers {
  // One byte more than the input: a last line without a line end gets one between messages.
  return { bytes: Buffer.allocUnsafeSlow(2 * input + 1), input, columns: allocateColumns(rows) };
}

export interface ReaderDependencies {
  readonly topics: TopicNames;
  readonly settings: {
    readonly utcOffsetMinutes: number;
    readonly maxLineBytes: number;
    readonly maxFutureMs: number;
  };
  readonly buffers: ReadBuffers;
  readonly packer: RowPacker;
}

/** One transaction's worth of a file, or the reason why the file cannot be read on. */
export type ReadStep =
  | {
      readonly kind: 'progress';
      /** The file's entry once this step is committed. */
      readonly entry: LedgerEntry;
      /** Puts the step's messages and rejected rows into a transaction; valid until the next step. */
      readonly fill: (transaction: Transaction) => void;
      /** What the messages add to the log. */
      readonly logBytes: number;
      readonly messages: number;
      readonly rejectedByReason: RowsByReason;
    }
  | { readonly kind: 'lost'; readonly difference: Difference }
  /** What is left is the beginning of a line that is still being written. */
  | { readonly kind: 'restless' };

/** Rows parsed, or set aside, between two turns of the event loop. */
const SLICE_ROWS = 4_096;
const SLICE_REJECTS = 512;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** What a broker adds to a record's own bytes at most: lengths, timestamp, its share of a batch's head. */
const RECORD_OVERHEAD_BYTES = 64;

/** At least what a message takes in the log. */
function logBytesOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key === null ? 0 : Buffer.byteLength(key)) + (value?.length ?? 0);
  for (const [name, header] of Object.entries(headers ?? {})) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(header);
  }
  return bytes;
}

/** The records, with one more header on the first. */
function firstTells(
  records: readonly OutgoingRecord[],
  name: string,
  value: string,
): readonly OutgoingRecord[] {
  const [first] = records;
  return first === undefined
    ? records
    : [{ ...first, headers: { ...first.headers, [name]: value } }, ...records.slice(1)];
}

/** Reads one open file, step by step, in constant memory. */
export class FileReader {
  readonly #own: ReaderDependencies;
  readonly #file: SourceFile;
  readonly #clock: Clock;
  /** Size at which the file was seen to rest. */
  readonly #restedSize: number;
  #mapping: { readonly layout: RowLayout; readonly writer: TopicLineWriter } | undefined;
  /** Bytes of the file that are in the buffer, from the entry's byte on. */
  #held = 0;

  constructor(own: ReaderDependencies, file: SourceFile, options: { clock: Clock; restedSize: number }) {
    this.#own = own;
    this.#file = file;
    this.#clock = options.clock;
    this.#restedSize = options.restedSize;
  }

  /** The next step from `entry.byte` on. The step before must have been committed. */
  async next(entry: LedgerEntry): Promise<ReadStep> {
    return entry.unterminated ? await this.#continueCutLine(entry) : await this.#readOn(entry);
  }

  async #readOn(entry: LedgerEntry): Promise<ReadStep> {
    for (;;) {
      const atEnd = await this.#fill(entry.byte);
      const parsed = await this.#parse(entry, atEnd && this.#endsWhole(entry.byte));
      if (parsed.bytes === 0 && this.#held === this.#own.buffers.input) {
        return await this.#setAsideLine(entry, entry.byte, 'line-too-long');
      }
      const readTo = entry.byte + this.#held;
      const difference = await this.#file.check(entry, readTo);
      if (difference !== undefined) {
        return { kind: 'lost', difference };
      }
      if (atEnd && this.#file.size > readTo) {
        // It grew just now: its last line may not have been whole.
        continue;
      }
      if (atEnd && parsed.bytes === 0 && this.#held > 0) {
        return { kind: 'restless' };
      }
      return await this.#step(entry, parsed, atEnd);
    }
  }

  /**
   * Whether the last line held is whole: it has its end, or the file rests without one. What was
   * added since it was seen to rest may be half of a line.
   */
  #endsWhole(byte: number): boolean {
    const { bytes } = this.#own.buffers;
    return this.#held === 0 || bytes[this.#held - 1] === LINE_FEED || byte + this.#held === this.#restedSize;
  }

  /** Fills the buffer; true when the file ends within it. */
  async #fill(byte: number): Promise<boolean> {
    const { bytes, input } = this.#own.buffers;
    while (this.#held < input) {
      const read = await this.#file.read(bytes, this.#held, input - this.#held, byte + this.#held);
      if (read === 0) {
        return true;
      }
      this.#held += read;
    }
    return false;
  }

  async #parse(entry: LedgerEntry, atEnd: boolean): Promise<{ rows: number; bytes: number; lines: number }> {
    const { bytes, columns } = this.#own.buffers;
    const kernel = this.#kernel(entry);
    const total = { rows: 0, bytes: 0, lines: 0 };
    while (total.rows < columns.capacity && total.bytes < this.#held) {
      const wanted = Math.min(SLICE_ROWS, columns.capacity - total.rows);
      const slice = kernel.parse(bytes, total.bytes, this.#held, atEnd, columns, total.rows, wanted);
      if (slice.bytes === 0) {
        break;
      }
      // The kernel numbers lines from the start of each call.
      for (let row = total.rows; row < total.rows + slice.rows; row++) {
        columns.lineIndex[row] = (columns.lineIndex[row] as number) + total.lines;
      }
      total.rows += slice.rows;
      total.bytes += slice.bytes;
      total.lines += slice.lines;
      await nextTurn();
    }
    return total;
  }

  #kernel(entry: LedgerEntry): RowKernel {
    const { settings } = this.#own;
    return createTypeScriptKernel({
      layout: this.#mappingOf(entry).layout,
      utcOffsetMinutes: settings.utcOffsetMinutes,
      maxLineBytes: settings.maxLineBytes,
      maxTime: this.#clock.now() + settings.maxFutureMs,
    });
  }

  #mappingOf(entry: LedgerEntry): { readonly layout: RowLayout; readonly writer: TopicLineWriter } {
    if (this.#mapping === undefined) {
      const mapping: SourceMapping | undefined =
        entry.header === undefined || entry.header.kind === 'unusable' ? undefined : entry.header;
      if (mapping === undefined) {
        throw new Error(`ledger: ${entry.path} is being read, but has no header mapping`);
      }
      this.#mapping = {
        layout: mapping.layout,
        writer: createTopicLineWriter(mapping, this.#own.settings.utcOffsetMinutes),
      };
    }
    return this.#mapping;
  }

  async #step(
    entry: LedgerEntry,
    parsed: { readonly rows: number; readonly bytes: number; readonly lines: number },
    atEnd: boolean,
  ): Promise<ReadStep> {
    const { buffers, packer, topics } = this.#own;
    const { bytes, columns } = buffers;
    const timestamp = this.#clock.now();
    const messages = await packer.pack({
      bytes,
      start: 0,
      end: parsed.bytes,
      spare: buffers.input,
      fileByte: entry.byte,
      firstLine: entry.line + 1,
      columns,
      rows: parsed.rows,
      fileId: entry.fileId,
      writer: this.#mappingOf(entry).writer,
      timestamp,
    });
    const rejects: OutgoingRecord[] = [];
    const rejectedByReason: RowsByReason = {};
    for (let row = 0; row < parsed.rows; row++) {
      const verdict = columns.verdict[row] as number;
      if (verdict === ACCEPTED) {
        continue;
      }
      const start = columns.lineStart[row] as number;
      const length = columns.lineLength[row] as number;
      const reason = reasonOf(verdict);
      rejectedByReason[reason] = (rejectedByReason[reason] ?? 0) + 1;
      rejects.push(
        this.#rejected(entry, reason, bytes.subarray(start, start + length), length, {
          line: entry.line + 1 + (columns.lineIndex[row] as number),
          byte: entry.byte + start,
          timestamp,
        }),
      );
      if (rejects.length % SLICE_REJECTS === 0) {
        await nextTurn();
      }
    }
    const whole = atEnd && parsed.bytes === this.#held;
    const byte = entry.byte + parsed.bytes;
    const progress = {
      byte,
      line: entry.line + parsed.lines,
      read: entry.read + parsed.rows,
      rejected: entry.rejected + rejects.length,
      unterminated: parsed.bytes === 0 ? entry.unterminated : bytes[parsed.bytes - 1] !== LINE_FEED,
      tail:
        parsed.bytes < FINGERPRINT_BYTES
          ? await this.#file.tailAt(byte)
          : fingerprint(bytes.subarray(parsed.bytes - FINGERPRINT_BYTES, parsed.bytes)),
      size: this.#file.size,
      mtimeMs: this.#file.mtimeMs,
    };
    bytes.copyWithin(0, parsed.bytes, this.#held);
    this.#held -= parsed.bytes;
    let logBytes = 0;
    let count = 0;
    for (const records of messages.values()) {
      count += records.length;
      for (const record of records) {
        logBytes += logBytesOf(record);
      }
    }
    const arrival = encodeArrival(this.#file.arrivedAt);
    return {
      kind: 'progress',
      entry: moveTo(entry, whole ? 'done' : 'reading', progress),
      fill: (transaction) => {
        for (const [partition, records] of messages) {
          transaction.append(topics.rows, partition, firstTells(records, topics.arrivedHeader, arrival));
        }
        if (rejects.length > 0) {
          transaction.append(topics.rejected, 0, rejects);
        }
      },
      logBytes,
      messages: count,
      rejectedByReason,
    };
  }

  #rejected(
    entry: LedgerEntry,
    reason: RejectReason,
    line: Uint8Array,
    lineBytes: number,
    at: { readonly line: number; readonly byte: number; readonly timestamp: number },
  ): OutgoingRecord {
    const { maxLineBytes } = this.#own.settings;
    return rejectedRecord(
      {
        id: `${entry.fileId}:${String(at.byte)}`,
        reason,
        message: explainRejection(line, this.#mappingOf(entry).layout, reason, { maxLineBytes, lineBytes }),
        stage: 'publisher',
        file: { id: entry.fileId, path: entry.path, line: at.line, byte: at.byte },
        row: keptRow(line, lineBytes),
      },
      at.timestamp,
    );
  }

  /**
   * What was appended to a file whose last line had no line end. That line is counted; what is
   * appended to it comes too late to be part of it, and is no row by itself.
   */
  async #continueCutLine(entry: LedgerEntry): Promise<ReadStep> {
    const next = await this.#file.bytesAt(entry.byte, 2);
    const ended = next[0] === LINE_FEED ? 1 : next[0] === CARRIAGE_RETURN && next[1] === LINE_FEED ? 2 : 0;
    if (ended === 0) {
      return next.length === 0
        ? await this.#readOn(entry)
        : await this.#setAsideLine(entry, entry.byte, 'cut-line');
    }
    const byte = entry.byte + ended;
    this.#held = 0;
    return await this.#readOn({ ...entry, unterminated: false, byte, tail: await this.#file.tailAt(byte) });
  }

  /** Sets a line aside that is not held in memory: finds its end, keeps its beginning. */
  async #setAsideLine(entry: LedgerEntry, from: number, reason: RejectReason): Promise<ReadStep> {
    const { bytes } = this.#own.buffers;
    let end = from;
    let terminated = false;
    for (;;) {
      const read = await this.#file.read(bytes, 0, bytes.length, end);
      const lineFeed = bytes.subarray(0, read).indexOf(LINE_FEED);
      if (lineFeed >= 0) {
        end += lineFeed + 1;
        terminated = true;
        break;
      }
      end += read;
      if (read === 0) {
        break;
      }
      await nextTurn();
    }
    this.#held = 0;
    const difference = await this.#file.check(entry, end);
    if (difference !== undefined) {
      return { kind: 'lost', difference };
    }
    const length = end - from - (terminated ? 1 : 0);
    const kept = await this.#file.bytesAt(from, Math.min(length, KEPT_BYTES));
    const { topics } = this.#own;
    const timestamp = this.#clock.now();
    const continued = reason === 'cut-line';
    const record = this.#rejected(entry, reason, kept, length, {
      line: continued ? entry.line : entry.line + 1,
      byte: from,
      timestamp,
    });
    const whole = end === this.#file.size;
    return {
      kind: 'progress',
      entry: moveTo(entry, whole ? 'done' : 'reading', {
        byte: end,
        line: continued ? entry.line : entry.line + 1,
        read: entry.read + 1,
        rejected: entry.rejected + 1,
        unterminated: !terminated,
        tail: await this.#file.tailAt(end),
        size: this.#file.size,
        mtimeMs: this.#file.mtimeMs,
      }),
      fill: (transaction) => {
        transaction.append(topics.rejected, 0, [record]);
      },
      logBytes: 0,
      messages: 0,
      rejectedByReason: { [reason]: 1 },
    };
  }
}
