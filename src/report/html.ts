import { EARTH_RADIUS_KM } from '../geo/sphere.ts';
import { choiceInWords, costInWords, driftInWords, eventInWords, timeInWords } from './in-words.ts';
import type { RejectedReason, ReportData } from './report-data.ts';
import { STYLE } from './style.ts';
import { escapeText, grouped, kmText, percent, positionText, timeText } from './text.ts';
import { timeChart } from './time-chart.ts';
import { shadeLegend, worldMap } from './world-map.ts';

/** A cell of a table; numbers stand to the right. */
type Cell = string | { readonly number: string } | { readonly code: string };

/**
 * The report as one page that needs nothing else: no script, no font, no picture, no request. A policy in it
 * forbids them too, so that what a file name or a rejected row says stays text.
 */
export function reportHtml(data: ReportData): string {
  const made = `${timeText(data.madeAt)} UTC`;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`,
    '<link rel="icon" href="data:,">',
    `<title>Geoflock report, ${made}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    '<header>',
    '<h1>Where the users are gathered</h1>',
    `<p class="faint">Geoflock ${escapeText(data.version)}, ${made}</p>`,
    '</header>',
    '<main>',
    tiles(data),
    mapSection(data),
    clusterSection(data),
    timeSection(data),
    rejectedSection(data),
    filesSection(data),
    historySection(data),
    '</main>',
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function tiles({ files, model, regions, rows }: ReportData): string {
  const distance = Math.sqrt(model.cost / model.weight) * EARTH_RADIUS_KM;
  const told: readonly (readonly [string, string, string])[] = [
    ['rows counted', grouped(rows.counted), `of ${grouped(rows.read)} read`],
    ['rows rejected', grouped(rows.rejected), rows.read === 0 ? '' : percent(rows.rejected / rows.read)],
    ['files done', grouped(files.done), `${grouped(files.failed)} failed`],
    ['clusters', String(model.clusters.length), `rows in ${grouped(regions.length)} regions`],
    [
      'typical distance',
      model.weight === 0 ? '-' : `${kmText(distance)} km`,
      'of a row to its cluster (root mean square)',
    ],
  ];
  const items = told.map(
    ([name, value, more]) => `<div><dt>${name}</dt><dd>${value}<small>${more}</small></dd></div>`,
  );
  return `<dl class="tiles">${items.join('')}</dl>`;
}

function mapSection({ level, model, regions }: ReportData): string {
  const { clusters } = model;
  return section('Map', [
    worldMap(level, regions, clusters),
    '<p class="legend"><span><span class="key dot"></span>a cluster, larger with more rows</span>' +
      '<span><span class="key circle"></span>its radius</span></p>',
    shadeLegend(regions),
  ]);
}

function clusterSection({ model }: ReportData): string {
  const rows = model.clusters.map((cluster): Cell[] => [
    { number: String(cluster.id) },
    cluster.place?.text ?? '',
    positionText(cluster),
    { number: grouped(cluster.weight) },
    { number: percent(cluster.share) },
    { number: kmText(cluster.radiusKm) },
  ]);
  const heads: Cell[] = [
    { number: 'id' },
    'place',
    'center',
    { number: 'rows' },
    { number: 'share' },
    { number: 'radius, km' },
  ];
  return section('Clusters', [
    rows.length === 0 ? paragraph('No clusters: no rows are counted.') : table(heads, rows),
    ...[...timeInWords(model), ...choiceInWords(model), ...driftInWords(model), costInWords(model)].map(
      paragraph,
    ),
    curveTable(model),
  ]);
}

/** What each number of clusters that was judged would cost; nothing where k was not chosen. */
function curveTable({ k: chosen, kChoice }: ReportData['model']): string {
  if (kChoice === undefined || kChoice.curve.length === 0) {
    return '';
  }
  const rows = kChoice.curve.map(({ bic, cost, k }): Cell[] => [
    { number: String(k) },
    { number: cost.toPrecision(6) },
    { number: bic.toFixed(1) },
    k === chosen ? 'chosen' : '',
  ]);
  return table([{ number: 'k' }, { number: 'cost' }, { number: 'BIC' }, 'choice'], rows);
}

function timeSection({ rowsOverTime }: ReportData): string {
  if (rowsOverTime.length === 0) {
    return '';
  }
  return section('Rows a minute, by their own time', [
    timeChart(rowsOverTime),
    `<p class="faint">UTC. Older rows are kept by wider panes of time, and shown as their mean.</p>`,
  ]);
}

function rejectedSection({ rejected }: ReportData): string {
  if (rejected.length === 0) {
    return section('Rejected rows', [paragraph('None.')]);
  }
  const rows = rejected.map(({ reason, rows: count }): Cell[] => [reason, { number: grouped(count) }]);
  return section('Rejected rows', [
    table(['reason', { number: 'rows' }], rows),
    ...rejected.filter(({ examples }) => examples.length > 0).map(examplesOf),
  ]);
}

function examplesOf({ examples, reason }: RejectedReason): string {
  const rows = examples.map(({ message, row, where }): Cell[] => [where, { code: row }, message]);
  return `<h3>${escapeText(reason)}, the last</h3>\n${table(['where', 'row', 'why'], rows)}`;
}

function filesSection({ files }: ReportData): string {
  const rows = files.last.map(({ path, problem, read, rejected, state }): Cell[] => [
    { code: path },
    problem === undefined ? state : `${state}: ${problem}`,
    { number: grouped(read) },
    { number: grouped(rejected) },
  ]);
  const told = `${grouped(files.done)} done, ${grouped(files.failed)} failed`;
  return section('Files', [
    paragraph(rows.length === 0 ? told : `${told}. The last that changed:`),
    rows.length === 0 ? '' : table(['file', 'state', { number: 'rows' }, { number: 'rejected' }], rows),
  ]);
}

function historySection({ events }: ReportData): string {
  if (events.length === 0) {
    return '';
  }
  const rows = events.map(({ at, event }): Cell[] => {
    const [about, ...what] = eventInWords(event);
    return [timeText(at), about, what.join(', ')];
  });
  return section('History', [table(['published, UTC', 'of', 'what'], rows)]);
}

function section(title: string, parts: readonly string[]): string {
  const shown = parts.filter((part) => part !== '');
  return ['<section>', `<h2>${title}</h2>`, ...shown, '</section>'].join('\n');
}

function paragraph(text: string): string {
  return text === '' ? '' : `<p>${escapeText(text)}</p>`;
}

/** In a box that scrolls by itself, and can be reached by the keyboard for that. */
function table(heads: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const head = heads.map((cell) => cellHtml('th scope="col"', cell)).join('');
  const body = rows.map((row) => `<tr>${row.map((cell) => cellHtml('td', cell)).join('')}</tr>`);
  return [
    '<div class="scroll" tabindex="0">',
    `<table><thead><tr>${head}</tr></thead>`,
    `<tbody>${body.join('\n')}</tbody></table>`,
    '</div>',
  ].join('\n');
}

function cellHtml(tag: 'td' | 'th scope="col"', cell: Cell): string {
  const end = tag.slice(0, 2);
  if (typeof cell === 'string') {
    return `<${tag}>${escapeText(cell)}</${end}>`;
  }
  return 'number' in cell
    ? `<${tag} class="number">${escapeText(cell.number)}</${end}>`
    : `<${tag}><code>${escapeText(cell.code)}</code></${end}>`;
}
