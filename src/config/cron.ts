interface CronField {
  readonly least: number;
  readonly most: number;
  /** Of the values from `least` on. */
  readonly names?: readonly string[];
}

const SECOND: CronField = { least: 0, most: 59 };
/** Minute, hour, day of the month, month, day of the week. */
const FIELDS: readonly CronField[] = [
  { least: 0, most: 59 },
  { least: 0, most: 23 },
  { least: 1, most: 31 },
  { least: 1, most: 12, names: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ') },
  { least: 0, most: 7, names: 'sun mon tue wed thu fri sat'.split(' ') },
];
/** February in leap years. */
const DAYS_OF_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Whether this is a cron expression that matches some time: lists of values, ranges and steps in five fields, or in
 * six with seconds first.
 */
export function isCronExpression(text: string): boolean {
  const written = text.trim().split(/\s+/);
  const fields = written.length === 6 ? [SECOND, ...FIELDS] : FIELDS;
  if (written.length !== fields.length) {
    return false;
  }
  const values = fields.map((field, index) => valuesOf(written[index] as string, field));
  const [days, months] = values.slice(-3);
  // On the 30th of February nothing would ever be done.
  return (
    values.every((some) => some.length > 0) &&
    months?.some((month) => Math.min(...(days ?? [])) <= (DAYS_OF_MONTH[month - 1] ?? 0)) === true
  );
}

/** All values that a field matches; none where it is malformed. */
function valuesOf(list: string, field: CronField): readonly number[] {
  const parts = list.split(',').map((part) => rangeOf(part, field));
  return parts.every((part) => part !== undefined) ? parts.flat() : [];
}

function rangeOf(part: string, field: CronField): readonly number[] | undefined {
  const match = /^(?:\*|([a-z]+|\d{1,2})(?:-([a-z]+|\d{1,2}))?)(?:\/(\d{1,2}))?$/i.exec(part);
  if (match === null) {
    return undefined;
  }
  const [, first, last, step] = match;
  const from = first === undefined ? field.least : valueOf(first, field);
  const to = first === undefined ? field.most : last === undefined ? from : valueOf(last, field);
  // A step from one value on is understood differently by different programs.
  const stepped = step === undefined || (Number(step) > 0 && (first === undefined || last !== undefined));
  if (from === undefined || to === undefined || !stepped) {
    return undefined;
  }
  const values: number[] = [];
  for (let value = from; value <= to; value += Number(step ?? 1)) {
    values.push(value);
  }
  return values.length === 0 ? undefined : values;
}

function valueOf(text: string, { least, most, names = [] }: CronField): number | undefined {
  const named = names.indexOf(text.toLowerCase());
  const value = named >= 0 ? least + named : /^\d+$/.test(text) ? Number(text) : NaN;
  return value >= least && value <= most ? value : undefined;
}
