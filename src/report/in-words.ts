import type { DriftEvent } from '../clustering/drift.ts';
import type { Model } from '../clustering/model.ts';
import { EARTH_RADIUS_KM } from '../geo/sphere.ts';
import type { ReportedEvent } from './report-data.ts';
import { grouped, kmText, timeText } from './text.ts';

/** What an event is about, and what it says of that, in pieces for a table or a line. */
export function eventInWords(event: ReportedEvent): readonly [about: string, ...what: string[]] {
  switch (event.type) {
    case 'split':
      return [clusterText(event.id), `split from ${clusterText(event.from)}`];
    case 'merged':
      return [clusterText(event.id), `merged into ${clusterText(event.into)}`];
    case 'moved':
      return [clusterText(event.id), `moved by ${event.km.toFixed(1)} km`];
    case 'born':
    case 'died':
      return [clusterText(event.id), event.type];
    case 'k-changed':
      return [`k ${String(event.from)} -> ${String(event.to)}`, event.reason];
    case 'drift-raised':
    case 'drift-cleared':
      return driftEventInWords(event);
  }
}

function clusterText(id: number): string {
  return `cluster ${String(id)}`;
}

function driftEventInWords({ pane, ratio, since, type }: DriftEvent): readonly [string, ...string[]] {
  const what = type === 'drift-raised' ? 'alarm' : `alarm of ${since} is over`;
  return ['drift', what, ...(ratio === null ? [] : [`rows from ${pane} on cost ${costRatioText(ratio)}`])];
}

/** What is to be said of a model as a whole: of which rows it is, why of so many clusters, drift, and the cost. */
export function modelInWords(model: Model): readonly string[] {
  return [...timeInWords(model), ...choiceInWords(model), ...driftInWords(model), ...costInWords(model)];
}

/** Whether the newest rows are gathered elsewhere than the model says, in a sentence; none where it is not looked at. */
function driftInWords({ drift }: Model): readonly string[] {
  if (drift === undefined) {
    return [];
  }
  const { alarm, pane, ratio, reason, since } = drift;
  if (alarm && since !== null) {
    return [
      `Drift: since ${timeText(Date.parse(since))} UTC the newest rows are gathered elsewhere than the model says.`,
    ];
  }
  return pane === null || ratio === null
    ? [`Drift: not judged${reason === null ? '' : `, ${reason}`}.`]
    : [`Drift: none. The rows of ${timeText(Date.parse(pane))} UTC and later cost ${costRatioText(ratio)}.`];
}

/** What rows cost at the clusters of a model, over what they do at those of the newest rows. */
export function costRatioText(ratio: number): string {
  return `${ratio.toFixed(2)} times as much as at the clusters of the newest rows`;
}

/** Which rows a model is of, in sentences. */
function timeInWords({ time }: Model): readonly string[] {
  if (time === undefined || time.watermark === null) {
    return [];
  }
  const { from, halfLifeSeconds, rows, to, watermark } = time;
  const span = [
    from === null ? '' : ` from ${timeText(Date.parse(from))}`,
    to === null ? '' : ` before ${timeText(Date.parse(to))}`,
  ].join('');
  const halved =
    halfLifeSeconds === null
      ? []
      : [`A row counts half when it is ${grouped(halfLifeSeconds)} s older than the newest.`];
  return [
    `Of ${grouped(rows)} rows${span}, the newest of ${timeText(Date.parse(watermark))} UTC.`,
    ...halved,
  ];
}

/** Why there are so many clusters, in a sentence. */
function choiceInWords({ k, kChoice }: Model): readonly string[] {
  return kChoice === undefined ? [] : [`k is ${String(k)}: ${kChoice.reason}.`];
}

/** The cost and its certified bound, as distances. */
function costInWords({ cost, costBounds, weight }: Model): readonly string[] {
  if (weight === 0) {
    return [];
  }
  const { lower, upper } = costBounds;
  const [told, least, most] = [cost, lower, upper].map((value) => value.toPrecision(6));
  const [near, far] = [lower, upper].map((value) => kmText(Math.sqrt(value / weight) * EARTH_RADIUS_KM));
  const distances = near === far ? String(near) : `${String(near)} to ${String(far)}`;
  return [
    `The cost (sum of the squared distances to the centers, in squared earth radii) is ${String(told)}. Computed ` +
      `from the raw rows it would for certain be between ${String(least)} and ${String(most)}: in root mean square ` +
      `a row is ${distances} km from its cluster's center.`,
  ];
}
