import { allocateColumns } from '../../src/rows/columns.ts';
import { type KernelOptions, type RowKernel, type RowLayout, TOPIC_LAYOUT } from '../../src/rows/kernel.ts';
import { ACCEPTED, type RejectReason, reasonOf } from '../../src/rows/reasons.ts';
import { createTypeScriptKernel } from '../../src/rows/typescript-kernel.ts';

/** A row as a test compares it: values only where it was accepted. */
export interface Row {
  readonly line: number;
  readonly text: string;
  readonly verdict: RejectReason | 'accepted';
  readonly longitude?: number;
  readonly latitude?: number;
  readonly time?: number;
}

export const OPTIONS: KernelOptions = {
  layout: TOPIC_LAYOUT,
  utcOffsetMinutes: 0,
  maxLineBytes: 1000,
  maxTime: Number.POSITIVE_INFINITY,
};

/** A layout with nothing but the interpreted columns, in another order than the topic's. */
export const SHORT_LAYOUT: RowLayout = { columns: 3, timepoint: 2, longitude: 1, latitude: 0 };

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

export interface Split {
  /** Bytes offered to a call, one after another, round and round; a line must fit. */
  readonly chunks: readonly number[];
  readonly maxRows: readonly number[];
  /** The offered bytes are all that the kernel is given, as a message is, and not amid others. */
  readonly alone?: boolean;
}

const WHOLE: Split = { chunks: [Number.POSITIVE_INFINITY], maxRows: [64] };

/**
 * All rows of `bytes` as the last bytes of a source, parsed in the given split. Unless they are
 * alone the buffer holds digits and commas around the offered bytes, which a kernel that looks too far would
 * take for data.
 */
export function parseRows(bytes: Uint8Array, options: KernelOptions = OPTIONS, split: Split = WHOLE): Row[] {
  const kernel: RowKernel = createTypeScriptKernel(options);
  const columns = allocateColumns(64);
  const rows: Row[] = [];
  let at = 0;
  let line = 0;
  let size = 0;
  for (let call = 0; at < bytes.length; call++) {
    size += split.chunks[call % split.chunks.length] as number;
    const end = Math.min(bytes.length, at + size);
    const before = split.alone === true ? '' : '9,9\n';
    const start = before.length;
    const after = split.alone === true ? '' : '7,7,7\n7';
    const given = bytesOf(`${before}${'0'.repeat(end - at)}${after}`);
    given.set(bytes.subarray(at, end), start);
    const firstRow = call % 3;
    const maxRows = Math.min(
      split.maxRows[call % split.maxRows.length] as number,
      columns.capacity - firstRow,
    );
    const last = end === bytes.length;
    const counts = kernel.parse(given, start, start + end - at, last, columns, firstRow, maxRows);
    for (let index = firstRow; index < firstRow + counts.rows; index++) {
      const lineStart = columns.lineStart[index] as number;
      const verdict = columns.verdict[index] as number;
      rows.push({
        line: line + (columns.lineIndex[index] as number),
        text: latin1(given.subarray(lineStart, lineStart + (columns.lineLength[index] as number))),
        ...(verdict === ACCEPTED
          ? {
              verdict: 'accepted',
              longitude: columns.longitude[index] as number,
              latitude: columns.latitude[index] as number,
              time: columns.time[index] as number,
            }
          : { verdict: reasonOf(verdict) }),
      });
    }
    at += counts.bytes;
    line += counts.lines;
    if (counts.bytes > 0) size = 0;
  }
  return rows;
}

/** The only row of one line. */
export function parseRow(line: string, options: Partial<KernelOptions> = {}): Row {
  const rows = parseRows(bytesOf(line), { ...OPTIONS, ...options });
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`${String(rows.length)} rows`);
  return row;
}

export interface RowFields {
  readonly time?: string;
  readonly device?: string;
  readonly longitude?: string;
  readonly latitude?: string;
  readonly locked?: string;
}

/** A line of the topic's form. */
export function rowLine(fields: RowFields = {}): string {
  const { time = '2026-11-22 10:00:00.000', device = '5bc8fbbc-bde5-4099-8164-d8399f767c45' } = fields;
  const { longitude = '152.03699879955013', latitude = '-84.77905890895934', locked = '1' } = fields;
  return `${time},${device},7.542322786788359,9.309403405324604,6.878782896879169,${longitude},${latitude},${locked}`;
}
