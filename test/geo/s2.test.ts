import { expect } from 'chai';
import fc from 'fast-check';
import { s2 } from 's2js';
import { latitude, longitude } from '../../src/geo/axes.ts';
import {
  cellVertices,
  faceOf,
  fillRegions,
  leafIndex,
  MAX_REGION_LEVEL,
  regionAddress,
  regionAt,
  regionContains,
  regionCount,
  regionFromToken,
  regionOf,
  regionParent,
  regionPolygon,
  regionToken,
  uOnFace,
  vOnFace,
} from '../../src/geo/s2.ts';
import { type UnitVector, unitVector } from '../../src/geo/sphere.ts';
import { createRandom } from '../../src/clustering/random.ts';

/** Poles, axes, cube edges and corners, the antimeridian, and random points. */
function points(): UnitVector[] {
  const random = createRandom(42);
  const list: UnitVector[] = [];
  const add = (x: number, y: number, z: number): void => {
    const length = Math.sqrt(x * x + y * y + z * z);
    list.push([x / length, y / length, z / length]);
  };
  for (const x of [-1, 0, 1]) {
    for (const y of [-1, 0, 1]) {
      for (const z of [-1, 0, 1]) {
        if (x !== 0 || y !== 0 || z !== 0) {
          add(x, y, z);
          add(x, y * (1 - 1e-16), z * (1 + 2e-16));
          add(x, y + 1e-9, z - 1e-9);
        }
      }
    }
  }
  for (let north = -90; north <= 90; north += 7.5) {
    for (const east of [-180, -179.9999999, -135, -90, -45, 0, 45, 90, 135, 179.9999999, 180]) {
      list.push(unitVector({ longitude: longitude(east), latitude: latitude(north) }));
    }
  }
  for (let n = 0; n < 2000; n++) {
    const z = 2 * random() - 1;
    const angle = 2 * Math.PI * random();
    const r = Math.sqrt(1 - z * z);
    add(r * Math.cos(angle), r * Math.sin(angle), z);
  }
  return list;
}

