/** Quantities as people write them in configuration files and flags, and back. */

const DURATION_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

const SIZE_BYTES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
]);

const QUANTITY = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i;

function parseQuantity(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = QUANTITY.exec(text.trim());
  const factor = units.get((match?.[2] ?? '').toLowerCase());
  if (match === null || factor === undefined) {
    return undefined;
  }
  // 0.3 * 1000 is 299.99999999999994 in floating point; a unit is never that fine.
  const exact = Number(match[1]) * factor;
  const whole = Math.round(exact);
  return Math.abs(exact - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : undefined;
}

/**
 * Milliseconds of `60s`, `500ms`, `1.5m`, `2h`, `7d` or `0`; undefined for anything else. A number
 * without a unit is refused, because nobody can tell whether `60` was meant as seconds.
 */
export function parseDuration(text: string): number | undefined {
  if (/^\s*0+\s*$/.test(text)) {
    return 0;
  }
  return parseQuantity(text, DURATION_MS);
}

/**
 * Bytes of `32MiB`, `10GiB`, `64KiB` (powers of 1024), `1MB` (powers of 1000), `512B` or a plain
 * number; undefined for anything else, also for fractions of a byte.
 */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_BYTES);
}

/**
 * Minutes east of UTC of `UTC`, `Z`, `+02:00`, `-0330`; undefined for anything else. Names such as
 * `Europe/Berlin` are not offsets: their distance from UTC changes with the date.
 */
export function parseUtcOffset(text: string): number | undefined {
  if (/^(?:utc|z)$/i.test(text)) {
    return 0;
  }
  const match = /^([+-])(\d{2}):?(\d{2})$/.exec(text);
  if (match === null) {
    return undefined;
  }
  const hours = Number(match[2]);
  const minutes = Number(match[3]);
  if (minutes > 59 || hours * 60 + minutes > 14 * 60) {
    return undefined;
  }
  const total = hours * 60 + minutes;
  return match[1] === '-' ? 0 - total : total;
}

/** `90s`, `2m`, `7d`: the largest unit that divides `ms` evenly. */
export function formatDuration(ms: number): string {
  for (const [unit, factor] of [...DURATION_MS].reverse()) {
    if (ms >= factor && ms % factor === 0) {
      return `${String(ms / factor)}${unit}`;
    }
  }
  return `${String(ms)}ms`;
}

/** `64KiB`, `1MiB`, `100B`: the largest power of 1024 that divides `bytes` evenly. */
export function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const factor = SIZE_BYTES.get(unit.toLowerCase()) ?? 1;
    if (bytes >= factor && bytes % factor === 0) {
      return `${String(bytes / factor)}${unit}`;
    }
  }
  return `${String(bytes)}B`;
}
