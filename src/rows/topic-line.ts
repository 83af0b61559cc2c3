import { joinFields, splitFields } from './fields.ts';
import type { SourceMapping } from './header.ts';
import { TOPIC_COLUMNS, TOPIC_LAYOUT } from './kernel.ts';
import { formatTimepoint, hasZone, parseTimepoint } from './timepoint.ts';

const CR = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;
const QUOTE_TEXT = '"';
const DOUBLE_CR = '\r\r';
/** A line grows by its missing columns' commas, two quotes a field and a longer time, at most by 7 + 16 + 4. */
const GROWTH = 32;

/**
 * Turns accepted lines of one source file into the topic's form: the eight `TOPIC_COLUMNS` in order,
 * fields quoted only where needed, so that a reader which splits on commas can read them too. A kernel
 * with `TOPIC_LAYOUT` and UTC accepts the result and reads the same values.
 */
export interface TopicLineWriter {
  /** Whether every accepted line of `bytes[start, end)` can go to the topic as it is. */
  chunkPasses(bytes: Uint8Array, start: number, end: number): boolean;
  /** Whether the accepted line `bytes[start, start + length)` can go to the topic as it is. */
  linePasses(bytes: Uint8Array, start: number, length: number): boolean;
  /**
   * Writes the accepted line `bytes[start, start + length)`, without a line end, to `out` at `at`;
   * `out` must have `maxTopicLineBytes(length)` bytes there.
   * @returns index after the line
   * @throws RangeError when `out` has less room, Error when the line was not an accepted one
   */
  write(bytes: Uint8Array, start: number, length: number, out: Uint8Array, at: number): number;
}

/** Longest form on the topic of a source line of `length` bytes. */
export function maxTopicLineBytes(length: number): number {
  return length + GROWTH;
}

/** @param utcOffsetMinutes local time minus UTC of the file's times without a zone */
export function createTopicLineWriter(mapping: SourceMapping, utcOffsetMinutes: number): TopicLineWriter {
  return new MappedLineWriter(mapping, utcOffsetMinutes);
}

/** One accepted line in the topic's form; see `TopicLineWriter.write`. */
export function rewriteLine(line: Uint8Array, mapping: SourceMapping, utcOffsetMinutes: number): Uint8Array {
  const out = new Uint8Array(maxTopicLineBytes(line.length));
  const end = createTopicLineWriter(mapping, utcOffsetMinutes).write(line, 0, line.length, out, 0);
  return out.slice(0, end);
}

class MappedLineWriter implements TopicLineWriter {
  readonly #sources: readonly number[];
  readonly #utcOffsetMinutes: number;
  /** The file has the topic's columns in the topic's order, and its times are UTC. */
  readonly #sameForm: boolean;
  /** Start of each field of the current line; one more stands for the line's end. */
  readonly #starts: Int32Array;
  readonly #encoder = new TextEncoder();

  constructor(mapping: SourceMapping, utcOffsetMinutes: number) {
    this.#sources = mapping.sources;
    this.#utcOffsetMinutes = utcOffsetMinutes;
    this.#sameForm =
      utcOffsetMinutes === 0 &&
      mapping.layout.columns === TOPIC_LAYOUT.columns &&
      mapping.sources.every((source, position) => source === position);
    this.#starts = new Int32Array(mapping.layout.columns + 1);
  }

  chunkPasses(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.#sameForm) return false;
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    return !chunk.includes(QUOTE_TEXT) && !chunk.includes(DOUBLE_CR) && chunk[chunk.length - 1] !== CR;
  }

  linePasses(bytes: Uint8Array, start: number, length: number): boolean {
    return this.#sameForm && isUnquoted(bytes, start, start + length);
  }

  write(bytes: Uint8Array, start: number, length: number, out: Uint8Array, at: number): number {
    if (out.length - at < maxTopicLineBytes(length)) {
      throw new RangeError(
        `${String(out.length - at)} bytes are left for a line that may take ${String(maxTopicLineBytes(length))}`,
      );
    }
    const end = start + length;
    if (this.#utcOffsetMinutes !== 0 || !isUnquoted(bytes, start, end)) {
      return this.#writeFields(bytes, start, end, out, at);
    }
    this.#findFields(bytes, start, end);
    let p = at;
    for (let column = 0; column < TOPIC_COLUMNS.length; column++) {
      if (column > 0) out[p++] = COMMA;
      const source = this.#sources[column] as number;
      if (source < 0) continue;
      const from = this.#starts[source] as number;
      const to = (this.#starts[source + 1] as number) - 1;
      for (let i = from; i < to; i++) out[p++] = bytes[i] as number;
    }
    return p;
  }

  #findFields(bytes: Uint8Array, start: number, end: number): void {
    const starts = this.#starts;
    let column = 0;
    starts[0] = start;
    for (let p = start; p < end; p++) {
      if (bytes[p] === COMMA) starts[++column] = p + 1;
    }
    starts[++column] = end + 1;
    if (column !== starts.length - 1) throw notAccepted(`${String(column)} columns`);
  }

  #writeFields(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
    const split = splitFields(bytes.subarray(start, end));
    if (!split.ok) throw notAccepted(split.error);
    const fields = this.#sources.map((source, column) => {
      const field = split.fields[source] ?? '';
      return column === TOPIC_LAYOUT.timepoint ? this.#timeInUtc(field) : field;
    });
    return at + this.#encoder.encodeInto(joinFields(fields), out.subarray(at)).written;
  }

  #timeInUtc(timepoint: string): string {
    if (this.#utcOffsetMinutes === 0 || hasZone(timepoint)) return timepoint;
    const time = parseTimepoint(timepoint, this.#utcOffsetMinutes);
    if (Number.isNaN(time)) throw notAccepted(`timepoint ${timepoint}`);
    return formatTimepoint(time);
  }
}

function isUnquoted(bytes: Uint8Array, start: number, end: number): boolean {
  for (let p = start; p < end; p++) {
    const byte = bytes[p];
    if (byte === QUOTE || byte === CR) return false;
  }
  return true;
}

function notAccepted(what: string): Error {
  return new Error(`only accepted lines can be rewritten, but this one has ${what}`);
}
