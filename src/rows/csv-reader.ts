import { allocateColumns, type RowColumns } from './columns.ts';
import { explainRejection } from './explain.ts';
import { findFirstLine } from './first-line.ts';
import { type ColumnOverride, type HeaderDecision, readHeader } from './header.ts';
import type { RowKernel } from './kernel.ts';
import { reasonOf, verdictOf } from './reasons.ts';
import { createTypeScriptKernel } from './typescript-kernel.ts';

export interface CsvOptions {
  /** Where the columns stand, by name or 0-based position, where the header does not say it. */
  readonly columns?: ColumnOverride;
  /** Minutes to add to UTC for a timepoint without a zone. Default 0. */
  readonly utcOffsetMinutes?: number;
  /** Longest accepted line in bytes, without its line end. Default 65,536. */
  readonly maxLineBytes?: number;
  /** Later event times are rejected, ms since the epoch. Default Infinity: none are. */
  readonly maxTime?: number;
}

/** Some rows one after another, good and bad ones. Valid until the next batch is asked for. */
export interface CsvBatch {
  readonly rows: number;
  /** Rows are at `[0, rows)`. A bad one has a verdict that is not 0. */
  readonly columns: RowColumns;
  /** What `lineStart` and `lineLength` point into. */
  readonly bytes: Uint8Array;
  /** Number of the line, from 1, at which `lineIndex` is 0. */
  readonly firstLine: number;
  /** Full length in bytes of a line of which `bytes` has only the beginning: it is the only row then. */
  readonly lineBytes?: number;
}

/** A text that has no rows to be read: its first line is neither a row nor a header with the needed columns. */
export class CsvFormatError extends Error {
  override readonly name = 'CsvFormatError';
}

/** Read at a time, beside the longest line. */
const BUFFER_BYTES = 256 * 1024;
const BATCH_ROWS = 8_192;
/** What is kept of a line that is longer than the buffer. */
const HEAD_BYTES = 1_024;
const MAX_LINE_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;
const LINE_TOO_LONG = verdictOf('line-too-long');

/**
 * Reads CSV in any of the input's forms, given piece by piece as it comes, in constant memory: with a header,
 * with the replaced generator's, or without one in the columns of the topic (`readHeader`).
 */
export class CsvReader {
  readonly #options: Required<CsvOptions>;
  readonly #bytes: Uint8Array;
  readonly #columns = allocateColumns(BATCH_ROWS);
  /** Bytes in the buffer that are not parsed. */
  #held = 0;
  /** Number of the line at which they begin. */
  #line = 1;
  #reading: { readonly kernel: RowKernel; readonly mapping: CsvMapping } | undefined;
  /** Bytes seen of a line that is longer than the buffer, of which the first HEAD_BYTES are held. */
  #cut: number | undefined;

  constructor({ columns = {}, maxLineBytes = MAX_LINE_BYTES, maxTime = Infinity, ...rest }: CsvOptions = {}) {
    this.#options = { columns, maxLineBytes, maxTime, utcOffsetMinutes: rest.utcOffsetMinutes ?? 0 };
    this.#bytes = new Uint8Array(maxLineBytes + BUFFER_BYTES);
  }

  /** How the first line says that the rows are to be read; undefined before it has come. */
  get mapping(): CsvMapping | undefined {
    return this.#reading?.mapping;
  }

