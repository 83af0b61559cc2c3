import type { OutgoingRecord } from '../../broker/broker.ts';
import { partitionOf } from '../../broker/partitioner.ts';
import { regionCount, regionOf, regionToken } from '../../geo/s2.ts';
import { fillUnitVectors } from '../../geo/sphere.ts';
import type { RowColumns } from '../../rows/columns.ts';
import { createOriginEncoder } from '../../rows/origin.ts';
import { ACCEPTED } from '../../rows/reasons.ts';
import { maxTopicLineBytes, type TopicLineWriter } from '../../rows/topic-line.ts';
import { nextTurn } from '../../system/event-loop.ts';

/** A message holds at most so many bytes of lines: far below what brokers accept by default. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

/** How many lines a message holds, and why, for the log. */
export interface Packing {
  readonly linesPerMessage: number;
  readonly reason: string;
}

/**
 * @param wanted the setting `publisher.linesPerMessage`
 * @param ours Geoflock made the rows topic: nobody reads it who knows of one line a message only
 */
export function packing(wanted: number | 'auto', ours: boolean): Packing {
  if (wanted !== 'auto') {
    const lines = wanted === 1 ? 'one line' : `up to ${String(wanted)} lines`;
    return { linesPerMessage: wanted, reason: `messages of ${lines}, as publisher.linesPerMessage says` };
  }
  const most = `messages of up to ${String(MAX_MESSAGE_BYTES / 1024)} KiB`;
  return ours
    ? { linesPerMessage: Number.POSITIVE_INFINITY, reason: `${most}: Geoflock made the topic` }
    : {
        linesPerMessage: 1,
        reason:
          'messages of one line: the topic was there before, and others may read it line by line; ' +
          `publisher.linesPerMessage: 100000 makes ${most}, which take much less CPU time`,
      };
}

const LINE_FEED = 0x0a;
/** Rows packed between two turns of the event loop. */
const SLICE_ROWS = 8_192;

/** Where a region's rows go. */
interface Destination {
  readonly token: string;
  readonly partition: number;
}

/** Parsed rows of one stretch of a file, on their way to the topic. */
export interface ParsedRows {
  /**
   * The parsed bytes stand at `[start, end)`; from `spare` on there are as many bytes again for the
   * packed lines. One buffer, because moving bytes inside one is several times faster than between two.
   */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly spare: number;
  /** Offset in the file of the byte at `start`. */
  readonly fileByte: number;
  /** Number in the file of the first parsed line, 1-based. */
  readonly firstLine: number;
  readonly columns: RowColumns;
  readonly rows: number;
  readonly fileId: string;
  readonly writer: TopicLineWriter;
  readonly timestamp: number;
}

/**
 * Packs accepted rows into messages: one region's lines together, in the order of the file, under
 * the region's token as the key, as many as `packing` says. Downstream nothing depends on where a
 * message ends.
 *
 * Reuses its buffers: the messages of one call are valid until the next.
 */
export class RowPacker {
  readonly packing: Packing;
  readonly #originHeader: string;
  readonly #level: number;
  readonly #partitions: number;
  readonly #destinations: (Destination | undefined)[] = [];
  readonly #counts: Uint32Array;
  readonly #capacity: number;
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  readonly #z: Float64Array;
  readonly #region: Uint32Array;
  /** Rows in the order of their regions. */
  readonly #order: Uint32Array;
  readonly #origin = createOriginEncoder();
  /** End of the message packed last. */
  #packedTo = 0;
  /** For lines that need rewriting. */
  #arena = Buffer.alloc(0);

  /** @param capacity rows of one call at most */
  constructor(options: {
    readonly level: number;
    readonly partitions: number;
    readonly capacity: number;
    readonly packing: Packing;
    readonly originHeader: string;
  }) {
    const { level, partitions, capacity } = options;
    this.packing = options.packing;
    this.#originHeader = options.originHeader;
    this.#level = level;
    this.#partitions = partitions;
    this.#capacity = capacity;
    this.#counts = new Uint32Array(regionCount(level) + 1);
    this.#x = new Float64Array(capacity);
    this.#y = new Float64Array(capacity);
    this.#z = new Float64Array(capacity);
    this.#region = new Uint32Array(capacity);
    this.#order = new Uint32Array(capacity);
  }

