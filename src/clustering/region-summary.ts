import { type CellAddress, regionAddress } from '../geo/s2.ts';
import { FoldError, InvalidPointError, SummaryFormatError } from './features.ts';
import { FeatureTree } from './feature-tree.ts';
import { Pane } from './pane.ts';
import { type PaneGrid, type PaneSpan, paneAt, paneBoundaries, REST, restBefore } from './panes.ts';
import type { ModelPane } from './model-time.ts';
import type { RegionState, StatePart } from './region-state.ts';
import { decodeHead, decodePane, encodeHead, encodePane, HEAD, type SummaryHead } from './summary-format.ts';

/** How a summary is kept; a change takes effect on the rows to come, and on what is merged from then on. */
export interface SummaryOptions {
  readonly grid: PaneGrid;
  /** Most features of a pane. */
  readonly features: number;
}

/**
 * What a region actor keeps of one (input partition, cell): the clustering features of the accepted rows by
 * panes of event time, how many rows they are, and the watermark, the greatest event time seen. It is a pure
 * function of the sequence of its rows: neither batches nor checkpoints leave a trace in it.
 */
export class RegionSummary implements RegionState {
  /** Index of the region (`src/geo/s2.ts`) at `level`. */
  readonly region: number;
  readonly level: number;
  private readonly grid: PaneGrid;
  private readonly features: number;
  /** Ascending by time; none overlap. */
  private kept: Pane[] = [];
  private folded = 0;
  private latest = -Infinity;
  private boundaries: readonly number[] = [];
  /** Newest pane's end: a time from there on moves the boundaries. None while they are not known. */
  private newestEnd = -Infinity;
  /** Where the last row went. */
  private current: Pane | undefined;

  private constructor(region: number, level: number, { features, grid }: SummaryOptions) {
    this.region = region;
    this.level = level;
    this.grid = grid;
    this.features = features;
  }

  /** @throws RangeError for an unknown region, or a feature limit out of range. */
  static empty(region: number, level: number, options: SummaryOptions): RegionSummary {
    return new RegionSummary(region, level, options);
  }

  /**
   * The summary that these parts are of.
   * @throws SummaryFormatError when they are damaged, of an unknown version, or not all there.
   */
  static decode(parts: ReadonlyMap<string, Uint8Array>, options: SummaryOptions): RegionSummary {
    const { head, panes } = decodeParts(parts, (name, bytes, root) => decodePane(name, bytes, root));
    const summary = new RegionSummary(head.region, head.level, options);
    summary.folded = head.rows;
    summary.latest = head.watermark;
    // As they are stored: the next row arranges them, by a grid that may be another by now.
    summary.kept = panes;
    return summary;
  }

  /** Ordinal of the last folded row: the number of accepted rows. */
  get rows(): number {
    return this.folded;
  }

  /** Greatest event time folded, ms since the epoch; -Infinity before the first row. */
  get watermark(): number {
    return this.latest;
  }

  /** Ascending by time. */
  get panes(): readonly Pane[] {
    return this.kept;
  }

  /**
   * Folds the rows at `[from, to)`: unit vectors inside the region, event times in ms.
   * @throws FoldError naming the row that cannot be folded; those before it are folded and counted. The
   * summary is of no more use then: its time may have gone on to that row's.
   */
  fold(
    x: Float64Array,
    y: Float64Array,
    z: Float64Array,
    time: Float64Array,
    from: number,
    to: number,
  ): void {
    for (let start = from; start < to; ) {
      const first = time[start] as number;
      if (!Number.isFinite(first)) {
        throw new FoldError(start, new InvalidPointError(`event time ${String(first)} is not finite`));
      }
      const pane = this.paneOf(first);
      const growth = start + pane.untilGrowth;
      const end = this.endOfRun(pane, time, start, Math.min(to, growth));
      this.insert(pane, x, y, z, time, start, end);
      if (end === growth) {
        pane.grow(this.features);
      }
      start = end;
    }
  }

  /** The head, then each pane. */
  parts(): readonly StatePart[] {
    const { kept, latest: watermark, level, region, folded: rows } = this;
    const head = { region, level, rows, watermark, panes: kept.map(({ span }) => span.name) };
    return [
      { name: HEAD, revision: String(rows), encode: () => encodeHead(head) },
      ...kept.map((pane) => ({
        name: pane.span.name,
        revision: pane.revision,
        encode: () => encodePane(pane),
      })),
    ];
  }

  /** Rows of one pane, in their order. */
  private insert(
    pane: Pane,
    x: Float64Array,
    y: Float64Array,
    z: Float64Array,
    time: Float64Array,
    from: number,
    to: number,
  ): void {
    try {
      pane.tree.insertColumns(x, y, z, from, to);
    } catch (error) {
      if (error instanceof FoldError) {
        this.count(pane, time, from, error.index);
      }
      throw error;
    }
    this.count(pane, time, from, to);
  }

  private count(pane: Pane, time: Float64Array, from: number, to: number): void {
    let { earliest, latest, timeSum } = pane;
    for (let row = from; row < to; row++) {
      const at = time[row] as number;
      earliest = Math.min(earliest, at);
      latest = Math.max(latest, at);
      timeSum += at;
    }
    pane.earliest = earliest;
    pane.latest = latest;
    pane.timeSum = timeSum;
    pane.rows += to - from;
    this.folded += to - from;
    this.latest = Math.max(this.latest, latest);
  }

