import path from 'node:path';
import { z } from 'zod';
import { isCronExpression } from './cron.ts';
import { formatDuration, formatSize, parseDuration, parseSize, parseUtcOffset } from './units.ts';

/** What is known of a key beside its type; every leaf of a configuration schema has one. */
export interface KeyFacts {
  /** Completes "expected ...". */
  readonly expects: string;
  /** The value is never printed, neither by `geoflock config` nor in an error. */
  readonly secret?: boolean;
}

export const keyFacts = z.registry<KeyFacts>();

/** Longest delay of a timer (setTimeout and setInterval take 31 bits of milliseconds). */
const MAX_TIMER_MS = 24 * 86_400_000;

export interface NumberBounds {
  readonly min?: number;
  readonly max?: number;
}

export function within(value: number | undefined, bounds: NumberBounds): value is number {
  return (
    value !== undefined && value >= (bounds.min ?? 0) && value <= (bounds.max ?? Number.MAX_SAFE_INTEGER)
  );
}

/**
 * A leaf made from text or a number by `parse`, which answers undefined for what it refuses.
 * Environment variables and flags are text, so every leaf must read text.
 */
export function parsed<T>(expects: string, parse: (value: unknown) => T | undefined): z.ZodType<T> {
  const schema: z.ZodType<T> = z.unknown().transform((value, context): T => {
    const result = parse(value);
    if (result === undefined) {
      context.addIssue({ code: 'custom', message: `expected ${expects}` });
      return z.NEVER;
    }
    return result;
  });
  return schema.register(keyFacts, { expects });
}

export function asNumber(value: unknown): number | undefined {
  if (typeof value === 'number') {
    return value;
  }
  return typeof value === 'string' && /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(value.trim())
    ? Number(value)
    : undefined;
}

function range(bounds: NumberBounds, print: (value: number) => string): string {
  const { min, max } = bounds;
  if (max !== undefined) {
    return ` from ${print(min ?? 0)} to ${print(max)}`;
  }
  return min === undefined || min === 0 ? '' : ` of at least ${print(min)}`;
}

/** A whole number. */
export function count(bounds: NumberBounds): z.ZodType<number> {
  return parsed(`a whole number${range(bounds, String)}`, (value) => {
    const number = asNumber(value);
    return number !== undefined && Number.isSafeInteger(number) && within(number, bounds)
      ? number
      : undefined;
  });
}

/** A whole number, or the word `auto`. */
export function countOrAuto(bounds: NumberBounds): z.ZodType<number | 'auto'> {
  return parsed<number | 'auto'>(`auto, or a whole number${range(bounds, String)}`, (value) => {
    const number = asNumber(value);
    return value === 'auto' ||
      (number !== undefined && Number.isSafeInteger(number) && within(number, bounds))
      ? (number ?? 'auto')
      : undefined;
  });
}

/** A number of at least 0, or nothing (an empty text or null), which reads as null. */
export function numberOrNone({
  above,
  max = Number.MAX_VALUE,
}: {
  readonly above?: number;
  readonly max?: number;
}): z.ZodType<number | null> {
  const limits = above === undefined ? ` from 0 to ${String(max)}` : ` above ${String(above)}`;
  return parsed<number | null>(`a number${limits}, or nothing`, (value) => {
    if (value === '' || value === null) {
      return null;
    }
    const number = asNumber(value);
    return within(number, { max }) && number > (above ?? -1) ? number : undefined;
  });
}

/** A number from 0 to 1. */
export function share(): z.ZodType<number> {
  return parsed('a number from 0 to 1', (value) => {
    const number = asNumber(value);
    return within(number, { min: 0, max: 1 }) ? number : undefined;
  });
}

/** Written with a unit; milliseconds when read. */
export function duration(bounds: NumberBounds = {}): z.ZodType<number> {
  const limits = { min: bounds.min ?? 0, max: bounds.max ?? MAX_TIMER_MS };
  return parsed(
    `a duration${range(bounds, formatDuration)} with its unit, such as 500ms, 60s, 5m, 2h or 7d`,
    (value) => {
      const ms = typeof value === 'string' || value === 0 ? parseDuration(String(value)) : undefined;
      return within(ms, limits) ? ms : undefined;
    },
  );
}

