import type { FeatureSource, ModelSource } from './model-features.ts';
import type { PaneSpan } from './panes.ts';
import { finish, type Steps } from './slices.ts';

/** Rows of one region that are of one age for a model. */
export interface ModelPane {
  readonly span: PaneSpan;
  readonly tree: FeatureSource & { readonly memoryBytes: number };
  readonly rows: number;
  /** Least, greatest and mean event time of the rows, ms since the epoch; -Infinity where it is not known. */
  readonly earliest: number;
  readonly latest: number;
  readonly meanTime: number;
}

/** A pane and whose it is. */
export interface PlacedPane {
  readonly region: number;
  /** Input partition of its rows. */
  readonly partition: number;
  readonly pane: ModelPane;
  /** Where it is used for one model after another. Default: its source is made anew each time. */
  readonly memo?: SourceMemo;
}

/** The source that a pane was last: as long as it counts the same that is given again, not to be made or compared. */
export interface SourceMemo {
  source: ModelSource | undefined;
}

/** Which rows a model is of, and how much an older one counts. */
export interface TimeOptions {
  /** A row that is older by so many ms counts half; undefined: all count the same. */
  readonly halfLifeMs?: number | undefined;
  /** Rows that are older than the newest by more ms than this do not count; undefined: all do. */
  readonly windowMs?: number | undefined;
  /** Rows from this time on do not count, ms since the epoch; undefined: all do. */
  readonly asOf?: number | undefined;
}

/** Which rows a model is of: times as ISO 8601 in UTC. */
export interface ModelTime {
  /** Event times of the rows that count are from this one on; null: no bound. */
  readonly from: string | null;
  /** They are before this one; null: no bound. */
  readonly to: string | null;
  /** Greatest event time of the rows that count: ages are measured to it. Null: there are none. */
  readonly watermark: string | null;
  /** How many rows count, each once. */
  readonly rows: number;
  /** The age at which a row counts half; null: at any age it counts as one. */
  readonly halfLifeSeconds: number | null;
}

/** Event times of the oldest and the newest row that counts, as ISO 8601 in UTC; null: there are none. */
export interface RowSpan {
  readonly earliest: string | null;
  readonly latest: string | null;
}

export interface TimedSources {
  /** In the fixed order of a model. */
  readonly sources: readonly ModelSource[];
  readonly time: ModelTime;
  readonly span: RowSpan;
}

/** Panes between two yields: a fraction of a millisecond, also before the engine compiles it. */
const PANES_PER_STEP = 256;
/** A row that would count less does not count: squares of it are still numbers. */
const LEAST_FACTOR = 2 ** -400;

/** Fixed order of a model's sources: by region, then by partition, then by time. */
export function byPlace(a: PlacedPane, b: PlacedPane): number {
  return a.region - b.region || a.partition - b.partition || a.pane.span.from - b.pane.span.from;
}

export interface CountedPanes {
  /** In the order in which they were given. */
  readonly counted: readonly PlacedPane[];
  /** Each row of a pane that counts does so by this much, above 0. */
  readonly factorOf: (pane: ModelPane) => number;
  /** Greatest event time of all rows before `to`, ms since the epoch; -Infinity: there are none. */
  readonly watermark: number;
  /** Their event times are from this one on, and before `to`; undefined: no bound. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/**
 * The panes that count and by how much: each row counts as the mean of its pane does, 2^(-age / half-life),
 * its age being measured to the newest row that counts and never to a clock.
 *
 * A pane counts as a whole or not at all. So a time that is asked for lies where no pane of any region is cut
 * by it: rows of a pane that holds rows before and after `asOf` do not count, and those of one across the
 * beginning of the window do; `to` and `from` say what time that makes of it.
 */
export function countedAt(panes: readonly PlacedPane[], options: TimeOptions): CountedPanes {
  const { asOf, halfLifeMs, windowMs } = options;
  const to = asOf === undefined ? undefined : uncut(panes, asOf);
  const past = to === undefined ? panes : panes.filter(({ pane }) => pane.latest < to);
  const watermark = past.reduce((latest, { pane }) => Math.max(latest, pane.latest), -Infinity);
  const from = windowMs === undefined || past.length === 0 ? undefined : uncut(past, watermark - windowMs);
  const recent = from === undefined ? past : past.filter(({ pane }) => pane.earliest >= from);
  if (halfLifeMs === undefined) {
    return { counted: recent, factorOf: () => 1, watermark, from, to };
  }
  const factorOf = (pane: ModelPane): number => 2 ** (-(watermark - pane.meanTime) / halfLifeMs);
  const counted = recent.filter(({ pane }) => factorOf(pane) >= LEAST_FACTOR);
  return { counted, factorOf, watermark, from, to };
}

/** What a model is made of: a pane whose rows count `factor` times. */
export function sourceOf({ memo, pane, partition, region }: PlacedPane, factor: number): ModelSource {
  if (memo?.source?.factor === factor) {
    return memo.source;
  }
  const source = { region, partition, pane: pane.span.from, tree: pane.tree, rows: pane.rows, factor };
  if (memo !== undefined) {
    memo.source = source;
  }
  return source;
}

/**
 * The panes that count as what a model is made of, and which rows that are.
 * @param panes in the fixed order of a model.
 */
export function sourcesAt(panes: readonly PlacedPane[], options: TimeOptions): TimedSources {
  return finish(sourceSteps(panes, options));
}

/** The same in steps: there may be thousands of panes. */
export function* sourceSteps(panes: readonly PlacedPane[], options: TimeOptions): Steps<TimedSources> {
  const all = countedAt(panes, options);
  yield;
  const { counted, from, to, watermark } = all;
  const { halfLifeMs } = options;
  const gathered = { sources: [], rows: 0, earliest: Infinity, latest: -Infinity };
  for (let first = 0; first < counted.length; first += PANES_PER_STEP) {
    gather(all, first, Math.min(counted.length, first + PANES_PER_STEP), gathered);
    yield;
  }
  const { earliest, latest, rows, sources } = gathered;
  return {
    sources,
    time: {
      from: isoTime(from),
      to: isoTime(to),
      watermark: isoTime(watermark),
      rows,
      halfLifeSeconds: halfLifeMs === undefined ? null : halfLifeMs / 1000,
    },
    span: { earliest: isoTime(earliest), latest: isoTime(latest) },
  };
}

interface Gathered {
  readonly sources: ModelSource[];
  rows: number;
  earliest: number;
  latest: number;
}

/** Adds the panes of `[from, to)`. */
function gather({ counted, factorOf }: CountedPanes, from: number, to: number, into: Gathered): void {
  for (let at = from; at < to; at++) {
    const placed = counted[at] as PlacedPane;
    const { pane } = placed;
    into.sources.push(sourceOf(placed, factorOf(pane)));
    into.rows += pane.rows;
    into.earliest = Math.min(into.earliest, pane.earliest);
    into.latest = Math.max(into.latest, pane.latest);
  }
}

function isoTime(ms: number | undefined): string | null {
  return ms === undefined || !Number.isFinite(ms) ? null : new Date(ms).toISOString();
}

/** The latest time, not after `time`, that has rows of no pane on both sides. */
function uncut(panes: readonly PlacedPane[], time: number): number {
  let at = time;
  for (;;) {
    const before = at;
    for (const { pane } of panes) {
      if (pane.earliest < at && pane.latest >= at) {
        at = pane.span.from;
      }
    }
    if (at === before) {
      return at;
    }
  }
}
