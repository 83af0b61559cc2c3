import { circleOnMap, type Ring } from '../geo/circle.ts';
import { unitVector } from '../geo/sphere.ts';
import type { Cluster, Model } from './model.ts';

/** The circle of a cluster's radius as GeoJSON: a polygon, or several where the antimeridian cuts it. */
export interface AreaFeature {
  readonly type: 'Feature';
  readonly geometry:
    | { readonly type: 'Polygon'; readonly coordinates: readonly [Ring] }
    | { readonly type: 'MultiPolygon'; readonly coordinates: readonly (readonly [Ring])[] };
  readonly properties: { readonly id: number; readonly radiusKm: number };
}

/** Below a metre it is a place. */
const LEAST_KM = 0.001;

/**
 * How far the clusters reach: the circle of each one's radius, within which most of its rows are. None for a cluster
 * whose rows are all at one place.
 */
export function clusterAreas({ clusters }: Model): readonly AreaFeature[] {
  return clusters.filter(({ radiusKm }) => radiusKm >= LEAST_KM).map(areaOf);
}

function areaOf(cluster: Cluster): AreaFeature {
  const { id, radiusKm } = cluster;
  const polygons = circleOnMap(unitVector(cluster), radiusKm).map((ring): readonly [Ring] => [ring]);
  const [first, ...others] = polygons as [readonly [Ring], ...(readonly [Ring])[]];
  return {
    type: 'Feature',
    geometry:
      others.length === 0
        ? { type: 'Polygon', coordinates: first }
        : { type: 'MultiPolygon', coordinates: polygons },
    properties: { id, radiusKm },
  };
}
