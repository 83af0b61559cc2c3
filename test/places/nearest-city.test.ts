import { expect } from 'chai';
import fc from 'fast-check';
import { latitude, longitude, type Position } from '../../src/geo/axes.ts';
import type { City } from '../../src/places/city.ts';
import { type CityColumns, columnsOf, nearestCity } from '../../src/places/nearest-city.ts';
import { loadLargeCities } from '../../src/places/places.ts';
import { systemClock } from '../../src/system/clock.ts';
import { haversineKm } from './haversine.ts';

const at = (east: number, north: number): Position => ({
  longitude: longitude(east),
  latitude: latitude(north),
});

const city = (name: string, east: number, north: number): City => ({
  name,
  countryCode: 'AA',
  population: 1,
  capital: false,
  longitude: east,
  latitude: north,
});

describe('the nearest city', () => {
  let world: CityColumns;

  before(async () => {
    world = await loadLargeCities(systemClock);
  });

  /** By the haversine formula in degrees, over all cities. */
  function check(position: Position): void {
    const found = nearestCity(world, position);
    const distances = world.cities.map((one) => haversineKm(one, position));
    const least = Math.min(...distances);
    expect(found?.distanceKm).to.be.closeTo(least, 1e-3);
    const index = world.cities.indexOf(found?.city as City);
    expect(distances[index]).to.be.closeTo(least, 1e-3);
  }

  it('is that of a search over all of them in degrees, anywhere', () => {
    const degrees = (most: number): fc.Arbitrary<number> =>
      fc.oneof(
        fc.double({ min: -most, max: most, noNaN: true }),
        fc.constantFrom(-most, most, 0, -0),
        // Near the antimeridian and the poles.
        fc.double({ min: most - 1, max: most, noNaN: true }),
        fc.double({ min: -most, max: 1 - most, noNaN: true }),
      );
    fc.assert(
      fc.property(degrees(180), degrees(90), (east, north) => {
        check(at(east, north));
      }),
      { numRuns: 2_000 },
    );
  });

  it('of a city is that city', () => {
    for (const one of world.cities) {
      expect(nearestCity(world, at(one.longitude, one.latitude))).to.deep.equal({ city: one, distanceKm: 0 });
    }
  });

  it('lies across the antimeridian, and beyond a pole', () => {
    const two = columnsOf([city('west', 170, 0), city('east', -179.5, 0), city('north', 90, 80)]);
    expect(nearestCity(two, at(179.9, 0))?.city.name).to.equal('east');
    expect(nearestCity(two, at(-90, 89))?.city.name).to.equal('north');
    expect(nearestCity(two, at(-90, 89))?.distanceKm).to.be.closeTo(11 * 111.195, 0.1);
  });

  it('is the first of those that are equally near', () => {
    const two = columnsOf([city('one', 10, 0), city('other', -10, 0)]);
    expect(nearestCity(two, at(0, 0))?.city.name).to.equal('one');
  });

  it('is none where there are no cities', () => {
    expect(nearestCity(columnsOf([]), at(0, 0))).to.equal(undefined);
  });
});
