import type { NamedModel } from '../../src/clustering/geojson.ts';
import type { Model } from '../../src/clustering/model.ts';
import type { Place } from '../../src/geo/place.ts';

/** The model as it is told, with these places at its first clusters and none at the others. */
export function named(model: Model, ...places: readonly (Place | null)[]): NamedModel {
  return { ...model, clusters: model.clusters.map((one, n) => ({ ...one, place: places[n] ?? null })) };
}

export function placeCalled(text: string): Place {
  return { name: 'Paris', country: 'France', countryCode: 'FR', distanceKm: 1.5, text };
}
