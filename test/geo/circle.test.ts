import { expect } from 'chai';
import fc from 'fast-check';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { circleOnMap, type MapPoint, type Ring } from '../../src/geo/circle.ts';
import { EARTH_RADIUS_KM, greatCircleKm, unitVector, type UnitVector } from '../../src/geo/sphere.ts';

const at = (east: number, north: number): UnitVector =>
  unitVector({ longitude: longitude(east), latitude: latitude(north) });

/** By the even-odd rule. */
function holds(ring: Ring, [east, north]: MapPoint): boolean {
  let inside = false;
  for (let n = 0; n + 1 < ring.length; n++) {
    const [[aEast, aNorth], [bEast, bNorth]] = [ring[n], ring[n + 1]] as [MapPoint, MapPoint];
    if (aNorth > north !== bNorth > north) {
      inside = inside !== east < aEast + ((north - aNorth) / (bNorth - aNorth)) * (bEast - aEast);
    }
  }
  return inside;
}

/** Twice the area of the ring on the map; above 0 when it is counterclockwise. */
function signedArea(ring: Ring): number {
  let sum = 0;
  for (let n = 0; n + 1 < ring.length; n++) {
    const [[aEast, aNorth], [bEast, bNorth]] = [ring[n], ring[n + 1]] as [MapPoint, MapPoint];
    sum += aEast * bNorth - bEast * aNorth;
  }
  return sum;
}

function expectByRfc7946(rings: readonly Ring[]): void {
  for (const ring of rings) {
    expect(ring.length).to.be.at.least(4);
    expect(ring.at(-1)).to.deep.equal(ring[0]);
    expect(signedArea(ring)).to.be.above(0);
    ring.forEach(([east, north], n) => {
      expect(Math.abs(east)).to.be.at.most(180);
      expect(Math.abs(north)).to.be.at.most(90);
      if (n > 0) {
        expect(ring[n - 1]).not.to.deep.equal([east, north]);
      }
    });
  }
}

const EARTH_KM = Math.PI * EARTH_RADIUS_KM;

describe('a circle on a map', () => {
  const places: readonly (readonly [string, number, number, number, number])[] = [
    ['in the open', 2, 48, 500, 1],
    ['across the antimeridian', 179, -17, 900, 2],
    ['across it from the west', -179, 10, 900, 2],
    ['on the antimeridian', 180, 0, 300, 2],
    ['around the north pole', 30, 90, 2_000, 1],
    ['around the south pole', 0, -90, 2_000, 1],
    ['that holds the north pole', 100, 80, 3_000, 1],
    ['that holds the south pole, across the antimeridian', -178, -85, 3_000, 1],
    ['through the north pole', 60, 60, EARTH_KM / 6, 1],
    ['of half of the earth', 20, 40, EARTH_KM / 2, 1],
    ['of half of the earth around the equator', 0, 0, EARTH_KM / 2, 2],
    ['of more, that holds both poles', 10, 5, 0.7 * EARTH_KM, 2],
    ['of more, around a place that the antimeridian cuts in two', 0, 0, 0.9 * EARTH_KM, 2],
    ['of nearly all', 120, 60, 0.999 * EARTH_KM, 2],
  ];
  for (const [name, east, north, km, most] of places) {
    it(`${name} is what is within its radius`, () => {
      const rings = circleOnMap(at(east, north), km);
      expect(rings.length).to.be.within(1, most);
      expectByRfc7946(rings);
    });
  }

  it('holds what is nearer, and nothing that is farther, wherever it is and however large', () => {
    const degrees = (most: number): fc.Arbitrary<number> =>
      fc.oneof(
        { weight: 4, arbitrary: fc.double({ min: -most, max: most, noNaN: true }) },
        fc.constantFrom(-most, 0, most, most / 2),
      );
    fc.assert(
      fc.property(
        degrees(180),
        degrees(90),
        fc.oneof(
          fc.double({ min: 0.001, max: EARTH_KM, noNaN: true }),
          fc.double({ min: 0.001, max: 50, noNaN: true }),
        ),
        fc.array(
          fc.tuple(fc.double({ min: 0, max: 2, noNaN: true }), fc.double({ min: 0, max: 360, noNaN: true })),
          { minLength: 30, maxLength: 30 },
        ),
        (east, north, km, spots) => {
          const center = at(east, north);
          const rings = circleOnMap(center, km);
          expectByRfc7946(rings);
          // A line of the map is not a chord, let alone an arc, of the circle.
          for (const [share, turn] of spots) {
            const spot = goneFrom(east, north, Math.min(EARTH_KM, share * km), turn);
            const far = greatCircleKm(center, at(...spot));
            const from = Math.min(far, 2 * EARTH_KM - far);
            const slack = 0.02 * Math.min(km, EARTH_KM - km) + 0.02;
            if (Math.abs(from - km) > slack && Math.abs(spot[0]) < 179.999 && Math.abs(spot[1]) < 89.99) {
              const holding = rings.filter((ring) => holds(ring, spot));
              expect(holding).to.have.lengthOf(from < km ? 1 : 0);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('of no radius has no outline, and of half of the circumference is the whole map', () => {
    expect(circleOnMap(at(0, 0), 0)).to.deep.equal([]);
    expect(circleOnMap(at(0, 0), Number.NaN)).to.deep.equal([]);
    const world = [
      [
        [-180, -90],
        [180, -90],
        [180, 90],
        [-180, 90],
        [-180, -90],
      ],
    ];
    expect(circleOnMap(at(0, 0), EARTH_KM)).to.deep.equal(world);
  });
});

/** The place at a distance and a bearing, by spherical trigonometry. */
function goneFrom(east: number, north: number, km: number, bearing: number): [number, number] {
  const radians = Math.PI / 180;
  const d = km / EARTH_RADIUS_KM;
  const phi = north * radians;
  const theta = bearing * radians;
  const sine = Math.sin(phi) * Math.cos(d) + Math.cos(phi) * Math.sin(d) * Math.cos(theta);
  const to = Math.asin(Math.max(-1, Math.min(1, sine)));
  const turn = Math.atan2(
    Math.sin(theta) * Math.sin(d) * Math.cos(phi),
    Math.cos(d) - Math.sin(phi) * Math.sin(to),
  );
  const there = east + turn / radians;
  return [there - 360 * Math.round(there / 360), to / radians];
}
