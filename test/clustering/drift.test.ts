import { expect } from 'chai';
import {
  CLEAR_RATIO,
  type Drift,
  driftEvent,
  driftOf,
  LEAST_ROWS,
  LEAST_ROWS_PER_CENTER,
  RAISE_RATIO,
  toldDrift,
  unjudged,
} from '../../src/clustering/drift.ts';
import { allocateFeatures, type FeatureColumns, featuresOfPoints } from '../../src/clustering/features.ts';
import { searchCenters } from '../../src/clustering/kmeans.ts';
import { allocateCenters, type Centers } from '../../src/clustering/kmeans-passes.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { finish } from '../../src/clustering/slices.ts';
import { EARTH_RADIUS_KM } from '../../src/geo/sphere.ts';
import { cityPoints, type Points, pointsAt } from './points.ts';

type Place = readonly [east: number, north: number];

const KM_PER_DEGREE = (Math.PI / 180) * EARTH_RADIUS_KM;
const HALF_HOUR = 1_800_000;

const features = ({ x, y, z }: Points): FeatureColumns => featuresOfPoints(x, y, z);
const centersAt = (...places: Place[]): Centers => ({ count: places.length, ...pointsAt(places) });
const search = (points: Points, k: number): Centers => finish(searchCenters(features(points), { k })).centers;

/** The rows of some panes of a stream of equal ones. */
function panes({ x, y, z }: Points, rows: number, from: number, to: number): Points {
  const part = (column: Float64Array): Float64Array => column.subarray(from * rows, to * rows);
  return { x: part(x), y: part(y), z: part(z) };
}

/** `rows` at one place, each so many km to the north of it. */
const rowsAt = ([east, north]: Place, rows: number, km = 0): FeatureColumns =>
  features(pointsAt(Array.from({ length: rows }, (): Place => [east, north + km / KM_PER_DEGREE])));

/** The model that costs a pane at (0, 0) `ratio` times as much as one with its center 1 km off. */
const kmOff = (ratio: number): Centers => centersAt([0, Math.sqrt(ratio) / KM_PER_DEGREE]);
const look = (start: number, ratio: number, before?: Drift): Drift =>
  finish(
    driftOf({ start, features: rowsAt([0, 0], 200), effectiveRows: 200 }, kmOff(ratio), kmOff(1), before),
  );

