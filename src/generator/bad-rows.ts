import { writeText } from './decimal.ts';
import type { RandomSource } from './random.ts';
import { HEADERS, type HeaderForm, MAX_ROW_BYTES, type WriteRows } from './rows.ts';

/** One byte more than a reader takes for a line by default. */
const TOO_LONG_BYTES = 64 * 1024 + 1;

type Fields = [
  timepoint: string,
  deviceId: string,
  acceloX: string,
  acceloY: string,
  acceloZ: string,
  longitude: string,
  latitude: string,
  locked: string,
];

type Break = (fields: Fields, header: HeaderForm) => readonly string[];

/** A way to break a row for each reason for which a reader of files sets rows aside, by its name. */
export const BREAKS: Readonly<Record<string, Break>> = {
  'line-too-long': ([time, id, ...rest]) => [time, id.padEnd(TOO_LONG_BYTES, 'x'), ...rest],
  'nul-byte': ([time, id, ...rest]) => [time, `${id}\0`, ...rest],
  'invalid-utf8': ([time, id, ...rest]) => [time, `${id}\xff`, ...rest],
  quote: ([time, id, ...rest]) => [time, `"${id}`, ...rest],
  'column-count': (fields) => fields.slice(0, -1),
  'header-line': (_, header) => HEADERS[header].trimEnd().split(','),
  'longitude-not-a-number': (fields) => fields.with(5, 'null'),
  'latitude-not-a-number': (fields) => fields.with(6, 'null'),
  'longitude-out-of-range': (fields) => fields.with(5, '181.5'),
  'latitude-out-of-range': (fields) => fields.with(6, '-90.5'),
  'time-invalid': (fields) => fields.with(0, fields[0].replace(/-\d\d-\d\d /, '-02-30 ')),
  future: (fields) => fields.with(0, fields[0].replace(/^\d+/, '2999')),
};

const KINDS = Object.values(BREAKS);

/** Bytes that so many rows take at most. */
export function bytesOfBadRows(rows: number): number {
  return rows * MAX_ROW_BYTES + Math.ceil(rows / KINDS.length) * TOO_LONG_BYTES;
}

/**
 * Rows as `write` makes them, a share in (0, 1] of them broken: one kind after the other, beginning with any.
 * What is written takes up to `bytesOfBadRows`.
 */
export function withBadRows(
  write: WriteRows,
  share: number,
  { bits, unit }: RandomSource,
  header: HeaderForm,
): WriteRows {
  let kind = bits() >>> 0;
  return (bytes, first, count) => {
    let at = 0;
    let from = first;
    const writeGood = (to: number): void => {
      if (to > from) {
        at += write(bytes.subarray(at), from, to - from);
      }
    };
    for (let index = first; index < first + count; index++) {
      if (unit() < share) {
        writeGood(index);
        from = index + 1;
        const end = at + write(bytes.subarray(at), index, 1);
        const fields = String.fromCharCode(...bytes.subarray(at, end - 1)).split(',') as Fields;
        const breakRow = KINDS[kind++ % KINDS.length] as Break;
        at = writeText(bytes, at, `${breakRow(fields, header).join(',')}\n`);
      }
    }
    writeGood(first + count);
    return at;
  };
}
