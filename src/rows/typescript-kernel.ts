import type { RowColumns, RowCounts } from './columns.ts';
import { readPlainDecimal } from './decimal.ts';
import type { CreateKernel, KernelOptions, RowKernel } from './kernel.ts';
import { isBlankLine, judgePosition, judgeTime, LineJudge } from './line-judge.ts';
import { ACCEPTED } from './reasons.ts';
import { createMinuteMemory, type MinuteMemory, readPlainTimepoint, readTimepoint } from './timepoint.ts';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;

/** Added to a byte from 0x2d to 0x7f it sets the byte's top bit, added to a smaller one it does not. */
const FROM_MINUS = 0x53535353;
const TOP_BITS = 0x80808080 | 0;

/** Not a plain line: judge it with care. */
const CAREFUL = -1;

/**
 * A message that is one line mostly comes without its LF. Up to this length it is copied to where there is
 * one, for which the copy is a small price: the single pass needs it, and the views of the copy are there.
 */
const COPIED_BYTES = 4096;

/**
 * The reference kernel, in plain TypeScript.
 *
 * A line of the common form is read in a single pass, mostly four bytes at a time, without an
 * allocation. As soon as something unusual shows up (a quote, an exponent, a byte outside ASCII, a
 * wrong column count, ...) the line is started over by `LineJudge`, so that every rule stands in one
 * place.
 */
class TypeScriptKernel implements RowKernel {
  readonly #columnCount: number;
  readonly #timepoint: number;
  readonly #longitude: number;
  readonly #latitude: number;
  readonly #utcOffsetMinutes: number;
  readonly #maxLineBytes: number;
  readonly #maxTime: number;
  readonly #judge: LineJudge;
  readonly #memory: MinuteMemory;
  readonly #copy = new Uint8Array(COPIED_BYTES + 1);
  readonly #copyView = new DataView(this.#copy.buffer);
  #given: Uint8Array | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);

  constructor(options: KernelOptions) {
    const { layout } = options;
    this.#columnCount = layout.columns;
    this.#timepoint = layout.timepoint;
    this.#longitude = layout.longitude;
    this.#latitude = layout.latitude;
    this.#utcOffsetMinutes = options.utcOffsetMinutes;
    this.#maxLineBytes = options.maxLineBytes;
    this.#maxTime = options.maxTime;
    this.#judge = new LineJudge(options);
    this.#memory = createMinuteMemory(options.utcOffsetMinutes);
  }

