import type { Steps } from '../clustering/slices.ts';
import { EARTH_RADIUS_KM } from '../geo/sphere.ts';
import { modelInWords } from './in-words.ts';
import type { RejectedReason, ReportData } from './report-data.ts';
import { STYLE } from './style.ts';
import {
  clusterTable,
  type Column,
  curveTable,
  examplesTable,
  filesTable,
  historyTable,
  rejectedTable,
  type Table,
} from './tables.ts';
import { escapeText, grouped, kmText, percent, timeText } from './text.ts';
import { timeChart } from './time-chart.ts';
import { shadeLegend, worldMap } from './world-map.ts';

/**
 * The report as one page that needs nothing else: no script, no font, no picture, no request. A policy in it
 * forbids them too, so that what a file name or a rejected row says stays text.
 */
export function* reportHtml(data: ReportData): Steps<string> {
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
    yield* mapSection(data),
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

function* mapSection({ level, model, regions }: ReportData): Steps<string> {
  return section('Map', [
    yield* worldMap(level, regions, model.clusters),
    '<p class="legend"><span><span class="key dot"></span>a cluster, larger with more rows</span>' +
      '<span><span class="key circle"></span>its radius</span></p>',
    shadeLegend(regions),
  ]);
}

function clusterSection({ model }: ReportData): string {
  const { clusters } = model;
  return section('Clusters', [
    clusters.length === 0 ? paragraph('No clusters: no rows are counted.') : tableHtml(clusterTable(model)),
    ...modelInWords(model).map(paragraph),
    tableHtml(curveTable(model)),
  ]);
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

function rejectedSection(data: ReportData): string {
  const { rejected } = data;
  return section('Rejected rows', [
    rejected.length === 0 ? paragraph('None.') : tableHtml(rejectedTable(data)),
    ...rejected.filter(({ examples }) => examples.length > 0).map(examplesHtml),
  ]);
}

function examplesHtml(reason: RejectedReason): string {
  return `<h3>${escapeText(reason.reason)}, the last</h3>\n${tableHtml(examplesTable(reason))}`;
}

function filesSection(data: ReportData): string {
  const { done, failed, last } = data.files;
  const told = `${grouped(done)} done, ${grouped(failed)} failed`;
  return section('Files', [
    paragraph(last.length === 0 ? told : `${told}. The last that changed:`),
    tableHtml(filesTable(data)),
  ]);
}

function historySection(data: ReportData): string {
  return data.events.length === 0 ? '' : section('History', [tableHtml(historyTable(data))]);
}

function section(title: string, parts: readonly string[]): string {
  const shown = parts.filter((part) => part !== '');
  return ['<section>', `<h2>${title}</h2>`, ...shown, '</section>'].join('\n');
}

function paragraph(text: string): string {
  return `<p>${escapeText(text)}</p>`;
}

/** In a box that scrolls by itself, and can be reached by the keyboard for that; nothing without rows. */
function tableHtml({ columns, rows }: Table): string {
  if (rows.length === 0) {
    return '';
  }
  const head = columns.map((column) => `<th scope="col"${classOf(column)}>${escapeText(column.head)}</th>`);
  const body = rows.map((row) => {
    const cells = columns.map((column, index) => cellHtml(column, row[index] as string));
    return `<tr>${cells.join('')}</tr>`;
  });
  return [
    '<div class="scroll" tabindex="0">',
    `<table><thead><tr>${head.join('')}</tr></thead>`,
    `<tbody>${body.join('\n')}</tbody></table>`,
    '</div>',
  ].join('\n');
}

function cellHtml(column: Column, told: string): string {
  const text = escapeText(told);
  return `<td${classOf(column)}>${column.kind === 'code' ? `<code>${text}</code>` : text}</td>`;
}

function classOf({ kind }: Column): string {
  return kind === 'number' ? ' class="number"' : '';
}
