import { expect } from 'chai';
import fc from 'fast-check';
import {
  finestPaneMs,
  paneAt,
  paneBoundaries,
  type PaneGrid,
  paneGrid,
  parsePaneName,
  restBefore,
} from '../../src/clustering/panes.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 10, 25, 9, 59);

const grids = fc
  .record({
    pane: fc.integer({ min: 1000, max: 40 * DAY }),
    history: fc.integer({ min: 1000, max: 3650 * DAY }),
  })
  .map(({ history, pane }) => ({ history, pane, grid: paneGrid(pane, history) }));
const times = fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2200, 0, 1) });

function widthAt(grid: PaneGrid, watermark: number, time: number): number {
  const { from, to } = paneAt(grid, paneBoundaries(grid, watermark), time);
  return to - from;
}

describe('panes of event time', () => {
  it('are an hour halved or doubled, and not wider than asked for', () => {
    const asked = [HOUR, 1.9 * HOUR, 0.9 * HOUR, 15 * 60_000, 10 * 60_000, DAY];
    const widths = asked.map((ms) => widthAt(paneGrid(ms, DAY), NOW, NOW));
    expect(widths).to.deep.equal([HOUR, HOUR, HOUR / 2, HOUR / 4, HOUR / 8, 16 * HOUR]);
    expect(asked.map((ms) => finestPaneMs(paneGrid(ms, DAY)))).to.deep.equal(widths);
  });

  it('get wider with age, and tell all of the history apart', () => {
    const grid = paneGrid(HOUR, 2 * DAY);
    const ages = [0, 4, 7, 15, 30, 47];
    expect(ages.map((hours) => widthAt(grid, NOW, NOW - hours * HOUR) / HOUR)).to.deep.equal([
      1, 1, 2, 4, 8, 16,
    ]);
    expect(widthAt(grid, NOW, NOW - 8 * DAY)).to.equal(Infinity);
    fc.assert(
      fc.property(grids, times, ({ grid: any, history, pane }, watermark) => {
        const [finest, last] = [
          widthAt(any, watermark, watermark),
          paneBoundaries(any, watermark).at(-1) ?? 0,
        ];
        expect(finest).to.be.at.most(Math.max(pane, HOUR / 4096));
        expect(watermark - last).to.be.at.least(Math.min(history, 300 * DAY) * 0.99);
      }),
    );
  });

  it('never cross a boundary, nor each other: a time is in one pane, and that is in one when it is older', () => {
    fc.assert(
      fc.property(
        grids,
        times,
        times,
        fc.integer({ min: 0, max: 400 * DAY }),
        ({ grid }, watermark, time, later) => {
          const before = paneAt(grid, paneBoundaries(grid, watermark), time);
          expect(time).to.be.at.least(before.from).and.below(before.to);
          const boundaries = paneBoundaries(grid, watermark + later);
          const rest = restBefore(boundaries);
          const after = paneAt(grid, boundaries, time);
          if (before.from >= rest.to) {
            expect(after.from).to.be.at.most(before.from);
            expect(after.to).to.be.at.least(before.to);
          }
          if (Number.isFinite(after.from)) {
            expect(parsePaneName(after.name)).to.deep.equal(after);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('are few, however long the history', () => {
    for (const years of [0.1, 1, 10]) {
      const grid = paneGrid(HOUR, years * 365 * DAY);
      const boundaries = paneBoundaries(grid, NOW);
      const names = new Set<string>();
      for (let age = 0; age < years * 365 * DAY; age += HOUR / 2) {
        names.add(paneAt(grid, boundaries, NOW - age).name);
      }
      expect(names.size).to.be.at.most(8 + 4 * grid.widths);
    }
  });

  it('of names that are none are refused', () => {
    for (const name of ['', 'rest', '0', '0@', '@1', '-13@1', '1@1.5', '0@99999999999999999']) {
      expect(() => parsePaneName(name), name).to.throw(RangeError);
    }
  });
});
