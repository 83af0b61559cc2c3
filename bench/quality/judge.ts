/** What one stream showed. Costs are sums over the rows of squared chords. */
export interface Measured {
  readonly rows: number;
  /** Of the raw rows and the exported centers. */
  readonly cost: number;
  /** Of the reference's centers. */
  readonly reference: number;
  readonly bounds: { readonly lower: number; readonly upper: number };
  /** Weight that the exported model says. */
  readonly weight: number;
}

/** Streams of one scenario and one form of event times. */
export interface Series {
  readonly name: string;
  readonly streams: readonly Measured[];
}

/** Below so much a row a cost is about 0: less than 10 m in root mean square. */
const ABOUT_ZERO = 1e-12;
const MEAN_RATIO = 1.005;
const WORST_RATIO = 1.02;
const WIDTH = 0.05;

const isAboutZero = (cost: number, rows: number): boolean => cost <= ABOUT_ZERO * rows;

/** Cost to that of the reference; 1 where both are about 0. */
export function ratioOf({ cost, reference, rows }: Pick<Measured, 'cost' | 'reference' | 'rows'>): number {
  return isAboutZero(reference, rows) && isAboutZero(cost, rows) ? 1 : cost / reference;
}

/** Width of the bound relative to the true cost; 0 where the width is about 0 and so is the cost. */
export function widthOf({ bounds, cost, rows }: Pick<Measured, 'bounds' | 'cost' | 'rows'>): number {
  const width = bounds.upper - bounds.lower;
  return isAboutZero(cost, rows) && isAboutZero(width, rows) ? 0 : width / cost;
}

export function isInside({ bounds, cost }: Pick<Measured, 'bounds' | 'cost'>): boolean {
  return bounds.lower <= cost && cost <= bounds.upper;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export interface Verdict {
  readonly target: string;
  /** Series that miss it, and by what. */
  readonly missedBy: readonly string[];
}

interface Target {
  readonly target: string;
  /** What a series shows, the less the better. */
  readonly shown: (streams: readonly Measured[]) => number;
  readonly most: number;
  readonly written: (shown: number) => string;
}

const worst = (of: (stream: Measured) => number) => (streams: readonly Measured[]) =>
  Math.max(...streams.map(of));

const TARGETS: readonly Target[] = [
  {
    target: `mean ratio <= ${String(MEAN_RATIO)}`,
    shown: (streams) => mean(streams.map(ratioOf)),
    most: MEAN_RATIO,
    written: (ratio) => ratio.toFixed(4),
  },
  {
    target: `worst ratio <= ${String(WORST_RATIO)}`,
    shown: worst(ratioOf),
    most: WORST_RATIO,
    written: (ratio) => ratio.toFixed(4),
  },
  {
    target: 'bound width <= 5 % of the true cost, or 1e-12 a row where that is about 0',
    shown: worst(widthOf),
    most: WIDTH,
    written: (width) => `${(100 * width).toFixed(2)} %`,
  },
  {
    target: 'true cost always inside the bound',
    shown: (streams) => streams.filter((stream) => !isInside(stream)).length,
    most: 0,
    written: (outside) => `${String(outside)} outside`,
  },
  {
    target: 'weight of the model = rows',
    shown: (streams) => streams.filter(({ rows, weight }) => rows !== weight).length,
    most: 0,
    written: (wrong) => `${String(wrong)} wrong`,
  },
];

/** What is not a number, as of an empty series, misses its target. */
export function judge(all: readonly Series[]): readonly Verdict[] {
  return TARGETS.map(({ most, shown, target, written }) => ({
    target,
    missedBy: all.flatMap(({ name, streams }) => {
      const value = streams.length === 0 ? Number.NaN : shown(streams);
      return value <= most ? [] : [`${name} (${written(value)})`];
    }),
  }));
}