  parse(
    given: Uint8Array,
    start: number,
    end: number,
    last: boolean,
    columns: RowColumns,
    firstRow: number,
    maxRows: number,
  ): RowCounts {
    if (!(start >= 0 && start <= end && end <= given.length)) {
      throw new RangeError(`bytes [${String(start)}, ${String(end)}) are not within ${String(given.length)}`);
    }
    const rowEnd = firstRow + maxRows;
    if (!(firstRow >= 0 && maxRows >= 0 && rowEnd <= columns.capacity)) {
      throw new RangeError(
        `rows [${String(firstRow)}, ${String(rowEnd)}) are not within the capacity ${String(columns.capacity)}`,
      );
    }
    // Every line of [start, stop) has its LF there: the loops over its bytes need no other bound.
    let stop = end;
    if (last && start === 0 && end === given.length && end <= COPIED_BYTES) {
      stop = this.#takeCopy(given);
    } else {
      this.#take(given);
      while (stop > start && this.#bytes[stop - 1] !== LF) stop--;
    }
    const bytes = this.#bytes;
    const { lineStart, lineLength, lineIndex, verdict } = columns;

    let at = start;
    let row = firstRow;
    let line = 0;
    while (at < stop && row < rowEnd) {
      let lineEnd = this.#readPlainLine(at, columns, row);
      let next: number;
      if (lineEnd >= 0) {
        next = bytes[lineEnd] === LF ? lineEnd + 1 : lineEnd + 2;
      } else {
        const lineFeed = bytes.indexOf(LF, at);
        next = lineFeed + 1;
        lineEnd = lineFeed > at && bytes[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
        if (isBlankLine(bytes, at, lineEnd)) {
          at = next;
          line++;
          continue;
        }
        verdict[row] = this.#judge.judge(bytes, this.#view, at, lineEnd, columns, row);
      }
      lineStart[row] = at;
      lineLength[row] = lineEnd - at;
      lineIndex[row] = line;
      at = next;
      line++;
      row++;
    }

    if (last && at === stop && stop < end && row < rowEnd) {
      const lineEnd = bytes[end - 1] === CR ? end - 1 : end;
      if (!isBlankLine(bytes, at, lineEnd)) {
        verdict[row] = this.#judge.judge(bytes, this.#view, at, lineEnd, columns, row);
        lineStart[row] = at;
        lineLength[row] = lineEnd - at;
        lineIndex[row] = line;
        row++;
      }
      at = end;
      line++;
    }
    return { rows: row - firstRow, bytes: Math.min(at, end) - start, lines: line };
  }

  /**
   * Reads the line at `at`, whose LF must exist, when it has the common form.
   * @returns index of its line end, with the verdict and values of `row` written, or `CAREFUL`
   */
  #readPlainLine(at: number, columns: RowColumns, row: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    const timepoint = this.#timepoint;
    const longitude = this.#longitude;
    const latitude = this.#latitude;
    let p = at;
    let column = 0;
    for (;;) {
      if (column === longitude) {
        p = readPlainDecimal(bytes, view, p, columns.longitude, row);
      } else if (column === latitude) {
        p = readPlainDecimal(bytes, view, p, columns.latitude, row);
      } else if (column === timepoint) {
        p = this.#readTime(p, columns.time, row);
      } else {
        p = skipPlainField(bytes, view, p);
      }
      if (p < 0) return CAREFUL;
      const byte = bytes[p] as number;
      if (byte === COMMA) {
        p++;
        column++;
      } else if (byte === LF || (byte === CR && bytes[p + 1] === LF)) {
        break;
      } else {
        return CAREFUL;
      }
    }
    if (column + 1 !== this.#columnCount || p - at > this.#maxLineBytes) return CAREFUL;
    const position = judgePosition(columns.longitude[row] as number, columns.latitude[row] as number);
    columns.verdict[row] =
      position === ACCEPTED ? judgeTime(columns.time[row] as number, this.#maxTime) : position;
    return p;
  }

  #readTime(at: number, out: Float64Array, row: number): number {
    const bytes = this.#bytes;
    const plainEnd = readPlainTimepoint(bytes, this.#view, at, this.#memory, out, row);
    if (plainEnd >= 0 && isFieldEnd(bytes[plainEnd] as number)) return plainEnd;
    const end = skipPlainField(bytes, this.#view, at);
    return readTimepoint(bytes, at, end, this.#utcOffsetMinutes, out, row) ? end : CAREFUL;
  }

  /** A plain Uint8Array, never a Buffer, so that the hot loops see one type; and a view for words. */
  #take(given: Uint8Array): void {
    if (given === this.#given) return;
    this.#given = given;
    this.#bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
    this.#view = new DataView(given.buffer, given.byteOffset, given.byteLength);
  }

  /** Takes a copy whose last line, if there is any, ends in an LF; returns where it ends. */
  #takeCopy(given: Uint8Array): number {
    const { length } = given;
    this.#given = undefined;
    this.#bytes = this.#copy;
    this.#view = this.#copyView;
    this.#copy.set(given);
    if (length === 0 || given[length - 1] === LF) return length;
    this.#copy[length] = LF;
    return length + 1;
  }
}

/** The TypeScript form of the kernel: reference and fallback. */
export const createTypeScriptKernel: CreateKernel = (options) => new TypeScriptKernel(options);

/** Index of the first byte at or after `at` that is a comma, LF, CR, a quote, or not plain text. */
function skipPlainField(bytes: Uint8Array, view: DataView, at: number): number {
  const lastWord = view.byteLength - 4;
  let p = at;
  for (;;) {
    while (p <= lastWord) {
      const word = view.getInt32(p, true);
      const odd = ~((word + FROM_MINUS) & ~word) & TOP_BITS;
      if (odd !== 0) {
        p += (31 - Math.clz32(odd & -odd)) >>> 3;
        break;
      }
      p += 4;
    }
    const byte = bytes[p] as number;
    if (byte === COMMA || byte === LF) return p;
    const plain = byte === TAB || (byte >= SPACE && byte < 0x80 && byte !== QUOTE);
    if (!plain) return p;
    p++;
  }
}

function isFieldEnd(byte: number): boolean {
  return byte === COMMA || byte === LF || byte === CR;
}
