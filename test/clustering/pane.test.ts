import { expect } from 'chai';
import { paneGrid } from '../../src/clustering/panes.ts';
import { FeatureTree } from '../../src/clustering/feature-tree.ts';
import { RegionSummary } from '../../src/clustering/region-summary.ts';
import { cellVertices, regionAddress, regionOf } from '../../src/geo/s2.ts';
import type { UnitVector } from '../../src/geo/sphere.ts';
import { cityPoints, pointsAt, within } from './points.ts';

const LEVEL = 3;
const HOUR = 3_600_000;

describe('the features of a pane', () => {
  it('grow in number with the square root of its rows, up to the limit', () => {
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
    expect(counts.map(([limit]) => limit)).to.deep.equal([160, 320, 640, 700]);
    for (const [limit, count] of counts) {
      expect(count).to.be.within(limit / 3, limit);
    }
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
