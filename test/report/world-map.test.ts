import { expect } from 'chai';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { regionAddress, regionCount, cellVertices } from '../../src/geo/s2.ts';
import { finish } from '../../src/clustering/slices.ts';
import { shadeLegend, worldMap } from '../../src/report/world-map.ts';
import { reportData } from './data.ts';

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Paths of a class, each as its rings. */
function pathsOf(svg: string, kind: string): Point[][][] {
  return [...svg.matchAll(new RegExp(`<path class="${kind}" d="([^"]*)"`, 'g'))].map(([, d = '']) =>
    d
      .split('M')
      .filter((ring) => ring !== '')
      .map((ring) =>
        ring
          .replace('Z', '')
          .split('L')
          .map((pair) => {
            const [x = NaN, y = NaN] = pair.split(',').map(Number);
            return { x, y };
          }),
      ),
  );
}

/** Of all rings together: holes count against what is around them. */
function areaOf(rings: readonly (readonly Point[])[]): number {
  let area = 0;
  for (const ring of rings) {
    for (const [index, { x, y }] of ring.entries()) {
      const next = ring[(index + 1) % ring.length] as Point;
      area += (x * next.y - next.x * y) / 2;
    }
  }
  return Math.abs(area);
}

/** Area of a spherical quadrilateral on the unit sphere, by two triangles (van Oosterom, Strackee 1983). */
function sphericalArea(region: number, level: number): number {
  const [a, b, c, d] = cellVertices(regionAddress(region, level)) as [Vector, Vector, Vector, Vector];
  return triangle(a, b, c) + triangle(a, c, d);
}

type Vector = readonly [number, number, number];

function triangle(a: Vector, b: Vector, c: Vector): number {
  const dot = (u: Vector, v: Vector): number => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
  const volume =
    a[0] * (b[1] * c[2] - b[2] * c[1]) -
    a[1] * (b[0] * c[2] - b[2] * c[0]) +
    a[2] * (b[0] * c[1] - b[1] * c[0]);
  return 2 * Math.atan2(Math.abs(volume), 1 + dot(a, b) + dot(b, c) + dot(c, a));
}

describe('the world map', () => {
  for (const level of [0, 1, 2, 3]) {
    it(`draws every region of level ${String(level)} as large as it is, also across the antimeridian and at the poles`, () => {
      const regions = Array.from({ length: regionCount(level) }, (_, region) => ({ region, rows: 1 }));
      const svg = finish(worldMap(level, regions, []));
      const [sphere = []] = pathsOf(svg, 'sea');
      const scale = areaOf(sphere) / (4 * Math.PI);
      const drawn = pathsOf(svg, 'region').map(areaOf);
      expect(drawn.length).to.equal(regions.length);
      for (const [region, area] of drawn.entries()) {
        const ratio = area / (scale * sphericalArea(region, level));
        expect(ratio, `region ${String(region)}`).to.be.within(0.95, 1.05);
      }
    });
  }

  it('draws a cluster’s circle as large as it is, wherever it is', () => {
    const [cluster] = reportData().model.clusters;
    if (cluster === undefined) {
      throw new Error('no cluster');
    }
    const places = [
      [0, 0],
      [180, 0],
      [-179, 40],
      [20, 90],
      [0, -88],
    ] as const;
    const degrees = 20;
    const radiusKm = (degrees / 180) * Math.PI * 6371.0088;
    const clusters = places.map(([east, north]) => ({
      ...cluster,
      longitude: longitude(east),
      latitude: latitude(north),
      radiusKm,
    }));
    const svg = finish(worldMap(0, [], clusters));
    const [sphere = []] = pathsOf(svg, 'sea');
    const cap = ((1 - Math.cos((degrees / 180) * Math.PI)) / 2) * areaOf(sphere);
    const drawn = pathsOf(svg, 'radius').map(areaOf);
    expect(drawn).to.have.length(places.length);
    for (const [index, area] of drawn.entries()) {
      expect(area / cap, String(places[index])).to.be.within(0.97, 1.03);
    }
  });

  it('takes more regions than a call may have arguments', () => {
    const regions = Array.from({ length: 400_000 }, (_, region) => ({ region, rows: 1 + (region % 7) }));
    expect(shadeLegend(regions)).to.match(/>7<\/span>/);
  });

  it('puts nothing outside of the drawing', () => {
    const { level, model, regions } = reportData();
    const svg = finish(worldMap(level, regions, model.clusters));
    const [, width = '', height = ''] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? [];
    for (const kind of ['region', 'radius', 'sea', 'land']) {
      const points = pathsOf(svg, kind).flat(2);
      expect(points, kind).not.to.have.length(0);
      for (const { x, y } of points) {
        expect(x).to.be.within(0, Number(width));
        expect(y).to.be.within(0, Number(height));
      }
    }
    const circles = [...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"/g)];
    expect(circles).to.have.length(model.clusters.length);
    for (const [, cx, cy, r] of circles) {
      expect(Number(cx) - Number(r)).to.be.at.least(0);
      expect(Number(cy) - Number(r)).to.be.at.least(0);
      expect(Number(cy) + Number(r)).to.be.at.most(Number(height));
    }
  });
});
