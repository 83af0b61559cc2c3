import { choiceInWords, costInWords, driftInWords, eventInWords, timeInWords } from './in-words.ts';
import type { ReportData } from './report-data.ts';
import { grouped, kmText, percent, positionText, timeText } from './text.ts';

type Align = 'left' | 'right';

/** What Markdown would take for its own; an underscore inside of a word is nothing to it, nor are brackets alone. */
const SPECIAL = /[\\`*<|]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])|\](?=[([])/gu;

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
    clusters.length === 0
      ? 'No clusters: no rows are counted.'
      : table(
          ['id', 'place', 'center', 'rows', 'share', 'radius, km'],
          ['right', 'left', 'left', 'right', 'right', 'right'],
          clusters.map((cluster) => [
            String(cluster.id),
            cluster.place?.text ?? '',
            positionText(cluster),
            grouped(cluster.weight),
            percent(cluster.share),
            kmText(cluster.radiusKm),
          ]),
        ),
    ...timeInWords(model),
    ...choiceInWords(model),
    ...driftInWords(model),
    costInWords(model),
    ...rejectedPart(data),
    ...filesPart(data),
    ...historyPart(data),
  ];
  return `${paragraphs.filter((paragraph) => paragraph !== '').join('\n\n')}\n`;
}

function rejectedPart({ rejected }: ReportData): readonly string[] {
  if (rejected.length === 0) {
    return [];
  }
  const rows = rejected.map(({ reason, rows: count }) => [reason, grouped(count)]);
  const examples = rejected.flatMap(({ examples: last, reason }) =>
    last.map(({ message, row, where }) => `- ${reason}, ${plain(where)}: ${code(row)}: ${plain(message)}`),
  );
  return ['## Rejected rows', table(['reason', 'rows'], ['left', 'right'], rows), examples.join('\n')];
}

function filesPart({ files }: ReportData): readonly string[] {
  if (files.last.length === 0) {
    return [];
  }
  const rows = files.last.map(({ path, problem, read, rejected, state }) => [
    path,
    problem === undefined ? state : `${state}: ${problem}`,
    grouped(read),
    grouped(rejected),
  ]);
  const heads = ['file', 'state', 'rows', 'rejected'];
  return ['## Files that changed last', table(heads, ['left', 'left', 'right', 'right'], rows)];
}

function historyPart({ events }: ReportData): readonly string[] {
  if (events.length === 0) {
    return [];
  }
  const rows = events.map(({ at, event }) => {
    const [about, ...what] = eventInWords(event);
    return [timeText(at), about, what.join(', ')];
  });
  return ['## History', table(['published, UTC', 'of', 'what'], ['left', 'left', 'left'], rows)];
}

function table(
  heads: readonly string[],
  aligns: readonly Align[],
  rows: readonly (readonly string[])[],
): string {
  const cells = [heads, ...rows].map((row) => row.map(plain));
  const widths = heads.map((_, column) => Math.max(3, ...cells.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => pad(cell, widths[column] ?? 0, aligns[column] ?? 'left')).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    aligns[column] === 'right' ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  const [head = [], ...body] = cells;
  return [line(head), `| ${rule.join(' | ')} |`, ...body.map(line)].join('\n');
}

function pad(cell: string, width: number, align: Align): string {
  return align === 'right' ? cell.padStart(width) : cell.padEnd(width);
}

/** Text of others on one line, as text. */
function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(SPECIAL, String.raw`\$&`);
}

/** A code span: delimited by more backticks than it has in a row. */
function code(text: string): string {
  const runs = [...text.matchAll(/`+/g)].map(([run]) => run.length);
  const fence = '`'.repeat(Math.max(0, ...runs) + 1);
  return `${fence} ${text.replaceAll(/\s+/g, ' ')} ${fence}`;
}
