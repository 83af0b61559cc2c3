import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { paneGrid } from '../../src/clustering/panes.ts';
import { FeatureTree } from '../../src/clustering/feature-tree.ts';
import { RegionSummary } from '../../src/clustering/region-summary.ts';
import { cellVertices, regionAddress, regionOf } from '../../src/geo/s2.ts';
import type { UnitVector } from '../../src/geo/sphere.ts';
import { cityPoints, type Points, pointsAt, within } from './points.ts';

const LEVEL = 3;
const HOUR = 3_600_000;

describe('the features of a pane', () => {
  it('grow in number with the power 5/8 of its rows, up to the limit', () => {
    const all = cityPoints(60_000, 6, 5);
    const region = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, LEVEL);
    const { x, y, z } = within(all, region, LEVEL);
    const time = new Float64Array(x.length).fill(HOUR / 2);
    const options = { features: 700, grid: paneGrid(HOUR, HOUR) };
    const summary = RegionSummary.empty(region, LEVEL, options);
    const counts: [number, number][] = [];
    let from = 0;
    for (const to of [1000, 4000, 16_000, x.length]) {
      summary.fold(x, y, z, time, from, to);
      from = to;
      const tree = summary.panes[0]?.tree;
      counts.push([tree?.limit ?? 0, tree?.count ?? 0]);
    }
    expect(counts.map(([limit]) => limit)).to.deep.equal([153, 363, 700, 700]);
    for (const [limit, count] of counts) {
      expect(count).to.be.within(limit / 3, limit);
    }
  });

  it('are to the byte those of version 0.1.0: stored states go on as they would have', () => {
    const all = cityPoints(120_000, 60, 11);
    const region = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, LEVEL);
    const { x, y, z } = within(all, region, LEVEL);
    const summary = RegionSummary.empty(region, LEVEL, { features: 900, grid: paneGrid(HOUR, 24 * HOUR) });
    // Also rows that come late: panes that are there get more, and are merged with others.
    const time = Float64Array.from(x, (_, row) => HOUR * ((30 * row) / x.length - (row % 5 === 0 ? 3 : 0)));
    summary.fold(x, y, z, time, 0, x.length);
    const digest = createHash('sha256');
    for (const { encode } of summary.parts()) {
      digest.update(encode());
    }
    expect(digest.digest('hex')).to.equal('435daa807eb2ad2013afdf0a25b7722862642d73a2f23b5edab761aad7ebf529');
  });

  /** Pane n gets the rows at `[cuts[n], cuts[n + 1])`. */
  function summaryOf({ x, y, z }: Points, region: number, cuts: readonly number[]): RegionSummary {
    const options = { features: 4000, grid: paneGrid(HOUR, 24 * HOUR) };
    const summary = RegionSummary.empty(region, LEVEL, options);
    const time = new Float64Array(x.length);
    cuts.slice(1).forEach((to, hour) => {
      const from = cuts[hour] as number;
      time.fill((hour + 0.5) * HOUR, from, to);
      summary.fold(x, y, z, time, from, to);
    });
    return summary;
  }

  it('are kept for as many rows as the pane before had, and given back when fewer came', () => {
    const all = cityPoints(60_000, 6, 5);
    const region = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, LEVEL);
    const rows = within(all, region, LEVEL);
    const limits = (...cuts: number[]): readonly number[] =>
      summaryOf(rows, region, cuts).panes.map(({ tree }) => tree.limit);
    expect(limits(0, 9_000)).to.deep.equal([862]);
    expect(limits(0, 9_000, 9_001)).to.deep.equal([862, 862]);
    expect(limits(0, 9_000, 12_000, 12_001)).to.deep.equal([862, 363, 363]);
    expect(limits(0, 1_000, 11_000, 11_001)).to.deep.equal([153, 862, 862]);
    // The memory when there are a few of them, which are moved into one buffer.
    const { panes } = summaryOf(rows, region, [0, 9_000, 12_000, 12_001, 12_002, 12_003]);
    // 56 bytes a node, and one node that is none.
    const left = panes.map(({ tree }) => tree.memoryBytes / 56 - 1 - tree.count);
    expect(left.slice(0, -1)).to.deep.equal([0, 0, 0, 0]);
    expect(panes[1]?.tree.count).to.be.within(363 / 3, 363);
  });

  it('that are given back make it another revision, though no row came: it is to be written anew', () => {
    const all = cityPoints(60_000, 6, 5);
    const region = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, LEVEL);
    const rows = within(all, region, LEVEL);
    const [before, after] = [
      [0, 9_000, 12_000],
      [0, 9_000, 12_000, 12_001],
    ].map((cuts) => summaryOf(rows, region, cuts).parts()[2]);
    expect(before?.name).to.equal(after?.name);
    expect(before?.encode()).not.to.deep.equal(after?.encode());
    expect(before?.revision).not.to.equal(after?.revision);
  });

  it('are finer where the first row already has its room', () => {
    const all = cityPoints(120_000, 6, 5);
    const region = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, LEVEL);
    const rows = within(all, region, LEVEL);
    const half = rows.x.length >> 1;
    const [first, second] = summaryOf(rows, region, [0, half, 2 * half]).panes.map(({ tree }) => {
      let total = 0;
      tree.forEachFeature((_weight, _x, _y, _z, sse) => {
        total += sse;
      });
      return total;
    }) as [number, number];
    expect(second / first).to.be.below(0.7);
  });

  it('are the same after late rows and a restart at any row', () => {
    const all = cityPoints(30_000, 6, 5);
    const region = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, LEVEL);
    const { x, y, z } = within(all, region, LEVEL);
    const options = { features: 500, grid: paneGrid(HOUR, 24 * HOUR) };
    // Twelve hours, and every ninth row three hours late: it comes to panes that have given back.
    const time = Float64Array.from(
      x,
      (_, row) => (12 * row * HOUR) / x.length - (row % 9 === 0 ? 3 * HOUR : 0),
    );
    const bytes = (summary: RegionSummary): readonly Uint8Array[] =>
      summary.parts().map(({ encode }) => encode());
    const whole = RegionSummary.empty(region, LEVEL, options);
    whole.fold(x, y, z, time, 0, x.length);
    let cut = RegionSummary.empty(region, LEVEL, options);
    for (let from = 0; from < x.length; from += 997) {
      const parts = new Map(cut.parts().map(({ encode, name }) => [name, encode()]));
      cut = RegionSummary.decode(parts, options);
      cut.fold(x, y, z, time, from, Math.min(x.length, from + 997));
    }
    expect(bytes(cut)).to.deep.equal(bytes(whole));
  });

  it('stay in the region when a mean is just outside, and are of one region only', () => {
    const { x, y, z } = pointsAt([[2, 48]]);
    const region = regionOf(x[0] as number, y[0] as number, z[0] as number, LEVEL);
    const root = regionAddress(region, LEVEL);
    const corner = cellVertices(root)[0] as UnitVector;
    const middle = cellVertices({
      ...root,
      level: LEVEL + 1,
      i: 2 * root.i + 1,
      j: 2 * root.j + 1,
    })[0] as UnitVector;
    const beyond = corner.map((c, axis) => 0.999999 * (c + 1e-7 * (c - (middle[axis] as number))));
    const [one, other] = [new FeatureTree(root, 100), new FeatureTree(root, 100)];
    other.insertFeature(2, beyond[0] as number, beyond[1] as number, beyond[2] as number, 1e-9);
    one.absorb(other);
    expect([one.count, one.totalWeight()]).to.deep.equal([1, 2]);
    const elsewhere = new FeatureTree({ ...root, i: root.i === 0 ? 1 : 0 }, 100);
    expect(() => {
      elsewhere.absorb(other);
    }).to.throw(RangeError, 'another root');
    new FeatureTree('sphere', 100).absorb(new FeatureTree('sphere', 100));
  });

  it('stay apart when trees are merged: the first place of one is not mixed with that of the other', () => {
    const { x, y, z } = pointsAt([
      [2, 48],
      [2.4, 48.3],
    ]);
    const region = regionOf(x[0] as number, y[0] as number, z[0] as number, LEVEL);
    expect(regionOf(x[1] as number, y[1] as number, z[1] as number, LEVEL)).to.equal(region);
    const [one, other] = [0, 1].map((place) => {
      const tree = new FeatureTree(regionAddress(region, LEVEL), 100);
      for (let row = 0; row < 10; row++) {
        tree.insertColumns(x, y, z, place, place + 1);
      }
      return tree;
    }) as [FeatureTree, FeatureTree];
    one.absorb(other);
    const features: [number, number][] = [];
    one.forEachFeature((weight, _x, _y, _z, sse) => {
      features.push([weight, sse]);
    });
    expect(features).to.deep.equal([
      [10, 0],
      [10, 0],
    ]);
  });
});
