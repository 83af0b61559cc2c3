import { loadLargeCities } from '../places/places.ts';
import type { Clock } from '../system/clock.ts';
import { bytesOfBadRows, withBadRows } from './bad-rows.ts';
import { chooseCities } from './choose-cities.ts';
import { cityRows } from './city-rows.ts';
import { Crowd } from './crowd.ts';
import { randomSource } from './random.ts';
import {
  type HeaderForm,
  MAX_ROW_BYTES,
  type Shape,
  type TimeSpread,
  uniformRows,
  type WriteRows,
} from './rows.ts';

export interface CityOptions {
  /** The largest so many of the large cities. */
  readonly cities: number;
  /** Least distance between two of them, km. */
  readonly apartKm: number;
  /** About so many devices in all of them. */
  readonly devices: number;
  /** Share of the rows that come from anywhere, in [0, 1]. */
  readonly noise: number;
}

const CITY_DEFAULTS: CityOptions = { cities: 1_000, apartKm: 0, devices: 100_000, noise: 0.02 };

export interface ShapeOptions {
  readonly shape: Shape;
  readonly header: HeaderForm;
  /** For the shape `cities`; default `CITY_DEFAULTS`. */
  readonly cities?: Partial<CityOptions> | undefined;
  /** Share of the rows that are broken, in [0, 1]; default none. */
  readonly bad?: number | undefined;
}

export interface RowMaker {
  /** The rows of one file. The same number and times give the same rows. */
  readonly file: (index: number, times: TimeSpread) => WriteRows;
  /** Bytes that so many rows take at most. */
  readonly bytesOf: (rows: number) => number;
}

/** @throws the file system's error when the cities of the installation cannot be read. */
export async function rowMaker(options: ShapeOptions, seed: string, clock: Clock): Promise<RowMaker> {
  const { bad = 0, header } = options;
  const file = await shapeOf(options, seed, clock);
  if (bad === 0) {
    return { file, bytesOf: (rows) => rows * MAX_ROW_BYTES };
  }
  return {
    file: (index, times) =>
      withBadRows(file(index, times), bad, randomSource(`${seed}, bad rows`, index), header),
    bytesOf: bytesOfBadRows,
  };
}

async function shapeOf(options: ShapeOptions, seed: string, clock: Clock): Promise<RowMaker['file']> {
  switch (options.shape) {
    case 'uniform':
      return (index, times) => uniformRows(randomSource(seed, index), times);
    case 'cities': {
      const { apartKm, cities, devices, noise } = { ...CITY_DEFAULTS, ...options.cities };
      const chosen = chooseCities(await loadLargeCities(clock), cities, apartKm);
      // Of all files: so a device is where it was, and is the same one.
      const crowd = new Crowd(seed, chosen, devices);
      return (index, times) => cityRows(crowd, noise, randomSource(seed, index), times);
    }
  }
}
