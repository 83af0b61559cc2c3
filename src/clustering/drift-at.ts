import { coldSearch } from './cold-search.ts';
import { type Drift, driftOf, toldDrift, unjudged } from './drift.ts';
import type { Centers } from './kmeans-passes.ts';
import { centersOf, clustersOf, type Model, type ModelOptions } from './model.ts';
import { type ModelFeatures, modelFeatures, type ModelSource } from './model-features.ts';
import { type CountedPanes, countedAt, type PlacedPane, sourceOf, type TimeOptions } from './model-time.ts';
import type { Steps } from './slices.ts';

export interface DriftOptions {
  /** Width of the panes that are judged, ms: that of the finest that are kept. */
  readonly paneMs: number;
  /** The short model is of so many ms up to the end of the judged pane, and of what came after it. */
  readonly windowMs: number;
}

/** Of what a model is, and how it is made. */
export interface ModelSettings {
  readonly model: ModelOptions;
  readonly time: TimeOptions;
  /** Undefined: drift is not looked at. */
  readonly drift: DriftOptions | undefined;
}

/** Of what the models are that are compared. */
export interface DriftModels extends ModelSettings {
  readonly drift: DriftOptions;
}

/**
 * When the pane begins that is judged: of those with rows that count the newest that is complete, because a
 * later row has been seen or `asOf` is not before its end. Undefined when there is none.
 */
export function judgedPane(
  panes: readonly PlacedPane[],
  { drift, time }: Pick<DriftModels, 'drift' | 'time'>,
): number | undefined {
  return judgedOf(countedAt(panes, time), drift);
}

/**
 * Whether the judged pane fits the model of all rows as well as that of the newest ones; see `driftOf`. The long
 * model is that of all that counts, the short one of the part of it that is in the short window: both searched
 * from nothing. A pure function of the arguments.
 * @param panes in the fixed order of a model.
 * @param long centers of the long model, where it is made already.
 * @returns undefined when no pane is complete.
 */
export function* driftAt(
  panes: readonly PlacedPane[],
  { drift, model, time }: DriftModels,
  before: Drift | undefined,
  long?: Centers,
): Steps<Drift | undefined> {
  const all = countedAt(panes, time);
  const start = judgedOf(all, drift);
  if (start === undefined) {
    return undefined;
  }
  const { paneMs, windowMs } = drift;
  const age = all.watermark - (start + paneMs - windowMs);
  const newest = countedAt(panes, { ...time, windowMs: Math.min(age, time.windowMs ?? Infinity) });
  if (newest.counted.length === all.counted.length) {
    // The two are one model: an alarm before is over.
    return unjudged(start, 'no older rows', undefined);
  }
  const rows = all.counted.filter(({ pane }) => pane.earliest >= start && pane.latest < start + paneMs);
  const features = columnsOf(yield* modelFeatures(sourcesOf(all, rows), model));
  const short = yield* searched(newest, model);
  return yield* driftOf(
    { start, features, effectiveRows: rows.reduce((sum, { pane }) => sum + pane.rows, 0) },
    long ?? (yield* searched(all, model)),
    short,
    before,
  );
}

/**
 * A canonical model with what it says of drift: of the pane that is judged now and of no verdict before it, so
 * that it is a pure function of the arguments.
 * @param settings without `drift` the model says nothing of it.
 */
export function* withDrift(
  model: Model,
  panes: readonly PlacedPane[],
  settings: ModelSettings,
): Steps<Model> {
  const { drift, model: options, time } = settings;
  if (drift === undefined) {
    return model;
  }
  const models = { model: { ...options, k: model.k }, time, drift };
  return { ...model, drift: toldDrift(yield* driftAt(panes, models, undefined, centersOf(model))) };
}

function judgedOf({ counted, to, watermark }: CountedPanes, { paneMs }: DriftOptions): number | undefined {
  const end = Math.floor(Math.max(watermark, to ?? -Infinity) / paneMs) * paneMs;
  const latest = counted.reduce(
    (time, { pane }) => (pane.latest < end ? Math.max(time, pane.latest) : time),
    -Infinity,
  );
  return latest === -Infinity ? undefined : Math.floor(latest / paneMs) * paneMs;
}

function sourcesOf({ counted, factorOf }: CountedPanes, some = counted): readonly ModelSource[] {
  return some.map((placed) => sourceOf(placed, factorOf(placed.pane)));
}

function* searched(panes: CountedPanes, model: ModelOptions): Steps<Centers> {
  const features = yield* modelFeatures(sourcesOf(panes), model);
  const { centers, k } = yield* coldSearch(features, model);
  return centersOf(yield* clustersOf(columnsOf(features), k, centers));
}

function columnsOf({ all, coarse }: ModelFeatures): ModelFeatures['coarse'] {
  return all ?? coarse;
}
