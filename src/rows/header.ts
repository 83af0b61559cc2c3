import { parseDecimal } from './decimal.ts';
import { QUOTE_ERRORS, splitFields } from './fields.ts';
import { type RowLayout, TOPIC_COLUMNS, TOPIC_LAYOUT } from './kernel.ts';
import { parseTimepoint } from './timepoint.ts';

export type ColumnName = (typeof TOPIC_COLUMNS)[number];

/** `source.columns`: where a topic column stands in the files, by name or 0-based index. */
export type ColumnOverride = Readonly<Partial<Record<ColumnName, string | number | undefined>>>;

/** How the lines of one source file become rows. Plain data: it is kept in the file's ledger entry. */
export interface SourceMapping {
  /** What the kernel needs to read the file. */
  readonly layout: RowLayout;
  /** For each of `TOPIC_COLUMNS`, its own column in the file, or -1 where the file has none. */
  readonly sources: readonly number[];
  /** The header's fields as they stand in the file; none in a headerless file. */
  readonly header: readonly string[];
}

/**
 * What the first line of a file says:
 * - `headerless`: it is a row itself, read by position;
 * - `original`: the replaced generator's header, whose longitude and latitude are swapped: by position;
 * - `named`: a header, read by its names (and `source.columns`);
 * - `unusable`: the file cannot be read, for the reason in `message`.
 */
export type HeaderDecision =
  | ({ readonly kind: 'headerless' | 'original' | 'named' } & SourceMapping)
  | { readonly kind: 'unusable'; readonly message: string };

export const ORIGINAL_HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,latitude,longitude,locked';

const NEEDED = ['timepoint', 'longitude', 'latitude'] as const satisfies readonly ColumnName[];
const POSITIONS: readonly number[] = TOPIC_COLUMNS.map((_, position) => position);
const BYTE_ORDER_MARK = '\uFEFF';
const REMEDY = 'set source.columns to the names or 0-based positions';
const LONGEST_HEADER_TOLD = 300;

/**
 * Decides from the first line of a file that is not blank how the file is read.
 * @param firstLine without its line end; a byte order mark is ignored
 * @param override `source.columns`; its entries win over the header and over positions
 */
export function readHeader(firstLine: string, override: ColumnOverride = {}): HeaderDecision {
  const line = firstLine.replace(BYTE_ORDER_MARK, '').replace(/\r$/, '');
  const split = splitFields(line);
  if (!split.ok) {
    return unusable(`the first line's quotes are wrong (${QUOTE_ERRORS[split.error]})`, line);
  }
  const { fields } = split;

  const positional = positionalSources(override, fields.length);
  if (positional !== undefined && isDataRow(fields, positional)) {
    return decide('headerless', fields.length, positional, [], line);
  }
  if (fields.length === TOPIC_LAYOUT.columns && isDataRow(fields, POSITIONS)) {
    return unusable(
      'the first line is a row, but source.columns does not fit a file without a header: give 0-based positions',
      line,
    );
  }

  if (line.includes('\r')) {
    // Else all of it would be a header, without a row.
    return unusable('the lines end in CR alone: they have to end in LF or CRLF', line);
  }

  const keepsAxes = override.longitude === undefined && override.latitude === undefined;
  const original = line === ORIGINAL_HEADER && keepsAxes;
  const names = fields.map(normalise);
  const problems: string[] = [];
  const missing: string[] = [];
  const sources = TOPIC_COLUMNS.map((column, position) => {
    const wanted = override[column];
    if (wanted === undefined && original) return position;
    if (typeof wanted === 'number') {
      if (isPosition(wanted, names.length)) return wanted;
      problems.push(
        `source.columns.${column} is ${String(wanted)}, but the file has columns 0 to ${String(names.length - 1)}`,
      );
      return -1;
    }
    const name = normalise(wanted ?? column);
    const found = names.indexOf(name);
    if (found < 0 && (wanted !== undefined || isNeeded(column))) {
      missing.push(wanted === undefined ? column : `${wanted} (source.columns.${column})`);
    }
    if (found >= 0 && names.includes(name, found + 1)) {
      problems.push(`the column name ${name} is ambiguous: it stands there more than once`);
    }
    return found;
  });
  if (missing.length > 0) problems.unshift(`missing in the header: ${missing.join(', ')}`);
  if (problems.length > 0) return unusable(problems.join('; '), line);
  return decide(original ? 'original' : 'named', names.length, sources, fields, line);
}