  /** The pane of a row; if it is the newest by far, others are merged first. */
  private paneOf(time: number): Pane {
    const { current } = this;
    if (
      current !== undefined &&
      time >= current.span.from &&
      time < Math.min(current.span.to, this.newestEnd)
    ) {
      return current;
    }
    if (time >= this.newestEnd) {
      this.latest = Math.max(this.latest, time);
      this.arrange();
    }
    const found = this.kept.find(({ span }) => time >= span.from && time < span.to);
    this.current = found ?? this.add(paneAt(this.grid, this.boundaries, time));
    return this.current;
  }

  /** The first row behind `from`, which is of the pane, at which that must be asked anew; at most `to`. */
  private endOfRun({ span }: Pane, time: Float64Array, from: number, to: number): number {
    const begin = span.from;
    const end = Math.min(span.to, this.newestEnd);
    let row = from + 1;
    while (row < to && (time[row] as number) >= begin && (time[row] as number) < end) {
      row++;
    }
    return row;
  }

  private add(span: PaneSpan): Pane {
    const root = regionAddress(this.region, this.level);
    const expected = this.rowsExpected(span);
    const room = expected > 0 ? this.kept.at(-1)?.tree.count : undefined;
    const pane = Pane.empty(span, root, this.features, expected, room);
    this.kept.push(pane);
    this.kept.sort((a, b) => a.span.from - b.span.from);
    return pane;
  }

  /** The newest pane is likely to get as many rows as the one before it; an older one gets late rows only. */
  private rowsExpected(span: PaneSpan): number {
    const before = this.kept.at(-1);
    if (before === undefined || before.span.from >= span.from) {
      return 0;
    }
    const share = (span.to - span.from) / (before.span.to - before.span.from);
    return Math.floor(before.rows * share);
  }

  /** Moves the boundaries to the watermark; what lies in one pane by them becomes one, the greater absorbs. */
  private arrange(): void {
    this.boundaries = paneBoundaries(this.grid, this.latest);
    const newest = paneAt(this.grid, this.boundaries, this.latest);
    this.newestEnd = newest.to;
    this.current = undefined;
    const arranged: Pane[] = [];
    for (const pane of this.kept) {
      const span = this.wider(pane.span);
      const last = arranged.at(-1);
      if (last?.span.name !== span.name) {
        pane.span = span;
        arranged.push(pane);
      } else if (pane.rows > last.rows) {
        pane.span = span;
        pane.absorb(last, this.features);
        arranged[arranged.length - 1] = pane;
      } else {
        last.absorb(pane, this.features);
      }
    }
    const older = arranged.filter(({ span }) => span.from < newest.from);
    for (const pane of older) {
      pane.settle(this.features);
    }
    FeatureTree.pack(older.map(({ tree }) => tree));
    this.kept = arranged;
  }

  /** The pane that a pane is to be in now: never a narrower one, which a finer grid would want. */
  private wider(span: PaneSpan): PaneSpan {
    const rest = restBefore(this.boundaries);
    if (span.name === REST || span.from < rest.to) {
      return rest;
    }
    const wanted = paneAt(this.grid, this.boundaries, span.from);
    return wanted.to - wanted.from > span.to - span.from ? wanted : span;
  }
}

/**
 * What is stored of a summary, without going on with it: as the aggregator reads it.
 * @param paneOf decodes a pane, or knows it from before.
 * @param unread what is known of a pane whose part is missing.
 * @throws SummaryFormatError as `RegionSummary.decode` does.
 */
export function decodeParts<P extends Pick<ModelPane, 'span' | 'rows' | 'latest'>>(
  parts: ReadonlyMap<string, Uint8Array>,
  paneOf: (name: string, bytes: Uint8Array, root: CellAddress) => P,
  unread: (name: string) => P | undefined = () => undefined,
): {
  readonly head: SummaryHead;
  readonly panes: P[];
} {
  const stored = parts.get(HEAD);
  if (stored === undefined) {
    throw new SummaryFormatError('a region summary is damaged: it has no head');
  }
  const head = decodeHead(stored);
  const root = regionAddress(head.region, head.level);
  const panes = head.panes.map((name) => {
    const bytes = parts.get(name);
    const pane = bytes === undefined ? unread(name) : paneOf(name, bytes, root);
    if (pane === undefined) {
      throw new SummaryFormatError(`a region summary is damaged: its pane ${name} is missing`);
    }
    return pane;
  });
  if (!panes.every(({ span }, at) => at === 0 || follows(span, panes[at - 1]?.span))) {
    throw new SummaryFormatError('a region summary is damaged: its panes are not in their order');
  }
  const rows = panes.reduce((total, pane) => total + pane.rows, 0);
  const latest = panes.reduce((time, pane) => Math.max(time, pane.latest), -Infinity);
  if (rows !== head.rows || latest !== head.watermark) {
    throw new SummaryFormatError(
      'a region summary is damaged: its panes are not those that its head tells of',
    );
  }
  return { head, panes };
}

function follows(span: PaneSpan, before: PaneSpan | undefined): boolean {
  return before !== undefined && span.name !== REST && span.from >= before.to;
}
