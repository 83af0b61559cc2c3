import type { Steps } from '../clustering/slices.ts';
import { chordOfAngle, EARTH_RADIUS_KM } from '../geo/sphere.ts';
import type { City } from './city.ts';
import { type CityColumns, columnsOf, squaredChordBetween } from './nearest-city.ts';

/** A large city has so many inhabitants, or is a capital. */
export const LARGE_POPULATION = 200_000;
/** So near a larger city of the same country it is a part of that one's metropolis. */
const METROPOLIS_KM = 50;
/** A city so many times as populous as another is known so much farther; and then also across a border. */
const MUCH_LARGER = 10;
const MUCH_LARGER_KM = { sameCountry: 100, acrossBorder: 50 };

const CITIES_PER_STEP = 64;

/**
 * The large cities, the most populous first, each of which stands for its whole metropolis: Ikeja is
 * Lagos, and Yokohama is Tokyo, but Hong Kong is not Shenzhen. So the nearest of them has a name that people
 * know. Of equally populous cities the one that comes first in `cities` is the larger.
 */
export function* largeCities(cities: readonly City[]): Steps<City[]> {
  const ranked = cities
    .filter(({ capital, population }) => capital || population >= LARGE_POPULATION)
    .sort((a, b) => b.population - a.population);
  const columns = columnsOf(ranked);
  const kept: number[] = [];
  for (let index = 0; index < ranked.length; index++) {
    if (!kept.some((larger) => belongsTo(columns, index, larger))) {
      kept.push(index);
    }
    if (index % CITIES_PER_STEP === CITIES_PER_STEP - 1) {
      yield;
    }
  }
  return kept.map((index) => ranked[index] as City);
}

function belongsTo(columns: CityColumns, index: number, larger: number): boolean {
  const squared = squaredChordBetween(columns, index, larger);
  if (squared > FARTHEST) {
    return false;
  }
  const [one, other] = [columns.cities[index] as City, columns.cities[larger] as City];
  const sameCountry = one.countryCode === other.countryCode;
  if (other.population >= MUCH_LARGER * one.population) {
    return squared <= squaredChord(sameCountry ? MUCH_LARGER_KM.sameCountry : MUCH_LARGER_KM.acrossBorder);
  }
  return sameCountry && squared <= squaredChord(METROPOLIS_KM);
}

const FARTHEST = squaredChord(MUCH_LARGER_KM.sameCountry);

function squaredChord(km: number): number {
  return chordOfAngle(km / EARTH_RADIUS_KM);
}