  /**
   * The rows of the lines that end in the next bytes.
   * @throws CsvFormatError
   */
  *read(next: Uint8Array): Generator<CsvBatch, void> {
    for (let at = 0; at < next.length; ) {
      const piece = next.subarray(at, at + this.#bytes.length - this.#held);
      this.#bytes.set(piece, this.#held);
      this.#held += piece.length;
      at += piece.length;
      yield* this.#parse(false);
    }
  }

  /**
   * The row of the last line, where it has no line end.
   * @throws CsvFormatError
   */
  *end(): Generator<CsvBatch, void> {
    yield* this.#parse(true);
  }

  /** Number of a row's line, from 1; blank lines and the header count. */
  lineOf({ columns, firstLine }: CsvBatch, row: number): number {
    return firstLine + (columns.lineIndex[row] as number);
  }

  /** Why a row is bad, for people. */
  explain({ bytes, columns, lineBytes }: CsvBatch, row: number): string {
    const start = columns.lineStart[row] as number;
    const length = columns.lineLength[row] as number;
    const { layout } = this.#reading?.mapping as CsvMapping;
    return explainRejection(
      bytes.subarray(start, start + length),
      layout,
      reasonOf(columns.verdict[row] as number),
      { maxLineBytes: this.#options.maxLineBytes, lineBytes: lineBytes ?? length },
    );
  }

  *#parse(last: boolean): Generator<CsvBatch, void> {
    let at = 0;
    if (this.#reading === undefined) {
      at = this.#begin(last);
    } else if (this.#cut !== undefined) {
      const end = this.#endOfCut(last);
      if (end === undefined) {
        return;
      }
      yield this.#cutRow(this.#cut);
      this.#cut = undefined;
      this.#line++;
      at = end;
    }
    const kernel = this.#reading?.kernel;
    if (kernel === undefined) {
      return;
    }
    const columns = this.#columns;
    for (;;) {
      const { bytes, lines, rows } = kernel.parse(
        this.#bytes,
        at,
        this.#held,
        last,
        columns,
        0,
        columns.capacity,
      );
      if (bytes === 0) {
        break;
      }
      at += bytes;
      if (rows > 0) {
        yield { rows, columns, bytes: this.#bytes, firstLine: this.#line };
      }
      this.#line += lines;
    }
    this.#bytes.copyWithin(0, at, this.#held);
    this.#held -= at;
    if (this.#held === this.#bytes.length) {
      this.#cut = this.#held;
      this.#held = HEAD_BYTES;
    }
  }

  /** Decides by the first line, once it is there, how rows are read; returns the byte at which they begin. */
  #begin(complete: boolean): number {
    const first = findFirstLine(this.#bytes.subarray(0, this.#held), complete);
    if (first === undefined) {
      if (this.#held === this.#bytes.length) {
        throw new CsvFormatError(`there is no line within the first ${String(this.#held)} bytes`);
      }
      return 0;
    }
    if (first.text === undefined) {
      return first.endByte;
    }
    const { columns, ...limits } = this.#options;
    const mapping = readHeader(first.text, columns);
    if (mapping.kind === 'unusable') {
      throw new CsvFormatError(mapping.message);
    }
    this.#reading = { mapping, kernel: createTypeScriptKernel({ layout: mapping.layout, ...limits }) };
    const isRow = mapping.kind === 'headerless';
    this.#line = isRow ? first.startLine : first.endLine;
    return isRow ? first.startByte : first.endByte;
  }

  /** Looks for the end of the line that is cut: the byte behind it, undefined when it is not there yet. */
  #endOfCut(last: boolean): number | undefined {
    const lineFeed = this.#bytes.subarray(0, this.#held).indexOf(LINE_FEED, HEAD_BYTES);
    const found = lineFeed >= 0;
    this.#cut = (this.#cut as number) + (found ? lineFeed : this.#held) - HEAD_BYTES;
    if (found) {
      return lineFeed + 1;
    }
    if (last) {
      return this.#held;
    }
    this.#held = HEAD_BYTES;
    return undefined;
  }

  #cutRow(lineBytes: number): CsvBatch {
    const columns = this.#columns;
    columns.verdict[0] = LINE_TOO_LONG;
    columns.lineStart[0] = 0;
    columns.lineLength[0] = HEAD_BYTES;
    columns.lineIndex[0] = 0;
    return { rows: 1, columns, bytes: this.#bytes, firstLine: this.#line, lineBytes };
  }
}

/** How a text is read whose first line is a row, or a header with the needed columns. */
export type CsvMapping = Exclude<HeaderDecision, { readonly kind: 'unusable' }>;
