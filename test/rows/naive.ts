import { parse } from 'csv-parse/sync';

import type { KernelOptions } from '../../src/rows/kernel.ts';
import type { Row } from './support.ts';
import { latin1 } from './support.ts';

/**
 * The kernel's rules written down a second time, plainly: strings, regular expressions, `Number`,
 * `Date.UTC` and csv-parse.
 */
export function naiveRows(bytes: Uint8Array, options: KernelOptions): Row[] {
  const lines = latin1(bytes).split('\n');
  if (lines.at(-1) === '') lines.pop();
  const rows: Row[] = [];
  lines.forEach((ended, line) => {
    const text = ended.endsWith('\r') ? ended.slice(0, -1) : ended;
    if (!/^[ \t\r]*$/.test(text)) rows.push({ line, text, ...naiveVerdict(text, options) });
  });
  return rows;
}

/** The fields by csv-parse, undefined where it refuses; `line` is one byte a character. */
export function csvFields(line: string): string[] | undefined {
  if (line === '') return [''];
  try {
    const records: string[][] = parse(Buffer.from(line, 'latin1'), {
      encoding: 'latin1',
      record_delimiter: '\n',
      relax_column_count: true,
    });
    return records[0];
  } catch {
    return undefined;
  }
}

type NaiveVerdict = Pick<Row, 'verdict' | 'longitude' | 'latitude' | 'time'>;

function naiveVerdict(
  line: string,
  { layout, maxLineBytes, maxTime, utcOffsetMinutes }: KernelOptions,
): NaiveVerdict {
  if (line.length > maxLineBytes) return { verdict: 'line-too-long' };
  if (line.includes('\0')) return { verdict: 'nul-byte' };
  if (!isUtf8(line)) return { verdict: 'invalid-utf8' };
  const fields = csvFields(line);
  if (fields === undefined) return { verdict: 'quote' };
  if (fields.length !== layout.columns) return { verdict: 'column-count' };
  const field = (column: number): string => (fields[column] ?? '').replace(/^[ \t]+|[ \t]+$/g, '');
  const names = [field(layout.longitude).toLowerCase(), field(layout.latitude).toLowerCase()];
  if (names.toSorted().join() === 'latitude,longitude') return { verdict: 'header-line' };
  const longitude = naiveNumber(field(layout.longitude));
  const latitude = naiveNumber(field(layout.latitude));
  if (longitude === undefined) return { verdict: 'longitude-not-a-number' };
  if (latitude === undefined) return { verdict: 'latitude-not-a-number' };
  if (Math.abs(longitude) > 180) return { verdict: 'longitude-out-of-range' };
  if (Math.abs(latitude) > 90) return { verdict: 'latitude-out-of-range' };
  const time = naiveTime(field(layout.timepoint), utcOffsetMinutes);
  if (time === undefined) return { verdict: 'time-invalid' };
  if (time > maxTime) return { verdict: 'future' };
  return { verdict: 'accepted', longitude, latitude, time };
}

export function naiveNumber(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:(Z)|([+-])([01]\d|2[0-3]):?([0-5]\d))?$/;

export function naiveTime(text: string, utcOffsetMinutes: number): number | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [fraction = '', utc, sign, zoneHours, zoneMinutes] = match.slice(7);
  if (year < 1970 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  let offset = utcOffsetMinutes;
  if (utc !== undefined) offset = 0;
  else if (sign !== undefined) offset = Number(`${sign}1`) * (Number(zoneHours) * 60 + Number(zoneMinutes));
  const milliseconds = Number(fraction.slice(0, 3).padEnd(3, '0'));
  const time = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds) - offset * 60_000;
  return time < 0 || time >= Date.UTC(10000, 0) ? undefined : time;
}

function isUtf8(line: string): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(line, 'latin1'));
    return true;
  } catch {
    return false;
  }
}
