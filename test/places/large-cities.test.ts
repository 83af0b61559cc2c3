import { expect } from 'chai';
import { finish } from '../../src/clustering/slices.ts';
import type { City } from '../../src/places/city.ts';
import { largeCities } from '../../src/places/large-cities.ts';
import { loadLargeCities } from '../../src/places/places.ts';
import { systemClock } from '../../src/system/clock.ts';
import { haversineKm } from './haversine.ts';

const KM_PER_DEGREE = 111.195;

/** A city so many km east of the first, on the equator. */
function city(name: string, km: number, population: number, more: Partial<City> = {}): City {
  const longitude = km / KM_PER_DEGREE;
  return { name, countryCode: 'AA', population, capital: false, longitude, latitude: 0, ...more };
}

function large(...cities: readonly City[]): string[] {
  return finish(largeCities(cities)).map(({ name }) => name);
}

describe('large cities', () => {
  it('have 200,000 inhabitants or are capitals, and come by their size', () => {
    expect(
      large(
        city('small', 0, 199_999),
        city('large', 500, 200_000),
        city('capital', 1_000, 1, { capital: true }),
        city('largest', 1_500, 300_000),
      ),
    ).to.deep.equal(['largest', 'large', 'capital']);
  });

  it('stand for those within 50 km that are smaller, of equal ones the first', () => {
    expect(
      large(city('near', 49.9, 900_000), city('far', 50.1, 900_000), city('one', 0, 1_000_000)),
    ).to.deep.equal(['one', 'far']);
    expect(large(city('first', 0, 300_000), city('second', 10, 300_000))).to.deep.equal(['first']);
  });

  it('do not make a small one vanish that is near another which itself belongs to a larger', () => {
    expect(
      large(city('one', 0, 1_000_000), city('two', 40, 800_000), city('three', 80, 600_000)),
    ).to.deep.equal(['one', 'three']);
  });

  it('stand within 100 km for those with a tenth of their inhabitants', () => {
    const one = city('one', 0, 3_000_000);
    expect(large(one, city('tenth', 99.9, 300_000))).to.deep.equal(['one']);
    expect(large(one, city('more', 99.9, 300_001))).to.deep.equal(['one', 'more']);
    expect(large(one, city('farther', 100.1, 300_000))).to.deep.equal(['one', 'farther']);
  });

  it('stand across a border only for what has a tenth of their inhabitants, within 50 km', () => {
    const one = city('one', 0, 3_000_000);
    const abroad = { countryCode: 'BB', capital: true };
    expect(large(one, city('much smaller', 49.9, 300_000, abroad))).to.deep.equal(['one']);
    expect(large(one, city('smaller', 1, 300_001, abroad))).to.deep.equal(['one', 'smaller']);
    expect(large(one, city('farther', 50.1, 300_000, abroad))).to.deep.equal(['one', 'farther']);
  });

  it('are near each other also across the antimeridian', () => {
    const west = city('west', 0, 900_000, { longitude: -179.9 });
    expect(large(city('east', 0, 1_000_000, { longitude: 179.9 }), west)).to.deep.equal(['east']);
  });

  it('of the world are some 1,500, none within 50 km of another of the same country', async () => {
    const { cities } = await loadLargeCities(systemClock);
    expect(cities.length).to.be.within(1_200, 2_000);
    const crowded = cities.flatMap((one, index) =>
      cities
        .slice(0, index)
        .filter((other) => other.countryCode === one.countryCode && haversineKm(one, other) < 50)
        .map((other) => `${one.name} ${other.name}`),
    );
    expect(crowded).to.deep.equal([]);
  });
});
