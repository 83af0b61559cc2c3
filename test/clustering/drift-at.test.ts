import { expect } from 'chai';
import { type Drift, toldDrift } from '../../src/clustering/drift.ts';
import { driftAt, type DriftModels, judgedPane, withDrift } from '../../src/clustering/drift-at.ts';
import { buildModel, centersOf, type Model } from '../../src/clustering/model.ts';
import { byPlace, type PlacedPane, sourcesAt, type TimeOptions } from '../../src/clustering/model-time.ts';
import { paneGrid } from '../../src/clustering/panes.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { RegionSummary } from '../../src/clustering/region-summary.ts';
import { finish } from '../../src/clustering/slices.ts';
import { regionOf } from '../../src/geo/s2.ts';
import { pointsAt } from './points.ts';

const HOUR = 3_600_000;
const BEGIN = Date.UTC(2026, 0, 1);
const GRID = paneGrid(HOUR, 7 * 24 * HOUR);
const LEVEL = 1;
const K = 4;
const ROWS = 400;

interface Row {
  /** Hours after the beginning. */
  readonly hour: number;
  readonly east: number;
  readonly north: number;
  readonly partition?: number;
}

/** Rows of four places in each hour; from `jump` on two of them are elsewhere. */
function stream(hours: number, jump = Infinity, rows = ROWS): Row[] {
  const random = createRandom(3);
  return Array.from({ length: hours * rows }, (_, row) => {
    const hour = row / rows;
    const place = Math.floor(K * random());
    const away = hour >= jump && place < K / 2;
    return {
      hour,
      east: 30 * place + (away ? 10 : 0) + random(),
      north: (away ? -20 : 20) + random(),
    };
  });
}

function panesOf(rows: readonly Row[]): readonly PlacedPane[] {
  const { x, y, z } = pointsAt(rows.map(({ east, north }) => [east, north] as const));
  const summaries = new Map<string, { summary: RegionSummary; region: number; partition: number }>();
  for (const [row, { hour, partition = 0 }] of rows.entries()) {
    const region = regionOf(x[row] as number, y[row] as number, z[row] as number, LEVEL);
    const key = `${String(region)}/${String(partition)}`;
    const own = summaries.get(key) ?? {
      summary: RegionSummary.empty(region, LEVEL, { features: 500, grid: GRID }),
      region,
      partition,
    };
    summaries.set(key, own);
    own.summary.fold(x, y, z, new Float64Array(rows.length).fill(BEGIN + hour * HOUR), row, row + 1);
  }
  return [...summaries.values()]
    .flatMap(({ partition, region, summary }) => summary.panes.map((pane) => ({ region, partition, pane })))
    .sort(byPlace);
}

const settings = (time: TimeOptions = {}, panes = 3): DriftModels => ({
  model: { k: K, seedings: 3 },
  time,
  drift: { paneMs: HOUR, windowMs: panes * HOUR },
});
const asOf = (hour: number): TimeOptions => ({ asOf: BEGIN + hour * HOUR });
const at = (panes: readonly PlacedPane[], models = settings(), before?: Drift): Drift | undefined =>
  finish(driftAt(panes, models, before));
const hourOf = (pane: number | undefined): number | undefined =>
  pane === undefined ? undefined : (pane - BEGIN) / HOUR;

describe('the pane that is judged', () => {
  const judged = (rows: readonly number[], time: TimeOptions = {}): number | undefined =>
    hourOf(judgedPane(panesOf(rows.map((hour) => ({ hour, east: 0, north: 0 }))), settings(time)));

  it('is the newest with rows that is complete: later ones have come, or none that late are asked for', () => {
    expect(judged([])).to.equal(undefined);
    expect(judged([0.5])).to.equal(undefined);
    expect(judged([0.5, 0.99])).to.equal(undefined);
    expect(judged([0.5, 1])).to.equal(0);
    expect(judged([0.5, 1.5, 2.5])).to.equal(1);
    expect(judged([0.5, 4.5])).to.equal(0);
    const rows = [0.5, 1.5, 2.5];
    expect(judged(rows, asOf(3))).to.equal(2);
    expect(judged(rows, asOf(2))).to.equal(1);
    expect(judged(rows, asOf(9))).to.equal(2);
    expect(judged(rows, asOf(0))).to.equal(undefined);
    expect(judged(rows, { windowMs: HOUR / 2 })).to.equal(undefined);
  });
});

