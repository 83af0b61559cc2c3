import { parseDecimal } from './decimal.ts';
import { QUOTE_ERRORS, type SplitLine, splitFields } from './fields.ts';
import type { RowLayout } from './kernel.ts';
import type { RejectReason } from './reasons.ts';

/** The limits a row was judged by, where the caller knows them. */
export interface RowLimits {
  /** Longest accepted line in bytes. */
  readonly maxLineBytes?: number;
  /** Full length of the line in bytes, where `line` is only its beginning. */
  readonly lineBytes?: number;
}

const LONGEST_VALUE_TOLD = 60;
/** Enough for any line that is worth explaining field by field. */
const LONGEST_LINE_READ = 64 * 1024;

/**
 * Why a row was set aside, for people: the value and, where there is one, the remedy. Computed on
 * demand, so nothing is kept for it in the hot path. Never throws, whatever the bytes are.
 */
export function explainRejection(
  line: Uint8Array,
  layout: RowLayout,
  reason: RejectReason,
  limits: RowLimits = {},
): string {
  const split = splitFields(line.subarray(0, LONGEST_LINE_READ));
  const longitude = told(split, layout.longitude);
  const latitude = told(split, layout.latitude);
  const timepoint = told(split, layout.timepoint);
  switch (reason) {
    case 'line-too-long': {
      const { lineBytes = line.length, maxLineBytes } = limits;
      const limit =
        maxLineBytes === undefined ? 'the longest accepted line' : `${String(maxLineBytes)} bytes`;
      return `line of ${String(lineBytes)} bytes is longer than ${limit}`;
    }
    case 'nul-byte':
      return `NUL byte at byte ${String(line.indexOf(0))} of the line`;
    case 'invalid-utf8':
      return 'the line is not valid UTF-8';
    case 'quote':
      return split.ok ? 'the quotes are wrong' : QUOTE_ERRORS[split.error];
    case 'column-count':
      return split.ok
        ? `column count ${String(split.fields.length)}, expected ${String(layout.columns)}`
        : `column count is not ${String(layout.columns)}`;
    case 'header-line':
      return 'a header line stands between the rows';
    case 'longitude-not-a-number':
      return notANumber('longitude', longitude);
    case 'latitude-not-a-number':
      return notANumber('latitude', latitude);
    case 'longitude-out-of-range':
      return `longitude ${longitude} is out of range [-180, 180]; is source.columns right?`;
    case 'latitude-out-of-range':
      return `latitude ${latitude} is out of range [-90, 90]; is source.columns right?`;
    case 'time-invalid':
      return `timepoint ${timepoint} is not a valid time of the form YYYY-MM-DD HH:MM:SS[.mmm]`;
    case 'future':
      return `timepoint ${timepoint} is too far ahead of the row's arrival`;
    case 'late':
      return `timepoint ${timepoint} is older than the newest row of its region by more than regions.lateness`;
    case 'empty-message':
      return 'the message holds no row';
    case 'cut-line':
      return 'it was appended to a line without a line end, which was counted before as it stood';
    case 'poison':
      return 'the row made its region fail again and again';
    case 'discarded':
      return 'an operator emptied the connection in which it waited';
  }
}

function told(split: SplitLine, column: number): string {
  const field = split.ok ? split.fields[column]?.trim() : undefined;
  if (field === undefined) return '(unknown)';
  if (field === '') return '(empty)';
  // A number is told as the kernel read it; anything else so that control characters show.
  const value = Number.isNaN(parseDecimal(field)) ? JSON.stringify(field) : field;
  return value.length > LONGEST_VALUE_TOLD ? `${value.slice(0, LONGEST_VALUE_TOLD)}...` : value;
}

function notANumber(axis: 'longitude' | 'latitude', value: string): string {
  return `${axis} ${value} is not a number; is source.columns right?`;
}