/** Bytes of the UTF-8 byte order mark that `head`, the first bytes of a file, begins with: 3 or 0. */
export function byteOrderMarkLength(head: Uint8Array): number {
  return head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
}

/** The mapping in words, for the log; the message of an unusable header. */
export function describeMapping(decision: HeaderDecision): string {
  if (decision.kind === 'unusable') return decision.message;
  const { header, sources } = decision;
  const columns = NEEDED.map((column) => {
    const position = sources[TOPIC_COLUMNS.indexOf(column)] as number;
    const name = header[position];
    if (name === undefined || normalise(name) === column) return `${column} = column ${String(position)}`;
    const why = decision.kind === 'original' ? ": the original generator's swapped header" : '';
    return `${column} = column ${String(position)} (named ${name.trim()} in the file${why})`;
  });
  return `${KINDS[decision.kind]}: ${columns.join(', ')}`;
}

const KINDS = {
  headerless: 'no header, read by position',
  original: "the original generator's header, read by position",
  named: 'read by the header',
} as const;

function decide(
  kind: 'headerless' | 'original' | 'named',
  columns: number,
  sources: readonly number[],
  header: readonly string[],
  line: string,
): HeaderDecision {
  const at = (column: ColumnName): number => sources[TOPIC_COLUMNS.indexOf(column)] as number;
  const used = new Map<number, ColumnName>();
  for (const column of TOPIC_COLUMNS) {
    const source = at(column);
    const other = used.get(source);
    if (other !== undefined)
      return unusable(`${other} and ${column} would both be column ${String(source)}`, line);
    if (source >= 0) used.set(source, column);
  }
  const layout = {
    columns,
    timepoint: at('timepoint'),
    longitude: at('longitude'),
    latitude: at('latitude'),
  };
  return { kind, layout, sources, header };
}

/**
 * The columns of a file without a header, or undefined where `override` cannot mean positions. Where a
 * file has another number of columns than the topic, only those that `override` gives are known.
 */
function positionalSources(override: ColumnOverride, columns: number): readonly number[] | undefined {
  const topicForm = columns === TOPIC_LAYOUT.columns;
  const sources = TOPIC_COLUMNS.map((column, position) => {
    const wanted = override[column];
    if (wanted === undefined) return topicForm ? position : -1;
    if (typeof wanted === 'number') return isPosition(wanted, columns) ? wanted : undefined;
    const named = TOPIC_COLUMNS.findIndex((name) => normalise(name) === normalise(wanted));
    return topicForm && named >= 0 ? named : undefined;
  });
  return sources.every((source) => source !== undefined) ? sources : undefined;
}

/**
 * A line is data when its timepoint is a valid time; in another form than the topic's its position must
 * be numbers as well.
 */
function isDataRow(fields: readonly string[], sources: readonly number[]): boolean {
  const field = (column: ColumnName): string =>
    fields[sources[TOPIC_COLUMNS.indexOf(column)] as number] ?? '';
  if (Number.isNaN(parseTimepoint(field('timepoint')))) return false;
  if (fields.length === TOPIC_LAYOUT.columns) return true;
  return !Number.isNaN(parseDecimal(field('longitude'))) && !Number.isNaN(parseDecimal(field('latitude')));
}

function unusable(problem: string, line: string): HeaderDecision {
  const found = line.length > LONGEST_HEADER_TOLD ? `${line.slice(0, LONGEST_HEADER_TOLD)}...` : line;
  return { kind: 'unusable', message: `${problem}; found: ${found}; ${REMEDY} of ${NEEDED.join(', ')}` };
}

function isPosition(value: number, columns: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < columns;
}

function isNeeded(column: ColumnName): boolean {
  return NEEDED.some((needed) => needed === column);
}

function normalise(name: string): string {
  return name.trim().toLowerCase();
}