describe('drift', () => {
  it('is the cost of the newest pane at the long model over that at the short one', () => {
    const drift = finish(
      driftOf(
        {
          start: 7,
          features: {
            ...rowsAt([0, 0], 100),
            weight: new Float64Array(100).fill(3),
            sse: new Float64Array(100).fill(2e-6),
          },
          effectiveRows: 100,
        },
        centersAt([0.1, 0]),
        centersAt([0, 0.05], [90, 0]),
        undefined,
      ),
    );
    const chord = (degrees: number): number => 4 * Math.sin((degrees * Math.PI) / 360) ** 2;
    expect(drift.ratio).to.be.closeTo((3 * chord(0.1) + 2e-6) / (3 * chord(0.05) + 2e-6), 1e-9);
    expect(drift).to.deep.include({ pane: 7, alarm: true, since: 7 });
  });

  it('raises an alarm at 1.5, keeps it down to 1.2 and tells since when it is', () => {
    expect([RAISE_RATIO, CLEAR_RATIO]).to.deep.equal([1.5, 1.2]);
    let drift: Drift | undefined;
    const told: (readonly [boolean, number | undefined])[] = [];
    for (const [pane, ratio] of [1, 1.49, 1.51, 3, 1.49, 1.21, 1.19, 1.3, 1.49, 1.6].entries()) {
      drift = look(pane, ratio, drift);
      expect(drift.pane).to.equal(pane);
      expect(drift.ratio).to.be.closeTo(ratio, 1e-6);
      told.push([drift.alarm, drift.since]);
    }
    const quiet = [false, undefined] as const;
    const since = (pane: number): readonly [boolean, number] => [true, pane];
    expect(told).to.deep.equal([
      ...[quiet, quiet],
      ...[since(2), since(2), since(2), since(2)],
      ...[quiet, quiet, quiet],
      since(9),
    ]);
  });

  it('is told as soon as half of the hot spots have jumped, until the long window has followed', () => {
    const rows = 1000;
    const random = createRandom(11);
    const spots = Array.from({ length: 8 }, (_, n): Place => [-140 + 35 * n, 40 * Math.sin(n)]);
    const jumped = spots.map(
      ([east, north], n): Place => (n % 2 === 0 ? [east + 15, -north] : [east, north]),
    );
    const stream = pointsAt(
      Array.from({ length: 30 * rows }, (_, row): Place => {
        const [east, north] = (row < 15 * rows ? spots : jumped)[row % 8] as Place;
        return [east + random() - 0.5, north + random() - 0.5];
      }),
    );
    let drift: Drift | undefined;
    const alarms: number[] = [];
    for (let end = 6; end <= 30; end++) {
      const long = search(panes(stream, rows, Math.max(0, end - 12), end), 8);
      const short = search(panes(stream, rows, Math.max(0, end - 3), end), 8);
      const newest = features(panes(stream, rows, end - 1, end));
      const start = (end - 1) * HALF_HOUR;
      drift = finish(driftOf({ start, features: newest, effectiveRows: rows }, long, short, drift));
      if (drift.alarm) {
        alarms.push(end - 1);
        expect(drift.since).to.equal((alarms[0] as number) * HALF_HOUR);
      }
    }
    // The short window needs a pane or two to follow, the long one at most all of its own.
    expect(alarms[0]).to.be.within(15, 17);
    expect(alarms.at(-1)).to.be.within(18, 26);
    expect(alarms).to.have.length((alarms.at(-1) as number) - (alarms[0] as number) + 1);
  }).timeout(120_000);

  it('is never told of a stream that stays as it is', () => {
    const k = 5;
    const rows = k * LEAST_ROWS_PER_CENTER;
    for (let seed = 1; seed <= 50; seed++) {
      const stream = cityPoints(14 * rows, 8, seed);
      let drift: Drift | undefined;
      for (let end = 12; end <= 14; end++) {
        const long = search(panes(stream, rows, end - 12, end), k);
        const short = search(panes(stream, rows, end - 3, end), k);
        const newest = features(panes(stream, rows, end - 1, end));
        drift = finish(driftOf({ start: end, features: newest, effectiveRows: rows }, long, short, drift));
        expect(drift.ratio, `seed ${String(seed)}`).to.be.within(0.5, RAISE_RATIO);
        expect(drift.alarm, `seed ${String(seed)}`).to.be.false;
      }
    }
  }).timeout(120_000);

  it('gives no verdict of too few rows, and leaves the alarm as it was', () => {
    const few = (effectiveRows: number, centers: number, before?: Drift): Drift => {
      const short = centersAt(...Array.from({ length: centers }, (_, n): Place => [n, 0]));
      return finish(
        driftOf({ start: 5, features: rowsAt([0, 0], 200), effectiveRows }, kmOff(1e4), short, before),
      );
    };
    const none = { pane: 5, ratio: undefined, unjudged: 'too few rows' };
    const raised = look(2, 9);
    for (const [rows, centers] of [
      [LEAST_ROWS - 1, 1],
      [10 * LEAST_ROWS_PER_CENTER - 1, 10],
      [0, 1],
      [Number.NaN, 1],
    ] as const) {
      expect(few(rows, centers)).to.deep.equal({ ...none, alarm: false, since: undefined });
      expect(few(rows, centers, look(2, 1))).to.deep.equal({ ...none, alarm: false, since: undefined });
      expect(few(rows, centers, raised)).to.deep.equal({ ...none, alarm: true, since: 2 });
    }
    expect(few(LEAST_ROWS, 1).alarm).to.be.true;
    expect(few(10 * LEAST_ROWS_PER_CENTER, 10).alarm).to.be.true;
  });

  it('gives no verdict without rows or centers', () => {
    const pane = { start: 5, features: rowsAt([0, 0], 200), effectiveRows: 200 };
    const empty = { ...pane, features: allocateFeatures(0) };
    const nothing = allocateCenters(0);
    const raised = look(2, 9);
    for (const steps of [
      driftOf(pane, nothing, kmOff(1), raised),
      driftOf(pane, kmOff(1), nothing, raised),
      driftOf(empty, kmOff(9), kmOff(1), raised),
    ]) {
      expect(finish(steps)).to.deep.equal({
        pane: 5,
        ratio: undefined,
        unjudged: 'too few rows',
        alarm: true,
        since: 2,
      });
    }
  });

  it('takes metres for the same place, also where all rows are at one, and kilometres not', () => {
    const at = (km: number): number | undefined =>
      finish(
        driftOf(
          { start: 1, features: rowsAt([0, 0], 200), effectiveRows: 200 },
          centersAt([0, km / KM_PER_DEGREE]),
          centersAt([0, 0]),
          undefined,
        ),
      ).ratio;
    expect([at(0), at(0.004)]).to.deep.equal([1, 1]);
    expect(at(0.01)).to.be.closeTo(4, 1e-3);
    expect(at(1)).to.be.closeTo(40_000, 1);
  });

  it('is worked out in steps, and leaves its arguments alone', () => {
    const pane = { start: 1, features: features(cityPoints(50_000, 8, 1)), effectiveRows: 50_000 };
    const centers = search(cityPoints(500, 8, 1), 8);
    const weight = pane.features.weight.slice();
    const steps = driftOf(pane, centers, centers, undefined);
    let yields = 0;
    while (steps.next().done !== true) {
      yields++;
    }
    expect(yields).to.be.at.least(4);
    expect(pane.features.weight).to.deep.equal(weight);
  });

  it('is told with times that anybody reads', () => {
    const iso = (pane: number): string => new Date(pane).toISOString();
    expect(toldDrift(undefined)).to.deep.equal({
      pane: null,
      ratio: null,
      alarm: false,
      since: null,
      reason: 'no pane yet',
    });
    const raised = look(2, 3);
    const { ratio } = raised;
    expect(toldDrift(raised)).to.deep.equal({
      pane: iso(2),
      ratio,
      alarm: true,
      since: iso(2),
      reason: null,
    });
    expect(toldDrift(unjudged(4, 'too few rows', raised))).to.deep.equal({
      pane: iso(4),
      ratio: null,
      alarm: true,
      since: iso(2),
      reason: 'too few rows',
    });
    expect(toldDrift(look(5, 1.1, raised))).to.deep.include({ alarm: false, since: null });
  });

  it('is an event where the alarm is raised or cleared, and nowhere else', () => {
    const iso = (pane: number): string => new Date(pane).toISOString();
    const calm = look(1, 1);
    const raised = look(2, 3, calm);
    const still = look(3, 1.3, raised);
    const cleared = look(4, 1.1, still);
    const since = iso(2);
    expect(driftEvent(calm, raised)).to.deep.equal({
      type: 'drift-raised',
      pane: since,
      ratio: raised.ratio,
      since,
    });
    expect(driftEvent(undefined, raised)).to.deep.equal(driftEvent(calm, raised));
    expect(driftEvent(still, cleared)).to.deep.equal({
      type: 'drift-cleared',
      pane: iso(4),
      ratio: cleared.ratio,
      since,
    });
    for (const [before, now] of [
      [undefined, undefined],
      [undefined, calm],
      [calm, calm],
      [raised, still],
      [raised, unjudged(3, 'too few rows', raised)],
      [cleared, look(5, 1, cleared)],
    ] as const) {
      expect(driftEvent(before, now)).to.equal(undefined);
    }
    expect(driftEvent(raised, unjudged(6, 'no older rows', undefined))).to.deep.equal({
      type: 'drift-cleared',
      pane: iso(6),
      ratio: null,
      since,
    });
  });
});
