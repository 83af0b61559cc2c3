/**
 * Event time in panes: intervals that nest, an hour halved or doubled again and again. The newest rows are in
 * the finest ones; with age they are merged pairwise, so that a history of any length takes as many panes as
 * its length has digits (the exponential histogram of Datar, Gionis, Indyk, Motwani: Maintaining stream
 * statistics over sliding windows, SODA 2002, on boundaries that are the same everywhere).
 */

/** Width of a pane of exponent 0. */
const HOUR_MS = 3_600_000;

/** Exponents of the finest panes: from 0.9 s to 171 days. */
const MIN_PANE_EXPONENT = -12;
const MAX_PANE_EXPONENT = 12;

/** At least so many panes of each width are kept, before two make one of the next. */
const PANES_OF_A_WIDTH = 6;

/** Rows older than all panes that are told apart are in one pane of this name. */
export const REST = 'rest';

/** Event times in `[from, to)`, ms since the epoch. */
export interface PaneSpan {
  /** The same for the same span, everywhere and for ever: `<exponent>@<index>`, or REST. */
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** The finest panes, and in how many widths older rows are told apart. */
export interface PaneGrid {
  /** The finest panes are of an hour times 2^exponent. */
  readonly exponent: number;
  readonly widths: number;
}

/**
 * The grid of panes not wider than `paneMs` that tells rows apart for at least `historyMs` before the newest.
 */
export function paneGrid(paneMs: number, historyMs: number): PaneGrid {
  const exponent = Math.min(
    MAX_PANE_EXPONENT,
    Math.max(MIN_PANE_EXPONENT, Math.floor(Math.log2(paneMs / HOUR_MS))),
  );
  let widths = 1;
  while (
    exponent + widths <= MAX_PANE_EXPONENT &&
    (PANES_OF_A_WIDTH - 1) * widthOf(exponent + widths - 1) < historyMs
  ) {
    widths++;
  }
  return { exponent, widths };
}

/** Width of the finest panes, ms. */
export function finestPaneMs({ exponent }: PaneGrid): number {
  return widthOf(exponent);
}

/**
 * Where the panes of each width begin when the newest row is of `watermark`: entry w is the least time that is
 * in a pane of width w; older rows are in wider ones, and before the last entry in REST.
 */
export function paneBoundaries({ exponent, widths }: PaneGrid, watermark: number): readonly number[] {
  return Array.from({ length: widths }, (_, step) => {
    const width = widthOf(exponent + step);
    const newest = Math.floor(watermark / width);
    // Even, so that a pane of the next width begins there too.
    return 2 * Math.floor((newest - PANES_OF_A_WIDTH + 1) / 2) * width;
  });
}

/** The pane that a time is in, by the boundaries of its grid. */
export function paneAt(grid: PaneGrid, boundaries: readonly number[], time: number): PaneSpan {
  const step = boundaries.findIndex((boundary) => time >= boundary);
  if (step < 0) {
    return restBefore(boundaries);
  }
  const exponent = grid.exponent + step;
  return spanOf(exponent, Math.floor(time / widthOf(exponent)));
}

/** The pane of all that is older than what the boundaries tell apart. */
export function restBefore(boundaries: readonly number[]): PaneSpan {
  return { name: REST, from: -Infinity, to: boundaries.at(-1) as number };
}

/** @throws RangeError when it is not the name of a pane. */
export function parsePaneName(name: string): PaneSpan {
  const match = /^(-?\d{1,2})@(-?\d{1,16})$/.exec(name);
  const exponent = Number(match?.[1]);
  const index = Number(match?.[2]);
  if (match === null || exponent < MIN_PANE_EXPONENT || !Number.isSafeInteger(index)) {
    throw new RangeError(`${name} is not the name of a pane`);
  }
  return spanOf(exponent, index);
}

function spanOf(exponent: number, index: number): PaneSpan {
  const width = widthOf(exponent);
  return { name: `${String(exponent)}@${String(index)}`, from: index * width, to: (index + 1) * width };
}

/** Exact for all exponents in use: an hour is 28,125 times 2^7 ms. */
function widthOf(exponent: number): number {
  return HOUR_MS * 2 ** exponent;
}
