import { expect } from 'chai';
import type { Cluster, Model } from '../../src/clustering/model.ts';
import { finish } from '../../src/clustering/slices.ts';
import { latitude, longitude, type Position } from '../../src/geo/axes.ts';
import { unitVector } from '../../src/geo/sphere.ts';
import { nameClusters, placeOf } from '../../src/places/name-clusters.ts';
import { type CityColumns, columnsOf } from '../../src/places/nearest-city.ts';
import { loadLargeCities } from '../../src/places/places.ts';
import { systemClock } from '../../src/system/clock.ts';

const at = (east: number, north: number): Position => ({
  longitude: longitude(east),
  latitude: latitude(north),
});

function cluster(id: number, position: Position): Cluster {
  return { id, ...position, center: unitVector(position), weight: 1, share: 1, radiusKm: 0 };
}

function modelOf(clusters: readonly Cluster[]): Model {
  const { length } = clusters;
  return { k: length, weight: length, cost: 0, costBounds: { lower: 0, upper: 0 }, clusters };
}

describe('places', () => {
  let world: CityColumns;

  before(async () => {
    world = await loadLargeCities(systemClock);
  });

  it('are the nearest large city with its country, and how far it is', () => {
    expect(placeOf(world, at(3.4, 6.65))).to.deep.equal({
      name: 'Lagos',
      country: 'Nigeria',
      countryCode: 'NG',
      distanceKm: 21.8,
      text: 'near Lagos, Nigeria',
    });
  });

  const metropolises: readonly (readonly [string, number, number, string])[] = [
    ['Ikeja', 3.3421, 6.5965, 'near Lagos, Nigeria'],
    ['Ikorodu', 3.5108, 6.6153, 'near Lagos, Nigeria'],
    ['Epe', 3.9833, 6.5841, 'near Lagos, Nigeria'],
    ['Yokohama', 139.65, 35.4333, 'near Tokyo, Japan'],
    ['Brooklyn', -73.9496, 40.6501, 'near New York City, US'],
    ['west of Shanghai', 121, 31, 'near Shanghai, China'],
    ['the Vatican', 12.4534, 41.9022, 'near Rome, Italy'],
    ['Kowloon', 114.1733, 22.3203, 'near Hong Kong'],
    ['Brazzaville', 15.2832, -4.2661, 'near Brazzaville, Congo - Brazzaville'],
    ['Orchard Road', 103.83, 1.305, 'near Singapore'],
    ['Fiji, east of the antimeridian', -179.9, -17, 'near Suva, Fiji'],
    ['a farm in Iceland', -20.5, 64, 'near Reykjavík, Iceland'],
  ];
  for (const [where, east, north, text] of metropolises) {
    it(`in ${where} are ${text}`, () => {
      expect(placeOf(world, at(east, north))?.text).to.equal(text);
    });
  }

  it('are none farther than 500 km from any: in mid-ocean, at the poles, in the desert', () => {
    for (const position of [at(-140, -20), at(-30, 30), at(0, 90), at(0, -90), at(17, 25)]) {
      expect(placeOf(world, position)).to.equal(null);
    }
    const [longitudeOfCity, latitudeOfCity] = [12, 0];
    const city = { longitude: longitudeOfCity, latitude: latitudeOfCity, population: 1, capital: false };
    const one = columnsOf([{ ...city, name: 'Here', countryCode: 'GA' }]);
    expect(placeOf(one, at(12, 4.49))?.distanceKm).to.equal(499.3);
    expect(placeOf(one, at(12, 4.5))).to.equal(null);
    expect(placeOf(columnsOf([]), at(12, 0))).to.equal(null);
  });

  it('are given to every cluster of a model, of which nothing else changes, in slices', () => {
    const lagos = placeOf(world, at(3.4, 6.5));
    const model = modelOf(
      Array.from({ length: 300 }, (_, n) => cluster(n + 1, n % 3 === 0 ? at(-140, -20) : at(3.4, 6.5))),
    );
    const named = finish(nameClusters(world, model));
    expect(named).to.deep.equal({
      ...model,
      clusters: model.clusters.map((one, n) => ({ ...one, place: n % 3 === 0 ? null : lagos })),
    });
    let pauses = 0;
    for (const steps = nameClusters(world, model); steps.next().done !== true; pauses++);
    expect(pauses).to.equal(2);
  });
});
