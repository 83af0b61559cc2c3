import { latitude, longitude } from '../geo/axes.ts';
import type { Place } from '../geo/place.ts';
import { EARTH_RADIUS_KM, fillUnitVectors, unitVector } from '../geo/sphere.ts';
import { allocateCenters, type Centers, centersAt } from './kmeans-passes.ts';
import type { Cluster } from './model.ts';

/** What a prediction needs of a model: that of `model.json` will do. */
export interface PredictingModel {
  readonly clusters: readonly PredictingCluster[];
}

export type PredictingCluster = Pick<Cluster, 'id' | 'longitude' | 'latitude' | 'center'> & {
  /** The nearest large city, where the model tells one. */
  readonly place?: Place | null | undefined;
};

/** To which cluster a position belongs. */
export interface Prediction {
  readonly id: number;
  /** Where the cluster is, degrees. */
  readonly longitude: number;
  readonly latitude: number;
  /** The large city nearest to the cluster; null where the model tells none. */
  readonly place: Place | null;
  /** Great-circle distance from the position to where the cluster is, km. */
  readonly distanceKm: number;
  /**
   * How much farther, in km along the great circle, the second nearest cluster is; null where there is only
   * one. Below 0 where the nearest center is the deeper one of a wide cluster, see `Predictor`.
   */
  readonly marginKm: number | null;
}

/** Predictions as columns: one row has one index in each. */
export interface PredictionColumns {
  /** Index in the model's `clusters`; -1 where the position is not a pair of finite numbers. */
  readonly cluster: Int32Array;
  /** See `Prediction`; NaN where there is no cluster. */
  readonly distanceKm: Float64Array;
  /** See `Prediction`; NaN where that is null. */
  readonly marginKm: Float64Array;
}

/** Positions made unit vectors at a time: their columns stay in the cache. */
const BLOCK_ROWS = 1_024;

/**
 * Tells to which cluster of a model a position belongs: to the one whose `center` is nearest to the position's
 * unit vector in R^3, of equals to the first, as k-means counted the rows.
 *
 * A center is the mean of unit vectors and lies inside of the sphere, the deeper the wider its cluster is. So
 * the nearest center need not be that of the cluster which is nearest on the map: halfway between a town and a
 * continent the continent begins closer to the town. Distances in km are those on the map.
 */
export class Predictor {
  readonly clusters: readonly PredictingCluster[];
  private readonly centers: Centers;
  /** Where the clusters are, as unit vectors. */
  private readonly places: Centers;

  /** @throws RangeError for a model without clusters: there is nothing to predict. */
  constructor({ clusters }: PredictingModel) {
    if (clusters.length === 0) {
      throw new RangeError('the model has no clusters: no rows are counted in it');
    }
    this.clusters = clusters;
    this.centers = centersAt(clusters.map(({ center }) => center));
    this.places = centersAt(clusters.map(unitVector));
  }

  /** Fills `out` at `[from, to)` with the predictions of the positions (degrees) at the same indices. */
  fill(
    longitudes: Float64Array,
    latitudes: Float64Array,
    out: PredictionColumns,
    from: number,
    to: number,
  ): void {
    const points = allocateCenters(Math.min(BLOCK_ROWS, to - from));
    for (let start = from; start < to; start += BLOCK_ROWS) {
      const rows = Math.min(BLOCK_ROWS, to - start);
      const { x, y, z } = points;
      fillUnitVectors(longitudes.subarray(start), latitudes.subarray(start), x, y, z, 0, rows);
      for (let row = 0; row < rows; row++) {
        this.fillRow(x[row] as number, y[row] as number, z[row] as number, out, start + row);
      }
    }
  }

  /**
   * @throws RangeError when the longitude is not in [-180, 180] or the latitude not in [-90, 90], degrees.
   */
  predict(east: number, north: number): Prediction {
    const out = allocatePredictions(1);
    this.fill(Float64Array.of(longitude(east)), Float64Array.of(latitude(north)), out, 0, 1);
    return this.at(out, 0);
  }

  /** The prediction that stands at an index of columns that this predictor filled; its `cluster` is not -1. */
  at(columns: PredictionColumns, row: number): Prediction {
    const cluster = this.clusters[columns.cluster[row] as number] as PredictingCluster;
    const marginKm = columns.marginKm[row] as number;
    return {
      id: cluster.id,
      longitude: cluster.longitude,
      latitude: cluster.latitude,
      place: cluster.place ?? null,
      distanceKm: columns.distanceKm[row] as number,
      marginKm: Number.isNaN(marginKm) ? null : marginKm,
    };
  }

  private fillRow(x: number, y: number, z: number, out: PredictionColumns, row: number): void {
    const { x: cx, y: cy, z: cz } = this.centers;
    let nearest = -1;
    let second = -1;
    let least = Infinity;
    let next = Infinity;
    for (let c = 0; c < cx.length; c++) {
      const dx = x - (cx[c] as number);
      const dy = y - (cy[c] as number);
      const dz = z - (cz[c] as number);
      const distance = dx * dx + dy * dy + dz * dz;
      if (distance < least) {
        second = nearest;
        next = least;
        nearest = c;
        least = distance;
      } else if (distance < next) {
        second = c;
        next = distance;
      }
    }
    const distanceKm = this.kmTo(nearest, x, y, z);
    out.cluster[row] = nearest;
    out.distanceKm[row] = distanceKm;
    out.marginKm[row] = this.kmTo(second, x, y, z) - distanceKm;
  }

  /** As `greatCircleKm` (Kahan's formula), without an allocation; NaN for no cluster. */
  private kmTo(cluster: number, x: number, y: number, z: number): number {
    const px = this.places.x[cluster] ?? NaN;
    const py = this.places.y[cluster] ?? NaN;
    const pz = this.places.z[cluster] ?? NaN;
    const apart = (x - px) * (x - px) + (y - py) * (y - py) + (z - pz) * (z - pz);
    const along = (x + px) * (x + px) + (y + py) * (y + py) + (z + pz) * (z + pz);
    return 2 * Math.atan2(Math.sqrt(apart), Math.sqrt(along)) * EARTH_RADIUS_KM;
  }
}

/**
 * To which cluster of a model a position belongs, see `Predictor`, which for many positions is faster.
 * @throws RangeError when the longitude is not in [-180, 180] or the latitude not in [-90, 90], degrees, or the
 * model has no clusters.
 */
export function predict(model: PredictingModel, east: number, north: number): Prediction {
  return new Predictor(model).predict(east, north);
}

export function allocatePredictions(rows: number): PredictionColumns {
  return {
    cluster: new Int32Array(rows),
    distanceKm: new Float64Array(rows),
    marginKm: new Float64Array(rows),
  };
}
