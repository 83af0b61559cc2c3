import type { Latitude, Longitude } from '../geo/axes.ts';
import { angleOfChord, EARTH_RADIUS_KM, latitudeOf, longitudeOf, type UnitVector } from '../geo/sphere.ts';
import { assignRegions } from './assigned-regions.ts';
import { type CostBounds, costBoundsOf } from './bounds.ts';
import { coldSearch, type KRecord, type SearchSettings } from './cold-search.ts';
import type { ModelDrift } from './drift.ts';
import { type FeatureColumns, FEATURES_PER_STEP } from './features.ts';
import { assignFeatures, type SearchResult } from './kmeans.ts';
import { type Centers, centersAt } from './kmeans-passes.ts';
import type { LayeredRegion } from './layers.ts';
import { type FeatureLimits, type ModelFeatures, modelFeatures, type ModelSource } from './model-features.ts';
import type { ModelTime } from './model-time.ts';
import { finish, type Steps } from './slices.ts';

export interface ModelOptions extends FeatureLimits, SearchSettings {}

export interface Cluster {
  /** In a canonical model the rank, 1 for the heaviest; in a live one it stays the same for life. */
  readonly id: number;
  readonly longitude: Longitude;
  readonly latitude: Latitude;
  /** Weighted mean of the rows' unit vectors, not normalised: its length tells how gathered they are. */
  readonly center: UnitVector;
  readonly weight: number;
  /** Share of the total weight, in (0, 1]. */
  readonly share: number;
  /** Root-mean-square great-circle distance of the rows to the center, km. */
  readonly radiusKm: number;
}

export interface Model {
  /** The number of clusters asked for, or chosen; there are fewer clusters when there are fewer distinct places. */
  readonly k: number;
  readonly weight: number;
  /** Sum over the rows of the squared chord to their cluster's center, in squared earth radii. */
  readonly cost: number;
  /**
   * For certain, the sum over the raw rows of the squared chord to the nearest of the clusters' centers
   * lies between these; so does `cost`.
   */
  readonly costBounds: CostBounds;
  /** Which rows it is of; undefined where it was not made of panes. */
  readonly time?: ModelTime;
  /** Whether the newest rows have left it; undefined where that is not looked at. */
  readonly drift?: ModelDrift;
  /** Why k is what it is; undefined in a model of a version that did not tell. */
  readonly kChoice?: KRecord;
  /** By descending weight, then ascending center. */
  readonly clusters: readonly Cluster[];
}

/** A model before its rows' own cells were looked at. */
export type UnboundedModel = Omit<Model, 'costBounds'>;

/** Below this length of a center its direction is noise. */
const NO_DIRECTION = 1e-9;
/** Squared lengths this near to 1 are 1 but for rounding. */
const UNIT_ROUNDING = 1e-15;

/**
 * A live model does not go into a cell on a border between clusters where the SSE of its rows is no more than this share
 * of what a feature of the search costs on average. There are about as many such cells as features of the search at most,
 * so the bounds become wider by some thousandths of the cost at most, and it takes half the time.
 */
const FINE = 1e-3;

/** The centers of a model, at most so many of the first; none without a model. */
export function centersOf(
  model: { readonly clusters: readonly Pick<Cluster, 'center'>[] } | undefined,
  most = Infinity,
): Centers {
  return centersAt((model?.clusters ?? []).slice(0, most).map(({ center }) => center));
}

/** `modelSteps` in one go. */
export function buildModel(sources: Iterable<ModelSource>, options: ModelOptions): Model {
  return finish(modelSteps(sources, options));
}

/**
 * The canonical model: the global clusters of all regions' features, coarsened to what the search can
 * afford and searched without knowledge of any model before. A pure function of the arguments; the order
 * of the sources is part of them, and checked.
 * @throws RangeError when the sources are not in strictly ascending (region, partition, pane) order.
 */
export function* modelSteps(sources: Iterable<ModelSource>, options: ModelOptions): Steps<Model> {
  const features = yield* modelFeatures(sources, options);
  const found = yield* coldSearch(features, options);
  return { ...(yield* modelOf(features, found.k, found)), kChoice: found.kChoice };
}

/** The model that centers make which were found for the coarsened features: every feature at its nearest center. */
export function* modelOf(features: ModelFeatures, k: number, found: SearchResult): Steps<Model> {
  const { all, coarse, regions, sources, sseBound = 0 } = features;
  if (regions !== undefined) {
    return yield* modelAt(regions, k, found.centers, Math.min(sseBound, (FINE * found.cost) / coarse.count));
  }
  const model = yield* clustersOf(all ?? coarse, k, found.centers);
  const { clusters, cost, weight } = model;
  const centers = clusters.map(({ center }) => center);
  const { lower, upper } = yield* costBoundsOf(sources, centers);
  // Made of coarsened features, or of rows on a border that went to another center, the cost is above.
  const costBounds = { lower: Math.min(lower, cost), upper: Math.max(upper, cost) };
  return { k, weight, cost, costBounds, clusters };
}

/**
 * The model with just these centers. They should be the means of their rows, but for those that a coarser view
 * gave to another center.
 */
function* modelAt(
  regions: readonly LayeredRegion[],
  k: number,
  given: Centers,
  sseBound: number,
): Steps<Model> {
  const centers = Array.from(
    given.x.subarray(0, given.count),
    (x, c): UnitVector => [x, given.y[c] as number, given.z[c] as number],
  );
  const { bounds, features, nearest } = yield* assignRegions(regions, centers, { sseBound });
  const weight = new Float64Array(given.count);
  for (let f = 0; f < features.count; f++) {
    const c = nearest[f] as number;
    weight[c] = (weight[c] as number) + (features.weight[f] as number);
  }
  yield;
  const model = yield* ranked(features, k, nearest, { ...given, weight });
  const { lower, upper } = bounds;
  return { ...model, costBounds: { lower: Math.min(lower, model.cost), upper: Math.max(upper, model.cost) } };
}

