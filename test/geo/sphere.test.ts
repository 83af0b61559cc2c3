import { expect } from 'chai';
import fc from 'fast-check';
import { latitude, longitude } from '../../src/geo/axes.ts';
import {
  angleOfChord,
  chordOfAngle,
  EARTH_RADIUS_KM,
  fillUnitVectors,
  greatCircleKm,
  positionOf,
  unitVector,
} from '../../src/geo/sphere.ts';

const at = (east: number, north: number) =>
  unitVector({ longitude: longitude(east), latitude: latitude(north) });

describe('sphere', () => {
  it('maps positions to unit vectors and back', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -179.999, max: 180, noNaN: true }),
        fc.double({ min: -89.99, max: 89.99, noNaN: true }),
        (east, north) => {
          const [x, y, z] = at(east, north);
          expect(Math.abs(x * x + y * y + z * z - 1)).to.be.below(1e-15);
          const back = positionOf(x, y, z);
          expect(back.longitude).to.be.closeTo(east, 1e-10);
          expect(back.latitude).to.be.closeTo(north, 1e-10);
        },
      ),
    );
  });

  it('knows the axes', () => {
    expect(at(0, 0)).to.deep.equal([1, 0, 0]);
    expect(at(90, 0)[1]).to.equal(1);
    expect(at(0, 90)[2]).to.equal(1);
    expect(at(0, -90)[2]).to.equal(-1);
  });

  it('gives one vector to both names of the antimeridian and to all names of a pole', () => {
    fc.assert(
      fc.property(fc.double({ min: -90, max: 90, noNaN: true }), (north) => {
        expect(at(-180, north)).to.deep.equal(at(180, north));
      }),
    );
    expect(at(123, 90)).to.deep.equal([0, 0, 1]);
    expect(at(-77, -90)).to.deep.equal([0, 0, -1]);
  });

  it('reads the antimeridian back as 180 and a pole at longitude 0', () => {
    const [x, y, z] = at(-180, 10);
    expect(positionOf(x, y, z).longitude).to.equal(180);
    expect(positionOf(-1, -0, 0).longitude).to.equal(180);
    expect(positionOf(0, 0, -1)).to.deep.equal({ longitude: 0, latitude: -90 });
  });

  it('fills only the range that it is given', () => {
    const x = new Float64Array(4).fill(7);
    const y = x.slice();
    const z = x.slice();
    fillUnitVectors(Float64Array.of(0, 90, 0, 0), Float64Array.of(0, 0, 90, 0), x, y, z, 1, 3);
    expect([x[0], y[0], z[0], x[3], y[3], z[3]]).to.deep.equal([7, 7, 7, 7, 7, 7]);
    expect([y[1], z[2]]).to.deep.equal([1, 1]);
  });

  it('makes NaN of what is not finite', () => {
    const out = new Float64Array(1);
    fillUnitVectors(
      Float64Array.of(Number.NaN),
      Float64Array.of(1),
      out,
      new Float64Array(1),
      new Float64Array(1),
      0,
      1,
    );
    expect(out[0]).to.be.NaN;
  });

  it('measures great circles, the shortest and the longest too', () => {
    expect(greatCircleKm(at(0, 0), at(90, 0))).to.be.closeTo((Math.PI / 2) * EARTH_RADIUS_KM, 1e-9);
    expect(greatCircleKm(at(10, 0), at(-170, 0))).to.be.closeTo(Math.PI * EARTH_RADIUS_KM, 1e-6);
    expect(greatCircleKm(at(179.5, 0), at(-179.5, 0))).to.be.closeTo((Math.PI / 180) * EARTH_RADIUS_KM, 1e-9);
    const millionth = 1e-6;
    expect(greatCircleKm(at(0, 0), at(0, millionth)) * 1e6).to.be.closeTo(111.195, 0.001);
    expect(greatCircleKm(at(2.3522, 48.8566), at(-0.1276, 51.5072))).to.be.closeTo(343.5, 1);
  });

  it('turns chords into angles and back', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 3.14, noNaN: true }), (angle) => {
        expect(angleOfChord(chordOfAngle(angle))).to.be.closeTo(angle, 1e-7);
      }),
    );
    expect(angleOfChord(4.0000000001)).to.equal(Math.PI);
  });
});
