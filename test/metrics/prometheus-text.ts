/** Reads Prometheus' text format strictly, as `promtool check metrics` would. */

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly series: readonly Series[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const COMMENT = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`);
const SERIES = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (-?[0-9.e+-]+|[+-]Inf|NaN)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\]*)"(?:,|$)/y;
const TYPES = ['counter', 'gauge', 'histogram'];

/** @throws Error at the first line that is not in the format, or belongs to no family above it. */
export function parsePrometheus(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family & { readonly series: Series[] }>();
  let help: { readonly name: string; readonly text: string } | undefined;
  let family: (Family & { readonly series: Series[] }) | undefined;
  if (!text.endsWith('\n')) {
    throw new Error('the last line has no end');
  }
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') {
      continue;
    }
    const comment = COMMENT.exec(line);
    if (comment !== null) {
      const [, kind = '', name = '', rest = ''] = comment;
      if (kind === 'HELP') {
        help = { name, text: rest };
        continue;
      }
      if (help?.name !== name || families.has(name) || !TYPES.includes(rest)) {
        throw new Error(`no such type line here: ${line}`);
      }
      family = { name, type: rest, help: help.text, series: [] };
      families.set(name, family);
      continue;
    }
    const found = SERIES.exec(line);
    if (found === null || family === undefined) {
      throw new Error(`no series: ${line}`);
    }
    const [, name = '', labels = '', value = ''] = found;
    const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    if (!suffixes.some((suffix) => name === `${family?.name ?? ''}${suffix}`)) {
      throw new Error(`${name} stands under ${family.name}`);
    }
    const one = { name, labels: parseLabels(labels), value: Number(value.replace('Inf', 'Infinity')) };
    if (family.series.some((other) => keyOf(other) === keyOf(one))) {
      throw new Error(`twice: ${line}`);
    }
    family.series.push(one);
  }
  return families;
}

/** Name and labels of a series. */
export function keyOf({ labels, name }: Series): string {
  return `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex;
    const found = LABEL.exec(text);
    if (found === null) {
      throw new Error(`no label: ${text.slice(at)}`);
    }
    labels[found[1] ?? ''] = found[2] ?? '';
  }
  return labels;
}