/** A duration, or `off`, which reads as null. */
export function durationOrOff(bounds: NumberBounds): z.ZodType<number | null> {
  const limits = { min: bounds.min ?? 0, max: bounds.max ?? MAX_TIMER_MS };
  return parsed<number | null>(
    `off, or a duration${range(bounds, formatDuration)} with its unit, such as 500ms, 10s or 5m`,
    (value) => {
      if (value === 'off' || value === false) {
        return null;
      }
      const ms = typeof value === 'string' ? parseDuration(value) : undefined;
      return within(ms, limits) ? ms : undefined;
    },
  );
}

/** When something is done again and again: `off` reads as null, a duration as milliseconds, else a cron expression. */
export function scheduleOrOff(bounds: NumberBounds): z.ZodType<number | string | null> {
  const limits = { min: bounds.min ?? 0, max: MAX_TIMER_MS };
  return parsed<number | string | null>(
    `off, a duration${range(limits, formatDuration)} with its unit, such as 10m or 1h, or a cron expression such as "0 * * * *"`,
    (value) => {
      if (value === 'off' || value === false) {
        return null;
      }
      const ms = typeof value === 'string' ? parseDuration(value) : undefined;
      if (ms !== undefined) {
        return within(ms, limits) ? ms : undefined;
      }
      return typeof value === 'string' && isCronExpression(value) ? value.trim() : undefined;
    },
  );
}

/** Some of the choices, each once: a list, or text with commas. */
export function someOf<const T extends string>(...choices: readonly T[]): z.ZodType<readonly T[]> {
  return parsed<readonly T[]>(`some of ${choices.join(', ')}, as a list or separated by commas`, (value) => {
    const written: unknown = typeof value === 'string' ? value.split(',').map((one) => one.trim()) : value;
    if (!Array.isArray(written) || written.length === 0 || new Set(written).size < written.length) {
      return undefined;
    }
    const found = written.map((one) => choices.find((choice) => choice === one));
    return found.every((one) => one !== undefined) ? found : undefined;
  });
}

/** A duration, or the word `auto`. */
export function durationOrAuto(bounds: NumberBounds): z.ZodType<number | 'auto'> {
  const limits = { min: bounds.min ?? 0, max: bounds.max ?? MAX_TIMER_MS };
  return parsed<number | 'auto'>(
    `auto, or a duration${range(bounds, formatDuration)} with its unit, such as 5m, 1h or 7d`,
    (value) => {
      const ms = typeof value === 'string' ? parseDuration(value) : undefined;
      return value === 'auto' ? value : within(ms, limits) ? ms : undefined;
    },
  );
}

/** Written with or without a unit; bytes when read. */
export function size(bounds: NumberBounds): z.ZodType<number> {
  return parsed(
    `a size${range(bounds, formatSize)}, such as 64KiB, 32MiB, 10GiB or a number of bytes`,
    (value) => {
      const bytes =
        typeof value === 'string' || typeof value === 'number' ? parseSize(String(value)) : undefined;
      return within(bytes, bounds) ? bytes : undefined;
    },
  );
}

/** A size, or `off`, which reads as null. */
export function sizeOrOff(bounds: NumberBounds): z.ZodType<number | null> {
  return parsed<number | null>(
    `off, or a size${range(bounds, formatSize)}, such as 64KiB, 32MiB, 10GiB or a number of bytes`,
    (value) => {
      if (value === 'off' || value === false) {
        return null;
      }
      const bytes =
        typeof value === 'string' || typeof value === 'number' ? parseSize(String(value)) : undefined;
      return within(bytes, bounds) ? bytes : undefined;
    },
  );
}

export function flag(): z.ZodType<boolean> {
  return parsed('true or false', (value) => {
    if (typeof value === 'boolean') {
      return value;
    }
    return value === 'true' ? true : value === 'false' ? false : undefined;
  });
}

export function oneOf<const T extends string>(...choices: readonly T[]): z.ZodType<T> {
  return parsed(choices.length === 1 ? choices.join() : `one of ${choices.join(', ')}`, (value) =>
    choices.find((choice) => choice === value),
  );
}

/** Text that matches `pattern` as a whole. */
export function text(expects: string, pattern: RegExp): z.ZodType<string> {
  return parsed(expects, (value) => {
    const written = typeof value === 'number' ? String(value) : value;
    return typeof written === 'string' && pattern.test(written) ? written : undefined;
  });
}

