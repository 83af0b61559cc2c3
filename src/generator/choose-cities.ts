import type { City } from '../places/city.ts';
import type { CityColumns } from '../places/nearest-city.ts';
import { squaredChordBetween } from '../places/nearest-city.ts';
import { chordOfAngle, EARTH_RADIUS_KM } from '../geo/sphere.ts';

/**
 * The first `count` of the cities, from the first on, that are at least `apartKm` from each chosen before;
 * fewer where there are no more.
 */
export function chooseCities(columns: CityColumns, count: number, apartKm: number): readonly City[] {
  const least = chordOfAngle(apartKm / EARTH_RADIUS_KM);
  const chosen: number[] = [];
  for (let index = 0; index < columns.cities.length && chosen.length < count; index++) {
    if (chosen.every((other) => squaredChordBetween(columns, index, other) >= least)) {
      chosen.push(index);
    }
  }
  return chosen.map((index) => columns.cities[index] as City);
}
