import type { NamedModel } from '../clustering/geojson.ts';
import type { Model } from '../clustering/model.ts';
import type { Steps } from '../clustering/slices.ts';
import type { Position } from '../geo/axes.ts';
import type { Place } from '../geo/place.ts';
import { type CityColumns, nearestCity } from './nearest-city.ts';

/** Farther from any large city, as in mid-ocean, a position has no place. */
const FARTHEST_KM = 500;

/** What is no country's code any more comes back as it is. */
const COUNTRIES = new Intl.DisplayNames(['en'], { type: 'region' });
/** `US`, `UK`, `Hong Kong`; most are the same. */
const SHORT_COUNTRIES = new Intl.DisplayNames(['en'], { type: 'region', style: 'short' });
const CLUSTERS_PER_STEP = 128;

/** Where a position is: near its nearest large city, or null farther than `FARTHEST_KM` from any. */
export function placeOf(cities: CityColumns, position: Position): Place | null {
  const nearest = nearestCity(cities, position);
  if (nearest === undefined || nearest.distanceKm > FARTHEST_KM) {
    return null;
  }
  const { countryCode, name } = nearest.city;
  const country = COUNTRIES.of(countryCode) as string;
  const short = SHORT_COUNTRIES.of(countryCode) as string;
  return {
    name,
    country,
    countryCode,
    distanceKm: Math.round(nearest.distanceKm * 10) / 10,
    // Singapore is in Singapore.
    text: short === name ? `near ${name}` : `near ${name}, ${short}`,
  };
}

/** The model with the place of each cluster. What it says of rows stays as it is. */
export function* nameClusters(cities: CityColumns, model: Model): Steps<NamedModel> {
  const clusters = [];
  for (const cluster of model.clusters) {
    clusters.push({ ...cluster, place: placeOf(cities, cluster) });
    if (clusters.length % CLUSTERS_PER_STEP === 0) {
      yield;
    }
  }
  return { ...model, clusters };
}