  /**
   * Messages by partition. Works in slices, with a turn of the event loop between them.
   * @throws RangeError when there are more rows than the packer's capacity.
   */
  async pack(parsed: ParsedRows): Promise<ReadonlyMap<number, readonly OutgoingRecord[]>> {
    if (parsed.rows > this.#capacity) {
      throw new RangeError(`${String(parsed.rows)} rows, capacity ${String(this.#capacity)}`);
    }
    const accepted = this.#orderByRegion(parsed.columns, parsed.rows);
    await nextTurn();
    const passes = parsed.writer.chunkPasses(parsed.bytes, parsed.start, parsed.end);
    const out = passes ? parsed.bytes : this.#arenaFor(parsed, accepted);
    const messages = new Map<number, OutgoingRecord[]>();
    let begin = passes ? parsed.spare : 0;
    let pauseAt = SLICE_ROWS;
    for (let index = 0; index < accepted; ) {
      if (index >= pauseAt) {
        await nextTurn();
        pauseAt = index + SLICE_ROWS;
      }
      const region = this.#region[this.#order[index] as number] as number;
      const { partition, token } = this.#destination(region);
      this.#origin.start(parsed.fileId);
      index = this.#packMessage(parsed, index, accepted, out, begin, passes);
      const record: OutgoingRecord = {
        key: token,
        value: out.subarray(begin, this.#packedTo),
        timestamp: parsed.timestamp,
        headers: { [this.#originHeader]: this.#origin.finish() },
      };
      begin = this.#packedTo;
      const list = messages.get(partition);
      if (list === undefined) {
        messages.set(partition, [record]);
      } else {
        list.push(record);
      }
    }
    return messages;
  }

  /**
   * Packs the rows from `order[first]` on that belong to its region and fit into one message, at
   * `begin` of `out`. Returns the index of the first row that is not packed; the message's end is left
   * in `#packedTo`. Apart from `pack` because the hot loop must not live in an async function.
   */
  #packMessage(
    parsed: ParsedRows,
    first: number,
    accepted: number,
    out: Buffer,
    begin: number,
    passes: boolean,
  ): number {
    const order = this.#order;
    const regions = this.#region;
    const origin = this.#origin;
    const { lineIndex, lineLength, lineStart } = parsed.columns;
    const { firstLine } = parsed;
    const fileByte = parsed.fileByte - parsed.start;
    const region = regions[order[first] as number];
    const last = Math.min(accepted, first + this.packing.linesPerMessage);
    let at = begin;
    let index = first;
    for (; index < last; index++) {
      const row = order[index] as number;
      const start = lineStart[row] as number;
      const length = lineLength[row] as number;
      if (regions[row] !== region || (at > begin && at - begin + length >= MAX_MESSAGE_BYTES)) {
        break;
      }
      if (at > begin) {
        out[at++] = LINE_FEED;
      }
      if (passes) {
        out.copyWithin(at, start, start + length);
        at += length;
      } else {
        at = writeLine(parsed, row, out, at);
      }
      origin.append(firstLine + (lineIndex[row] as number), fileByte + start);
    }
    this.#packedTo = at;
    return index;
  }

  /** Stable counting sort of the accepted rows by region; returns how many there are. */
  #orderByRegion(columns: RowColumns, rows: number): number {
    const counts = this.#counts.fill(0);
    const [x, y, z, regions, order, level] = [
      this.#x,
      this.#y,
      this.#z,
      this.#region,
      this.#order,
      this.#level,
    ];
    const { latitude, longitude, verdict } = columns;
    fillUnitVectors(longitude, latitude, x, y, z, 0, rows);
    for (let row = 0; row < rows; row++) {
      if (verdict[row] === ACCEPTED) {
        const region = regionOf(x[row] as number, y[row] as number, z[row] as number, level);
        regions[row] = region;
        counts[region + 1] = (counts[region + 1] as number) + 1;
      }
    }
    for (let region = 1; region < counts.length; region++) {
      counts[region] = (counts[region] as number) + (counts[region - 1] as number);
    }
    for (let row = 0; row < rows; row++) {
      if (verdict[row] === ACCEPTED) {
        const region = regions[row] as number;
        const at = counts[region] as number;
        counts[region] = at + 1;
        order[at] = row;
      }
    }
    return counts[counts.length - 2] as number;
  }

  /** Room for all lines of this call in their longest form. */
  #arenaFor(parsed: ParsedRows, accepted: number): Buffer {
    let needed = 0;
    for (let index = 0; index < accepted; index++) {
      const row = this.#order[index] as number;
      needed += maxTopicLineBytes(parsed.columns.lineLength[row] as number) + 1;
    }
    if (needed > this.#arena.length) {
      this.#arena = Buffer.allocUnsafeSlow(needed);
    }
    return this.#arena;
  }

  #destination(region: number): Destination {
    const known = this.#destinations[region];
    if (known !== undefined) {
      return known;
    }
    const token = regionToken(region, this.#level);
    const found = { token, partition: partitionOf(token, this.#partitions) };
    this.#destinations[region] = found;
    return found;
  }
}

/** Writes a line in the topic's form; returns the index after it. */
function writeLine({ bytes, columns, writer }: ParsedRows, row: number, out: Buffer, at: number): number {
  const start = columns.lineStart[row] as number;
  const length = columns.lineLength[row] as number;
  if (writer.linePasses(bytes, start, length)) {
    return at + bytes.copy(out, at, start, start + length);
  }
  return writer.write(bytes, start, length, out, at);
}