describe('drift of a stream in panes', () => {
  it('is about 1 where all stays as it is', () => {
    const drift = at(panesOf(stream(9)));
    expect(hourOf(drift?.pane)).to.equal(7);
    expect(drift?.alarm).to.equal(false);
    expect(drift?.ratio).to.be.within(0.9, 1.1);
  });

  it('is an alarm after half of the places jumped, and none once the long model has no rows from before', () => {
    const rows = stream(20, 10);
    // Until the short window has left the jump behind, its model too may have a center at a place of before.
    const windows: readonly [number, boolean][] = [
      [10, false],
      [13, true],
      [14, true],
      [20, false],
    ];
    for (const [hour, alarm] of windows) {
      const panes = panesOf(rows.filter((row) => row.hour < hour));
      const drift = at(panes, settings({ ...asOf(hour), windowMs: 8 * HOUR }));
      expect([hourOf(drift?.pane), drift?.alarm], `as of ${String(hour)}`).to.deep.equal([hour - 1, alarm]);
      expect(hourOf(drift?.since)).to.equal(alarm ? hour - 1 : undefined);
    }
  });

  it('goes on from the verdict before', () => {
    const panes = panesOf(stream(14, 10));
    const first = at(panes, settings(asOf(13)));
    const second = at(panes, settings(asOf(14)), first);
    expect([hourOf(second?.pane), hourOf(second?.since)]).to.deep.equal([13, 12]);
  });

  it('does not depend on rows that come later', () => {
    const rows = stream(14, 10);
    for (const hour of [9, 12]) {
      const early = at(panesOf(rows.filter((row) => row.hour < hour)), settings(asOf(hour)));
      const { ratio, ...told } = at(panesOf(rows), settings(asOf(hour))) as Drift;
      expect(told).to.deep.equal({ pane: early?.pane, alarm: early?.alarm, since: early?.since });
      // By then old panes have been merged, and sums round otherwise.
      expect(ratio).to.be.closeTo(early?.ratio as number, 1e-9);
    }
  });

  it('is the same over any number of input partitions, but for how their features round', () => {
    const rows = stream(12, 10);
    const one = at(panesOf(rows));
    const three = at(panesOf(rows.map((row, index) => ({ ...row, partition: index % 3 }))));
    expect(three?.alarm).to.equal(one?.alarm);
    expect(three?.ratio).to.be.closeTo(one?.ratio as number, 0.2 * (one?.ratio as number));
  });

  it('is told of coarser features too, where there are too many', () => {
    const panes = panesOf(stream(9));
    const { model, ...others } = settings();
    const coarse = at(panes, { ...others, model: { ...model, assignFeatures: 300, searchFeatures: 200 } });
    expect(coarse?.ratio).to.be.within(0.9, 1.1);
    expect(coarse?.ratio).to.not.equal(at(panes)?.ratio);
  });

  it('lets rows count by their age in both models', () => {
    // Of what is older than some hours nothing is left: the long model is nearly the short one.
    const panes = panesOf(stream(14, 10));
    expect(at(panes)?.alarm).to.equal(true);
    expect(at(panes, settings({ halfLifeMs: HOUR / 4 }))?.alarm).to.equal(false);
  });

  it('has no verdict while the short model is of all rows, and then no alarm goes on', () => {
    const panes = panesOf(stream(4));
    const none = { ratio: undefined, unjudged: 'no older rows', alarm: false, since: undefined };
    const raised: Drift = { pane: BEGIN, ratio: 3, alarm: true, since: BEGIN };
    expect(at(panes, settings(), raised)).to.deep.equal({ pane: BEGIN + 2 * HOUR, ...none });
    expect(at(panes, settings({}, 2))?.ratio).to.be.above(0);
    expect(at(panesOf(stream(9)), settings({ windowMs: 3 * HOUR }))).to.deep.equal({
      pane: BEGIN + 7 * HOUR,
      ...none,
    });
  });

  it('has no verdict where a region no longer tells apart what is older', () => {
    const rows = stream(9);
    const first = rows[0] as Row;
    const drift = at(panesOf([...rows, { ...first, hour: 300 }]));
    expect([hourOf(drift?.pane), drift?.unjudged]).to.deep.equal([8, 'no older rows']);
    expect(at(panesOf([...rows, { ...first, hour: 14 }]))?.ratio).to.be.within(0.9, 1.1);
  });

  it('has no verdict of a pane with too few rows, and the alarm stays as it was', () => {
    const rows = stream(9).filter(({ hour }) => hour < 7 || hour > 7.9);
    const raised: Drift = { pane: BEGIN, ratio: 3, alarm: true, since: BEGIN };
    expect(at(panesOf(rows), settings(), raised)).to.deep.equal({
      pane: BEGIN + 7 * HOUR,
      ratio: undefined,
      unjudged: 'too few rows',
      alarm: true,
      since: BEGIN,
    });
  });

  it('has nothing to say without a complete pane', () => {
    expect(at([])).to.equal(undefined);
    expect(at(panesOf(stream(1)))).to.equal(undefined);
  });
});

describe('a canonical model', () => {
  const panes = panesOf(stream(14, 10));
  const modelOf = (): Model => buildModel(sourcesAt(panes, {}).sources, settings().model);

  it('says what the search of both models says, with the centers that it has', () => {
    const model = modelOf();
    const told = finish(withDrift(model, panes, settings()));
    expect(told).to.deep.equal({ ...model, drift: toldDrift(at(panes)) });
    expect(told.drift).to.deep.include({ alarm: true, reason: null });
    const own = finish(driftAt(panes, settings(), undefined, centersOf(model)));
    expect(told.drift).to.deep.equal(toldDrift(own));
  });

  it('compares models of as many clusters as it has', () => {
    const model = buildModel(sourcesAt(panes, {}).sources, { k: 2, seedings: 3 });
    const two = { ...settings(), model: { k: 2, seedings: 3 } };
    expect(finish(withDrift(model, panes, settings())).drift).to.deep.equal(toldDrift(at(panes, two)));
  });

  it('says nothing where drift is not looked at', () => {
    const model = modelOf();
    expect(finish(withDrift(model, panes, { ...settings(), drift: undefined }))).to.equal(model);
  });
});