describe('S2 cells', () => {
  const all = points();
  const leaves = all.map(([x, y, z]) => s2.cellid.fromPoint(s2.Point.fromCoords(x, y, z)));

  it('has the faces and leaf indices of the S2 library', () => {
    all.forEach(([x, y, z], n) => {
      const expected = s2.cellid.faceIJOrientation(leaves[n] as bigint);
      const face = faceOf(x, y, z);
      const actual = { face, i: leafIndex(uOnFace(face, x, y, z)), j: leafIndex(vOnFace(face, x, y, z)) };
      expect(actual).to.deep.equal({ face: expected.f, i: expected.i, j: expected.j });
    });
  });

  // One assertion on all differences: thousands of assertions cost more than what they check.
  it('has its ids, order and tokens at every region level', () => {
    const wrong: string[] = [];
    for (let level = 0; level <= MAX_REGION_LEVEL; level++) {
      all.forEach(([x, y, z], n) => {
        const id = s2.cellid.parent(leaves[n] as bigint, level);
        const region = regionOf(x, y, z, level);
        const token = regionToken(region, level);
        if (BigInt(region) !== id >> BigInt(61 - 2 * level) || token !== s2.cellid.toToken(id)) {
          wrong.push(`level ${String(level)}: ${token}, not ${s2.cellid.toToken(id)}`);
        }
        const named = regionFromToken(token);
        if (named.region !== region || named.level !== level) {
          wrong.push(`${token} reads back as ${String(named.region)} of level ${String(named.level)}`);
        }
        if (regionAt(regionAddress(region, level)) !== region) {
          wrong.push(`the address of ${token} is another region's`);
        }
      });
    }
    expect(wrong).to.deep.equal([]);
  });

  it('has its vertices', () => {
    let vectors = 0;
    let degrees = 0;
    for (let level = 0; level <= MAX_REGION_LEVEL; level += 2) {
      all.slice(0, 500).forEach(([x, y, z], n) => {
        const cell = s2.Cell.fromCellID(s2.cellid.parent(leaves[n] as bigint, level));
        const region = regionOf(x, y, z, level);
        const polygon = regionPolygon(region, level);
        cellVertices(regionAddress(region, level)).forEach((vertex, k) => {
          const expected = cell.vertex(k);
          const corner = s2.LatLng.fromPoint(expected);
          const position = polygon[k] ?? { longitude: Number.NaN, latitude: Number.NaN };
          const turn = Math.abs(position.longitude - (corner.lng * 180) / Math.PI);
          vectors = Math.max(
            vectors,
            Math.abs(vertex[0] - expected.x),
            Math.abs(vertex[1] - expected.y),
            Math.abs(vertex[2] - expected.z),
          );
          degrees = Math.max(
            degrees,
            Math.abs(position.latitude - (corner.lat * 180) / Math.PI),
            Math.min(turn, Math.abs(turn - 360)),
          );
        });
      });
    }
    expect(vectors).to.be.below(1e-15);
    expect(degrees).to.be.below(1e-12);
  });

  it('nests: the parent holds what the child holds, and children partition it', () => {
    for (const [x, y, z] of all.slice(0, 400)) {
      const deep = regionOf(x, y, z, 9);
      for (let level = 0; level <= 9; level++) {
        expect(regionParent(deep, 9, level)).to.equal(regionOf(x, y, z, level));
        expect(regionContains(regionOf(x, y, z, level), level, x, y, z)).to.equal(true);
      }
    }
    expect(regionContains(0, 0, -1, 0, 0)).to.equal(false);
  });

  it('enumerates the 384 regions of level 3, each with its own token and its own center', () => {
    const tokens = new Set<string>();
    expect(regionCount(3)).to.equal(384);
    for (let region = 0; region < 384; region++) {
      tokens.add(regionToken(region, 3));
      const corners = cellVertices(regionAddress(region, 3));
      const sum = (axis: 0 | 1 | 2): number => corners.reduce((total, corner) => total + corner[axis], 0);
      expect(regionOf(sum(0), sum(1), sum(2), 3)).to.equal(region);
    }
    expect(tokens.size).to.equal(384);
  });

  it('fills columns as it maps single points', () => {
    const column = (axis: 0 | 1 | 2): Float64Array => Float64Array.from(all, (point) => point[axis]);
    const regions = new Int32Array(all.length).fill(-1);
    fillRegions(column(0), column(1), column(2), 5, regions, 1, all.length - 1);
    expect([regions[0], regions[all.length - 1]]).to.deep.equal([-1, -1]);
    all.slice(1, -1).forEach(([x, y, z], n) => {
      expect(regions[n + 1]).to.equal(regionOf(x, y, z, 5));
    });
  });

  it('refuses what is no token, no region, no level', () => {
    for (const token of ['', '0', 'X', 'g', '1c0', 'ffffffff', 'd', 'f', '47a1cbd595522b39', '47A', '0x1']) {
      expect(() => regionFromToken(token), token).to.throw(RangeError, 'no S2 token');
    }
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-f]{0,8}$/), (token) => {
        let found: ReturnType<typeof regionFromToken>;
        try {
          found = regionFromToken(token);
        } catch (error) {
          expect(error).to.be.instanceOf(RangeError);
          return;
        }
        expect(regionToken(found.region, found.level)).to.equal(token);
      }),
    );
    expect(() => regionToken(384, 3)).to.throw(RangeError, '384');
    expect(() => regionToken(-1, 3)).to.throw(RangeError);
    expect(() => regionCount(13)).to.throw(RangeError, '13');
    expect(() => regionParent(5, 3, 4)).to.throw(RangeError);
    expect(() => regionParent(5, 3, -1)).to.throw(RangeError);
  });
});