/** Text of any form, or nothing (an empty text or null), which reads as null. */
export function textOrNone(): z.ZodType<string | null> {
  return parsed<string | null>('text, or nothing', asTextOrNone);
}

/** As `textOrNone`, and never printed. */
export function secretOrNone(): z.ZodType<string | null> {
  // A number is refused: 0123 in YAML is not the text that was written.
  const expects = 'text, or nothing (a number needs quotes)';
  return parsed<string | null>(expects, asTextOrNone).register(keyFacts, { expects, secret: true });
}

function asTextOrNone(value: unknown): string | null | undefined {
  if (value === '' || value === null) {
    return null;
  }
  return typeof value === 'string' && !value.includes('\0') ? value : undefined;
}

const DEFAULT_KAFKA_PORT = 9092;

/** Brokers as a list or separated by commas; `host:port` when read. */
export function brokerList(): z.ZodType<readonly string[]> {
  return parsed<readonly string[]>(
    `brokers as host:port separated by commas, such as kafka-1:9092,kafka-2:9092 (${String(DEFAULT_KAFKA_PORT)} where no port is named)`,
    (value) => {
      const written: unknown[] | undefined = Array.isArray(value)
        ? value
        : typeof value === 'string'
          ? value.split(',')
          : undefined;
      const brokers = written?.map(asBroker);
      return brokers?.every((broker) => broker !== undefined) === true ? brokers : undefined;
    },
  );
}

function asBroker(value: unknown): string | undefined {
  const match = typeof value === 'string' ? /^([A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(value.trim()) : null;
  const port = Number(match?.[2] ?? DEFAULT_KAFKA_PORT);
  return match === null || port < 1 || port > 65_535 ? undefined : `${match[1] ?? ''}:${String(port)}`;
}

/** An address that begins with http:// or https://, or nothing, which reads as null. */
export function webAddressOrNone(): z.ZodType<string | null> {
  return parsed<string | null>('an address that begins with https:// or http://, or nothing', (value) => {
    if (value === '' || value === null) {
      return null;
    }
    return typeof value === 'string' && /^https?:\/\//i.test(value) && URL.canParse(value)
      ? value
      : undefined;
  });
}

/** A file, or nothing (an empty text or null), which reads as null. Absolute when read. */
export function fileOrNone(): z.ZodType<string | null> {
  return parsed<string | null>('the path of a file, or nothing', (value) =>
    value === '' || value === null ? null : asFolder(value),
  );
}

function asFolder(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' && !value.includes('\0')
    ? path.resolve(value)
    : undefined;
}

/** Absolute when read; a relative one starts at the working directory. */
export function folder(): z.ZodType<string> {
  return parsed('the path of a folder', asFolder);
}

/** A folder, or nothing (an empty text or null), which reads as null. */
export function folderOrNone(): z.ZodType<string | null> {
  return parsed<string | null>('the path of a folder, or nothing', (value) =>
    value === '' || value === null ? null : asFolder(value),
  );
}

/** A regular expression that must match a whole file name, as NiFi's File Filter does. */
export function wholeNamePattern(): z.ZodType<RegExp> {
  return parsed('a regular expression that matches the whole file name', (value) => {
    if (typeof value !== 'string' || value === '') {
      return undefined;
    }
    try {
      return new RegExp(`^(?:${value})$`);
    } catch {
      return undefined;
    }
  });
}

/** Minutes east of UTC. */
export function utcOffset(): z.ZodType<number> {
  return parsed(
    'UTC or a fixed offset such as +02:00 (names such as Europe/Berlin are not supported, because their offset changes with the date)',
    (value) => (typeof value === 'string' ? parseUtcOffset(value) : undefined),
  );
}

/** A column by name, or by 0-based index. */
export function column(): z.ZodType<string | number | undefined> {
  const expects = 'the name of a column, or its index (the first column is 0)';
  return parsed<string | number>(expects, (value) => {
    const number = asNumber(value);
    if (number !== undefined) {
      return Number.isSafeInteger(number) && within(number, { max: 65_535 }) ? number : undefined;
    }
    return typeof value === 'string' && value.trim() !== '' ? value : undefined;
  })
    .optional()
    .register(keyFacts, { expects });
}
