import { expect } from 'chai';
import { type PlacedPane, sourcesAt, type TimeOptions } from '../../src/clustering/model-time.ts';
import { Pane } from '../../src/clustering/pane.ts';
import { paneAt, paneBoundaries, paneGrid } from '../../src/clustering/panes.ts';
import { regionAddress, regionOf } from '../../src/geo/s2.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 25, 12);
const GRID = paneGrid(HOUR, 7 * 24 * HOUR);
const BOUNDARIES = paneBoundaries(GRID, NOW);
const REGION = regionOf(1, 0, 0, 3);

/** A pane with a row at each of these times before NOW, in hours, all in one place. */
function paneOf(hours: readonly number[], region = REGION, partition = 0): PlacedPane {
  const times = hours.map((before) => NOW - before * HOUR);
  const pane = Pane.empty(paneAt(GRID, BOUNDARIES, times[0] as number), regionAddress(REGION, 3), 100);
  for (const time of times) {
    expect(time).to.be.at.least(pane.span.from).and.below(pane.span.to);
    pane.tree.insert(1, 0, 0);
    pane.rows++;
    pane.earliest = Math.min(pane.earliest, time);
    pane.latest = Math.max(pane.latest, time);
    pane.timeSum += time;
  }
  return { region, partition, pane };
}

/** Which panes count, by their rows' ages in hours, and how much. */
function counted(panes: readonly PlacedPane[], options: TimeOptions): [number, number][] {
  return sourcesAt(panes, options).sources.map(({ factor = Number.NaN, tree }) => [
    Math.round((NOW - (panes.find(({ pane }) => pane.tree === tree)?.pane.meanTime ?? NaN)) / HOUR),
    factor,
  ]);
}

function iso(hoursBefore: number): string {
  return new Date(NOW - hoursBefore * HOUR).toISOString();
}

// From old to new, as the fixed order wants them.
const PANES = [[100], [20.5, 21.5], [3.5], [2.25, 2.75], [1.1], [0]].map((hours) => paneOf(hours));

describe('the time of a model', () => {
  it('is all of it, each row counting once, where nothing else is asked for', () => {
    const { sources, time } = sourcesAt(PANES, {});
    expect(sources.map(({ factor }) => factor)).to.deep.equal([1, 1, 1, 1, 1, 1]);
    expect(time).to.deep.equal({ from: null, to: null, watermark: iso(0), rows: 8, halfLifeSeconds: null });
    expect(sourcesAt([], { asOf: NOW, windowMs: HOUR, halfLifeMs: HOUR })).to.deep.equal({
      sources: [],
      time: { from: null, to: iso(0), watermark: null, rows: 0, halfLifeSeconds: 3600 },
      span: { earliest: null, latest: null },
    });
  });

  it('is made of the same sources again as long as their panes count the same', () => {
    const kept = PANES.map((placed) => ({ ...placed, memo: { source: undefined } }));
    const first = sourcesAt(kept, {}).sources;
    expect(first).to.deep.equal(sourcesAt(PANES, {}).sources);
    const again = sourcesAt(kept.slice(1), {}).sources;
    expect(again.every((source, at) => source === first[at + 1])).to.equal(true);
    const aged = { halfLifeMs: HOUR };
    expect(sourcesAt(kept, aged)).to.deep.equal(sourcesAt(PANES, aged));
    expect(sourcesAt(kept, {})).to.deep.equal(sourcesAt(PANES, {}));
  });

  it('counts a row half after a half-life, by the mean of its pane, to the newest row', () => {
    const { sources, time } = sourcesAt(PANES, { halfLifeMs: 2.5 * HOUR });
    const expected = [2 ** -40, 2 ** -8.4, 2 ** -1.4, 0.5, 2 ** -0.44, 1];
    for (const [index, { factor }] of sources.entries()) {
      expect(factor).to.be.closeTo(expected[index] as number, 1e-12 * (expected[index] as number));
    }
    expect(time.halfLifeSeconds).to.equal(9000);
    // One that counts next to nothing does not count: no square of it may vanish.
    expect(counted(PANES, { halfLifeMs: HOUR / 10 }).map(([hours]) => hours)).to.deep.equal([21, 4, 3, 1, 0]);
  });

  it('leaves out what is before the window, and keeps a pane that lies across its beginning', () => {
    const twoAndAHalf = sourcesAt(PANES, { windowMs: 2.5 * HOUR });
    expect([twoAndAHalf.time.from, twoAndAHalf.time.rows]).to.deep.equal([iso(3), 4]);
    expect(sourcesAt(PANES, { windowMs: 3 * HOUR }).time).to.include({ from: iso(3), rows: 4 });
    expect(sourcesAt(PANES, { windowMs: 0 }).time).to.include({ from: iso(0), rows: 1 });
    expect(sourcesAt(PANES, { windowMs: 1000 * HOUR }).time.rows).to.equal(8);
  });

  it('goes back to what was so, and leaves out a pane that has rows from then on', () => {
    const at = (hours: number, options: TimeOptions = {}): unknown => {
      const { time } = sourcesAt(PANES, { asOf: NOW - hours * HOUR, ...options });
      return [time.to, time.watermark, time.rows];
    };
    expect(at(-1)).to.deep.equal([iso(-1), iso(0), 8]);
    // Rows at the time itself are of after it.
    expect(at(0)).to.deep.equal([iso(0), iso(1.1), 7]);
    expect(at(2.5)).to.deep.equal([iso(3), iso(3.5), 4]);
    expect(at(2)).to.deep.equal([iso(2), iso(2.25), 6]);
    expect(at(1000)).to.deep.equal([iso(1000), null, 0]);
    const aged = sourcesAt(PANES, { asOf: NOW - 2 * HOUR, halfLifeMs: HOUR });
    expect(aged.sources.at(-1)?.factor).to.be.closeTo(2 ** -0.25, 1e-12);
  });

  it('spans the rows that count', () => {
    expect(sourcesAt(PANES, {}).span).to.deep.equal({ earliest: iso(100), latest: iso(0) });
    const { span } = sourcesAt(PANES, { asOf: NOW - 2 * HOUR, windowMs: 24 * HOUR });
    expect(span).to.deep.equal({ earliest: iso(21.5), latest: iso(2.25) });
  });

  it('is the same time for all regions: where a wide pane of one is cut, no other goes beyond', () => {
    const wide = paneOf([20.5, 21.5], REGION + 1);
    const panes = [...PANES.slice(2), paneOf([21.2], REGION, 1), wide];
    const { time } = sourcesAt(panes, { asOf: NOW - 20.7 * HOUR });
    expect([time.rows, Date.parse(time.to ?? '')]).to.deep.equal([0, wide.pane.span.from]);
  });
});
