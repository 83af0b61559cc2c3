import type { AreaFeature } from './areas.ts';
import type { KRecord } from './cold-search.ts';
import type { Place } from '../geo/place.ts';
import type { Cluster, Model } from './model.ts';

/** A model as it is told: each cluster with the name of where it is, null far from any large city. */
export interface NamedModel extends Model {
  readonly clusters: readonly NamedCluster[];
}

export interface NamedCluster extends Cluster {
  readonly place: Place | null;
}

/** A model as GeoJSON (RFC 7946): one point a cluster, positions as [longitude, latitude]. */
export interface ClusterCollection {
  readonly type: 'FeatureCollection';
  /** A foreign member (RFC 7946, section 6.1): what is said of the model as a whole. */
  readonly model: Pick<Model, 'k' | 'weight' | 'cost' | 'costBounds' | 'time' | 'drift'>;
  readonly features: readonly ClusterFeature[];
}

export interface ClusterFeature {
  readonly type: 'Feature';
  readonly id: number;
  readonly geometry: { readonly type: 'Point'; readonly coordinates: readonly [number, number] };
  readonly properties: {
    readonly id: number;
    readonly weight: number;
    readonly share: number;
    readonly radiusKm: number;
    readonly place: Place | null;
  };
}

function clustersToGeoJson({
  clusters,
  cost,
  costBounds,
  drift,
  k,
  time,
  weight,
}: NamedModel): ClusterCollection {
  return {
    type: 'FeatureCollection',
    model: {
      k,
      weight,
      cost,
      costBounds,
      ...(time === undefined ? {} : { time }),
      ...(drift === undefined ? {} : { drift }),
    },
    features: clusters.map(({ id, longitude, latitude, place, share, radiusKm, weight: rows }) => ({
      type: 'Feature',
      id,
      geometry: { type: 'Point', coordinates: [longitude, latitude] },
      properties: { id, weight: rows, share, radiusKm, place },
    })),
  };
}

function plainChoice({ curve, effectiveRows, reason }: KRecord): KRecord {
  return { reason, effectiveRows, curve: curve.map(({ bic, cost, k }) => ({ k, cost, bic })) };
}

/**
 * The bytes of `clusters.geojson`: two spaces of indentation, a line end at the end.
 * @param areas features that come behind the points
 */
export function serializeGeoJson(model: NamedModel, areas: readonly AreaFeature[] = []): string {
  const { features, ...collection } = clustersToGeoJson(model);
  return `${JSON.stringify({ ...collection, features: [...features, ...areas] }, undefined, 2)}\n`;
}

/**
 * The bytes of `model.json`: fixed order of keys, doubles in the shortest decimal form that reads back
 * to the same bits (ECMAScript's Number::toString), a line end at the end. Equal models, equal bytes.
 * Clusters have their `place` where the model has names: among Geoflock's own records it has none.
 */
export function serializeModel(model: Model | NamedModel): string {
  const plain = {
    k: model.k,
    weight: model.weight,
    cost: model.cost,
    costBounds: model.costBounds,
    ...(model.time === undefined ? {} : { time: model.time }),
    ...(model.drift === undefined ? {} : { drift: model.drift }),
    ...(model.kChoice === undefined ? {} : { kChoice: plainChoice(model.kChoice) }),
    clusters: model.clusters.map((cluster: Cluster | NamedCluster) => ({
      id: cluster.id,
      longitude: cluster.longitude,
      latitude: cluster.latitude,
      center: cluster.center,
      weight: cluster.weight,
      share: cluster.share,
      radiusKm: cluster.radiusKm,
      ...('place' in cluster ? { place: cluster.place } : {}),
    })),
  };
  return `${JSON.stringify(plain, undefined, 2)}\n`;
}
