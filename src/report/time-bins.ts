import type { TimeBin } from './report-data.ts';

/** Most bins of a report. */
const BINS = 96;
const MINUTE_MS = 60_000;

/** Rows of which nothing is known but when the first and the last was; the first -Infinity where time is not kept. */
interface TimedRows {
  readonly earliest: number;
  readonly latest: number;
  readonly rows: number;
}

/**
 * Rows over event time as the panes know them: those of a pane are spread evenly from its earliest to its latest
 * row. Bins are whole minutes wide, at most one more than `BINS` of them.
 */
export function binsOf(panes: readonly TimedRows[]): readonly TimeBin[] {
  const kept = panes.filter(({ earliest, rows }) => rows > 0 && Number.isFinite(earliest));
  if (kept.length === 0) {
    return [];
  }
  const earliest = kept.reduce((least, pane) => Math.min(least, pane.earliest), Infinity);
  const latest = kept.reduce((most, pane) => Math.max(most, pane.latest), -Infinity);
  const width = MINUTE_MS * Math.max(1, Math.ceil((latest - earliest) / MINUTE_MS / BINS));
  const begin = Math.floor(earliest / width) * width;
  const rows = new Float64Array(Math.floor((latest - begin) / width) + 1);
  for (const pane of kept) {
    const first = Math.floor((pane.earliest - begin) / width);
    const last = Math.floor((pane.latest - begin) / width);
    const span = pane.latest - pane.earliest;
    for (let bin = first; bin <= last; bin++) {
      const from = Math.max(pane.earliest, begin + bin * width);
      const to = Math.min(pane.latest, begin + (bin + 1) * width);
      rows[bin] = (rows[bin] as number) + pane.rows * (span === 0 ? 1 : (to - from) / span);
    }
  }
  return Array.from(rows, (count, bin) => ({
    from: begin + bin * width,
    to: begin + (bin + 1) * width,
    rows: count,
  }));
}
