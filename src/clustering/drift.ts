import { type FeatureColumns, FEATURES_PER_STEP } from './features.ts';
import { assignFeatures } from './kmeans.ts';
import type { Centers } from './kmeans-passes.ts';
import { POSITION_NOISE } from './position-noise.ts';
import type { Steps } from './slices.ts';

/** The rows of one pane, alone. */
export interface NewestPane {
  /** The event time that tells the pane, ms since 1970. */
  readonly start: number;
  readonly features: FeatureColumns;
  /** Number of rows, as far as they are independent: without weights just their number. */
  readonly effectiveRows: number;
}

/** Why a pane gave no verdict. */
export type Unjudged = 'no older rows' | 'too few rows';

/** What is known of drift after a pane; the next one's `before`. */
export interface Drift {
  /** The pane that was looked at last, also if it gave no verdict. */
  readonly pane: number;
  /** Cost of the pane at the long model's centers over that at the short one's; undefined without a verdict. */
  readonly ratio: number | undefined;
  /** Why there is no verdict; undefined with one. */
  readonly unjudged?: Unjudged;
  readonly alarm: boolean;
  /** The pane that raised the alarm; undefined when there is none. */
  readonly since: number | undefined;
}

/** What a model says of drift: times as ISO 8601 in UTC. */
export interface ModelDrift {
  /** When the pane begins that was looked at last; null: none was yet. */
  readonly pane: string | null;
  /** Cost of the pane at the long model's centers over that at the short one's; null without a verdict. */
  readonly ratio: number | null;
  readonly alarm: boolean;
  /** When the pane begins that raised the alarm; null when there is none. */
  readonly since: string | null;
  /** Why there is no ratio; null where there is one. */
  readonly reason: 'no pane yet' | Unjudged | null;
}

/** The alarm was raised or cleared by a pane. */
export interface DriftEvent {
  readonly type: 'drift-raised' | 'drift-cleared';
  /** When that pane begins; ISO 8601. */
  readonly pane: string;
  /** Null where the alarm was cleared because there are no older rows any more that could disagree. */
  readonly ratio: number | null;
  /** When the pane begins that raised it; ISO 8601. */
  readonly since: string;
}

/** The alarm is raised when the long model costs the newest pane this much more than the short one. */
export const RAISE_RATIO = 1.5;
/** It is cleared below this. Between the two it stays as it is. */
export const CLEAR_RATIO = 1.2;
/** With fewer effective rows in the pane there is no verdict ... */
export const LEAST_ROWS = 100;
/**
 * ... nor with fewer for each of the short model's centers. Its window holds the pane, so that of few rows it
 * learns by heart what is chance: on streams without any drift the ratio came to 1.49 with 20 rows a center,
 * and with 50 stayed below 1.4.
 */
export const LEAST_ROWS_PER_CENTER = 50;

/**
 * Whether the stream has left the long-window model: the cost of the newest pane's rows at the centers of
 * the long model, against that at the centers of the short one. A pure function of the arguments.
 *
 * That a long and a short window of one stream disagree is how ADWIN finds a change (Bifet, Gavalda: Learning
 * from time-changing data with adaptive windowing, SDM 2007). This is much simpler, and proves less: two
 * given windows in the place of all cuts of one, fixed thresholds in the place of a bound that gives the
 * probability of a false alarm.
 *
 * A pane with too few rows, or a model without centers, gives no verdict, and the alarm stays as it was.
 * Costs are not taken for less than POSITION_NOISE a unit of weight, so that models which differ by metres agree
 * about rows at one place.
 */
export function* driftOf(
  { effectiveRows, features, start }: NewestPane,
  long: Centers,
  short: Centers,
  before: Drift | undefined,
): Steps<Drift> {
  const alarmed = before?.alarm ?? false;
  const least = Math.max(LEAST_ROWS, LEAST_ROWS_PER_CENTER * short.count);
  // Written so that NaN fails too.
  if (long.count === 0 || short.count === 0 || features.count === 0 || !(effectiveRows >= least)) {
    return unjudged(start, 'too few rows', before);
  }
  const ratio = (yield* costOf(features, long)) / (yield* costOf(features, short));
  const alarm = ratio >= (alarmed ? CLEAR_RATIO : RAISE_RATIO);
  return { pane: start, ratio, alarm, since: alarm ? (before?.since ?? start) : undefined };
}

/** A pane without a verdict: the alarm stays as it was. */
export function unjudged(start: number, why: Unjudged, before: Drift | undefined): Drift {
  return {
    pane: start,
    ratio: undefined,
    unjudged: why,
    alarm: before?.alarm ?? false,
    since: before?.since,
  };
}

/** What a model says of what is known of drift; undefined: no pane was looked at. */
export function toldDrift(drift: Drift | undefined): ModelDrift {
  if (drift === undefined) {
    return { pane: null, ratio: null, alarm: false, since: null, reason: 'no pane yet' };
  }
  const { alarm, pane, ratio = null, since, unjudged: reason = null } = drift;
  return { pane: iso(pane), ratio, alarm, since: since === undefined ? null : iso(since), reason };
}

/** How the alarm has changed; undefined where it has not. */
export function driftEvent(before: Drift | undefined, now: Drift | undefined): DriftEvent | undefined {
  const since = now?.since ?? before?.since;
  if (now === undefined || since === undefined || now.alarm === before?.alarm) {
    return undefined;
  }
  const type = now.alarm ? 'drift-raised' : 'drift-cleared';
  return { type, pane: iso(now.pane), ratio: now.ratio ?? null, since: iso(since) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function* costOf(features: FeatureColumns, centers: Centers): Steps<number> {
  const { totals } = yield* assignFeatures(features, centers);
  let weight = 0;
  let cost = totals[0] as number;
  for (let f = 0; f < features.count; f++) {
    weight += features.weight[f] as number;
    cost += features.sse[f] as number;
    if (f % FEATURES_PER_STEP === FEATURES_PER_STEP - 1) {
      yield;
    }
  }
  return Math.max(cost, weight * POSITION_NOISE);
}
