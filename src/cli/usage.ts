import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../config/units.ts';
import { parseDecimal } from '../rows/decimal.ts';
import { parseTimepoint } from '../rows/timepoint.ts';

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
/** Wrong flags or configuration, or no input folder. */
export const EXIT_USAGE = 2;

/** Where a command's text goes: results to `out`, everything else to `err`. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Resolves when `out` can take more: true, or false when nobody reads it any more. Without it: at once. */
  readonly ready?: () => Promise<boolean>;
}

/** Takes the exit code of a command. */
export type Finish = (code: number) => void;

/** The command line asks for something that cannot be; the process ends with `EXIT_USAGE`. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** Reads a whole number of at least `min`, for commander. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = wholeNumberOf(text, min);
    if (value === undefined) {
      throw new InvalidArgumentError(`Expected a whole number of at least ${String(min)}.`);
    }
    return value;
  };
}

/** Reads a share of all as a number in [0, 1], for commander. */
export function shareArgument(text: string): number {
  const percent = /^\d+(?:\.\d+)?%$/.test(text) ? Number(text.slice(0, -1)) : Number.NaN;
  if (!(percent <= 100)) {
    throw new InvalidArgumentError('Expected a share from 0% to 100%, such as 0.1%.');
  }
  return percent / 100;
}

function wholeNumberOf(text: string, min: number): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) && value >= min ? value : undefined;
}

/** Reads a whole number of at least `min` or the word auto, for commander. */
export function wholeNumberOrAuto(min: number): (text: string) => number | 'auto' {
  return (text) => {
    if (text === 'auto') {
      return text;
    }
    const value = wholeNumberOf(text, min);
    if (value === undefined) {
      throw new InvalidArgumentError(`Expected auto, or a whole number of at least ${String(min)}.`);
    }
    return value;
  };
}

/** Reads degrees of at most `most` to either side, for commander. */
export function degreesArgument(axis: 'longitude' | 'latitude', most: number): (text: string) => number {
  return (text) => {
    const degrees = parseDecimal(text);
    if (!(Math.abs(degrees) <= most)) {
      throw new InvalidArgumentError(
        `Expected a ${axis} in degrees, from -${String(most)} to ${String(most)}: the longitude comes first.`,
      );
    }
    return degrees;
  };
}

/** Reads an offset or `earliest`, for commander. */
export function offsetArgument(text: string): number | 'earliest' {
  return text === 'earliest' ? text : wholeNumber(0)(text);
}

/** Reads a time as milliseconds since the epoch, in UTC unless it says otherwise, for commander. */
export function timeArgument(text: string): number {
  const time = parseTimepoint(text);
  if (Number.isNaN(time)) {
    throw new InvalidArgumentError('Expected a time such as 2026-01-31T12:00:00Z or "2026-01-31 12:00:00".');
  }
  return time;
}

/** Reads a duration as milliseconds, for commander. */
export function durationArgument(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) {
    throw new InvalidArgumentError('Expected a duration with its unit, such as 500ms, 20s or 5m.');
  }
  return ms;
}

export function durationOrOffArgument(text: string): number | 'off' {
  return text === 'off' ? text : durationArgument(text);
}

/** The end of a command's help. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}