/** The model that given centers make of features: assignment, means, radii. */
export function* clustersOf(features: FeatureColumns, k: number, centers: Centers): Steps<UnboundedModel> {
  if (features.count === 0) {
    return { k, weight: 0, cost: 0, clusters: [] };
  }
  const { cluster } = yield* assignFeatures(features, centers);
  return yield* ranked(features, k, cluster, yield* meansOf(features, cluster, centers.count));
}

/** The model of features that are assigned to centers. */
function* ranked(
  features: FeatureColumns,
  k: number,
  cluster: Int32Array,
  means: Means,
): Steps<UnboundedModel> {
  const drafts = yield* spreadsOf(features, cluster, means);
  yield;
  let weight = 0;
  let cost = 0;
  for (const draft of drafts) {
    weight += draft.weight;
    cost += draft.cost;
  }
  const clusters = drafts
    .sort((a, b) => b.weight - a.weight || compareCenters(a.center, b.center))
    .map((draft, rank) => ({
      id: rank + 1,
      longitude: longitudeOf(draft.direction[0], draft.direction[1]),
      latitude: latitudeOf(...draft.direction),
      center: draft.center,
      weight: draft.weight,
      share: draft.weight / weight,
      radiusKm: Math.sqrt(draft.angles / draft.weight) * EARTH_RADIUS_KM,
    }));
  return { k, weight, cost, clusters };
}

interface Means extends Centers {
  readonly weight: Float64Array;
}

interface Draft {
  readonly center: UnitVector;
  readonly direction: UnitVector;
  readonly weight: number;
  cost: number;
  /** Weighted sum of squared angles, radians. */
  angles: number;
}

/** Weighted means by the updating formula: equal means stay as they are, bit for bit. */
function* meansOf(features: FeatureColumns, cluster: Int32Array, clusters: number): Steps<Means> {
  const x = new Float64Array(clusters);
  const y = new Float64Array(clusters);
  const z = new Float64Array(clusters);
  const weight = new Float64Array(clusters);
  for (let f = 0; f < features.count; f++) {
    const c = cluster[f] as number;
    const w = features.weight[f] as number;
    const total = (weight[c] as number) + w;
    const share = w / total;
    const mx = x[c] as number;
    const my = y[c] as number;
    const mz = z[c] as number;
    x[c] = mx + share * ((features.x[f] as number) - mx);
    y[c] = my + share * ((features.y[f] as number) - my);
    z[c] = mz + share * ((features.z[f] as number) - mz);
    weight[c] = total;
    if (f % FEATURES_PER_STEP === FEATURES_PER_STEP - 1) {
      yield;
    }
  }
  return { count: clusters, x, y, z, weight };
}

/** Adds up each cluster's cost and squared angles; clusters without features are left out. */
function* spreadsOf(features: FeatureColumns, cluster: Int32Array, means: Means): Steps<Draft[]> {
  const drafts: (Draft | undefined)[] = [];
  for (let c = 0; c < means.count; c++) {
    const weight = means.weight[c] as number;
    const center: UnitVector = [means.x[c] as number, means.y[c] as number, means.z[c] as number];
    const direction = weight > 0 ? directionOf(center, features, cluster, c) : center;
    drafts.push(weight > 0 ? { center, direction, weight, cost: 0, angles: 0 } : undefined);
  }
  yield;
  for (let f = 0; f < features.count; f++) {
    const draft = drafts[cluster[f] as number];
    if (draft !== undefined) {
      const w = features.weight[f] as number;
      const sse = features.sse[f] as number;
      draft.cost += sse + w * squaredDistance(features, f, draft.center);
      const angle = angleOfChord(sse / w + squaredDistance(features, f, draft.direction));
      draft.angles += w * angle * angle;
    }
    if (f % FEATURES_PER_STEP === FEATURES_PER_STEP - 1) {
      yield;
    }
  }
  return drafts.filter((draft) => draft !== undefined);
}

/**
 * The unit vector that stands for a center. A center near the origin (rows all around the globe) has no
 * direction of its own: its medoid, the feature nearest to it that has one, lends it.
 */
function directionOf(
  center: UnitVector,
  features: FeatureColumns,
  clusters: Int32Array,
  wanted: number,
): UnitVector {
  const own = normalised(...center);
  if (own !== undefined) {
    return own;
  }
  let medoid: UnitVector = [1, 0, 0];
  let least = Infinity;
  for (let f = 0; f < features.count; f++) {
    if (clusters[f] === wanted) {
      const distance = squaredDistance(features, f, center);
      const direction = normalised(features.x[f] as number, features.y[f] as number, features.z[f] as number);
      if (distance < least && direction !== undefined) {
        least = distance;
        medoid = direction;
      }
    }
  }
  return medoid;
}

function normalised(x: number, y: number, z: number): UnitVector | undefined {
  const squared = x * x + y * y + z * z;
  if (Math.abs(squared - 1) < UNIT_ROUNDING) {
    return [x, y, z];
  }
  const length = Math.sqrt(squared);
  return length < NO_DIRECTION ? undefined : [x / length, y / length, z / length];
}

function squaredDistance(features: FeatureColumns, f: number, to: UnitVector): number {
  const dx = (features.x[f] as number) - to[0];
  const dy = (features.y[f] as number) - to[1];
  const dz = (features.z[f] as number) - to[2];
  return dx * dx + dy * dy + dz * dz;
}

function compareCenters(a: UnitVector, b: UnitVector): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
