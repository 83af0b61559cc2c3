import type { Totals } from '../actors/totals.ts';
import { type NamedModel, serializeModel } from '../clustering/geojson.ts';
import type { Model } from '../clustering/model.ts';
import { formatDuration } from '../config/units.ts';
import { costRatioText } from '../report/in-words.ts';
import { grouped } from '../report/text.ts';

/** What `run --once` tells at its end: sums over the whole state, time of this process. */
export interface OnceResult {
  readonly totals: Totals;
  readonly model: NamedModel;
  readonly elapsedSeconds: number;
  /** Rows counted by this process a second. */
  readonly rowsPerSecond: number;
}

/** The one JSON object of `run --once --json`. */
export function resultJson({ totals, model, elapsedSeconds, rowsPerSecond }: OnceResult): string {
  return JSON.stringify({
    files: totals.files,
    // Told where there are any: after a rewind into the middle of the log.
    rows: totals.leftOut === 0 ? totals.rows : { ...totals.rows, leftOut: totals.leftOut },
    model: JSON.parse(serializeModel(model)) as unknown,
    elapsedSeconds: round(elapsedSeconds),
    rowsPerSecond: Math.round(rowsPerSecond),
  });
}

/** The same for people. */
export function resultText(result: OnceResult, reportDirectory: string): string {
  const { files, leftOut, rows } = result.totals;
  const reasons = Object.entries(result.totals.rejectedByReason)
    .map(([reason, count]) => `${reason} ${grouped(count)}`)
    .join(', ');
  return [
    `files     ${grouped(files.done)} done, ${grouped(files.failed)} failed`,
    `rows      ${grouped(rows.read)} read, ${grouped(rows.counted)} counted, ${grouped(rows.rejected)} rejected` +
      (reasons === '' ? '' : ` (${reasons})`) +
      (leftOut === 0 ? '' : `; ${grouped(leftOut)} before the rewind are left out`),
    `time      ${result.elapsedSeconds.toFixed(1)} s, ${grouped(Math.round(result.rowsPerSecond))} rows/s`,
    ...timeText(result.model),
    ...choiceText(result.model),
    `cost      ${costText(result.model)}`,
    ...driftText(result.model),
    '',
    ...clusterTable(result.model),
    '',
    `written to ${reportDirectory}: model.json, clusters.geojson, report.html, report.md`,
    '',
  ].join('\n');
}

/** Which rows the model is of, where that are not simply all. */
export function timeText({ time, weight }: Model): readonly string[] {
  if (time === undefined || (time.from === null && time.to === null && time.halfLifeSeconds === null)) {
    return [];
  }
  const { from, halfLifeSeconds, rows, to, watermark } = time;
  const span = [from === null ? '' : ` from ${from}`, to === null ? '' : ` before ${to}`].join('');
  const newest = watermark === null ? '' : `, the newest of ${watermark}`;
  const halved =
    halfLifeSeconds === null
      ? ''
      : `; half after ${formatDuration(halfLifeSeconds * 1000)}: they weigh ${weight.toPrecision(6)}`;
  return [`model of  ${grouped(rows)} rows${span}${newest}${halved}`];
}

/** The cost as the summaries know it, and between what it lies for certain. */
export function costText({ cost, costBounds: { lower, upper } }: Model): string {
  const [told, least, most] = [cost, lower, upper].map((value) => value.toPrecision(6));
  return `${String(told)}, of the raw rows for certain between ${String(least)} and ${String(most)}`;
}

/** Whether the newest rows have left the model, where that is looked at. */
export function driftText({ drift }: Model): readonly string[] {
  if (drift === undefined) {
    return [];
  }
  const { alarm, pane, ratio, reason, since } = drift;
  const state = alarm && since !== null ? `ALARM since ${since}` : 'none';
  const why =
    ratio === null || pane === null
      ? `not judged, ${String(reason)}`
      : `rows from ${pane} on cost ${costRatioText(ratio)}`;
  return [`drift     ${state}: ${why}`];
}

/** Why there are so many clusters. */
export function choiceText({ kChoice }: Model): readonly string[] {
  return kChoice === undefined ? [] : [`choice    ${kChoice.reason}`];
}

/** What each number of clusters that was judged would give: the one of the model is marked. */
export function curveTable({ k: chosen, kChoice }: Model): readonly string[] {
  if (kChoice === undefined || kChoice.curve.length === 0) {
    return ['', 'no curve: k was not chosen (clustering.k: auto, or --k auto)'];
  }
  return [
    '',
    '    k          cost             BIC',
    ...kChoice.curve.map(({ bic, cost, k }) =>
      [
        String(k).padStart(5),
        cost.toPrecision(6).padStart(14),
        bic.toFixed(1).padStart(16),
        k === chosen ? '  *' : '',
      ].join(''),
    ),
  ];
}

/** The clusters as a table: all numbers, which are 54 columns, and behind them the name of the place. */
export function clusterTable(model: NamedModel): readonly string[] {
  if (model.clusters.length === 0) {
    return ['no clusters: no rows are counted'];
  }
  return [
    '  id longitude latitude        rows    share radius km  near',
    ...model.clusters.map(({ id, longitude, latitude, weight, share, radiusKm, place }) =>
      [
        String(id).padStart(4),
        longitude.toFixed(3).padStart(10),
        latitude.toFixed(3).padStart(9),
        grouped(weight).padStart(12),
        `${(share * 100).toFixed(2)} %`.padStart(9),
        grouped(Math.round(radiusKm)).padStart(10),
        place === null ? '' : `  ${place.text.replace('near ', '')}`,
      ].join(''),
    ),
  ];
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
