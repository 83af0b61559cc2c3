import { modelInWords } from './in-words.ts';
import type { ReportData } from './report-data.ts';
import {
  clusterTable,
  type Column,
  curveTable,
  filesTable,
  historyTable,
  rejectedTable,
  type Table,
} from './tables.ts';
import { grouped, timeText } from './text.ts';

/** What Markdown would take for its own; an underscore inside of a word is nothing to it, nor are brackets alone. */
const SPECIAL = /[\\`*<|&~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])|\](?=[([])/gu;

/** The report for a terminal or a mail: GitHub-flavoured Markdown whose tables are aligned in plain text too. */
export function reportMarkdown(data: ReportData): string {
  const { files, model, regions, rows } = data;
  const { clusters } = model;
  const paragraphs = [
    '# Where the users are gathered',
    `Geoflock ${data.version}, ${timeText(data.madeAt)} UTC`,
    [
      `- rows: ${grouped(rows.read)} read, ${grouped(rows.counted)} counted, ${grouped(rows.rejected)} rejected`,
      `- files: ${grouped(files.done)} done, ${grouped(files.failed)} failed`,
      `- clusters: ${grouped(clusters.length)}, of rows in ${grouped(regions.length)} regions`,
    ].join('\n'),
    '## Clusters',
    clusters.length === 0 ? 'No clusters: no rows are counted.' : tableText(clusterTable(model)),
    ...modelInWords(model),
    tableText(curveTable(model)),
    ...rejectedPart(data),
    ...part('## Files that changed last', filesTable(data)),
    ...part('## History', historyTable(data)),
  ];
  return `${paragraphs.filter((paragraph) => paragraph !== '').join('\n\n')}\n`;
}

function rejectedPart(data: ReportData): readonly string[] {
  const { rejected } = data;
  const examples = rejected.flatMap(({ examples: last, reason }) =>
    last.map(({ message, row, where }) => `- ${reason}, ${plain(where)}: ${code(row)}: ${plain(message)}`),
  );
  return part('## Rejected rows', rejectedTable(data), examples.join('\n'));
}

/** A table with its head and what follows it; nothing without rows. */
function part(head: string, told: Table, rest = ''): readonly string[] {
  return told.rows.length === 0 ? [] : [head, tableText(told), rest];
}

function tableText({ columns, rows }: Table): string {
  if (rows.length === 0) {
    return '';
  }
  const cells = [columns.map(({ head }) => head), ...rows].map((row) => row.map(plain));
  const widths = columns.map((_, index) => Math.max(3, ...cells.map((row) => (row[index] as string).length)));
  const line = (row: readonly string[]): string =>
    `| ${columns.map((column, index) => pad(column, row[index] as string, widths[index] as number)).join(' | ')} |`;
  const rule = columns.map(({ kind }, index) => {
    const width = widths[index] as number;
    return kind === 'number' ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width);
  });
  const [head = [], ...body] = cells;
  return [line(head), `| ${rule.join(' | ')} |`, ...body.map(line)].join('\n');
}

function pad({ kind }: Column, cell: string, width: number): string {
  return kind === 'number' ? cell.padStart(width) : cell.padEnd(width);
}

/** Text of others on one line, with nothing in it that a terminal would obey. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/\p{Cc}/gu, '\uFFFD');
}

/** Text of others as text. */
function plain(text: string): string {
  return oneLine(text).replaceAll(SPECIAL, String.raw`\$&`);
}

/** A code span: delimited by more backticks than it has in a row. */
function code(text: string): string {
  const runs = [...text.matchAll(/`+/g)].map(([run]) => run.length);
  const fence = '`'.repeat(Math.max(0, ...runs) + 1);
  return `${fence} ${oneLine(text)} ${fence}`;
}
