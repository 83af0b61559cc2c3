import { chordOfAngle, EARTH_RADIUS_KM } from '../geo/sphere.ts';
import { coldSearch, fixedChoice, type KRange } from './cold-search.ts';
import { type FeatureColumns, FEATURES_PER_STEP } from './features.ts';
import { type ClusterEvent, type Flow, type LiveClusters, succeed } from './identity.ts';
import { assignFeatures, costOf, type SearchResult } from './kmeans.ts';
import type { Centers } from './kmeans-passes.ts';
import { LayerCache } from './layer-cache.ts';
import {
  type Candidate,
  chooseBeside,
  followK,
  isGain,
  type KChange,
  type KnownK,
  type Standing,
  warmSearch,
} from './live-k.ts';
import { centersOf, type Model, type ModelOptions, modelOf } from './model.ts';
import { liveFeatures, type ModelFeatures, modelFeatures, type ModelSource } from './model-features.ts';
import type { Steps } from './slices.ts';

export interface LiveModel {
  readonly model: Model;
  /** What the next live model is to know of this one. */
  readonly live: KnownClusters;
  /** A change of k first, then what became of the clusters. */
  readonly events: readonly LiveEvent[];
  /** What a search from nothing may find better centers for; undefined where one was made just now. */
  readonly unsearched: Unsearched | undefined;
}

/** What is remembered of a live model; without k in the state of a version that did not tell. */
export interface KnownClusters extends LiveClusters, Partial<KnownK> {}

/** What a live model tells of how it differs from the one before. */
export type LiveEvent = ClusterEvent | KChange;

/** Features whose centers only followed those before, and what they cost. */
export interface Unsearched {
  readonly features: FeatureColumns;
  readonly cost: number;
  /** Where k is chosen: how many there are, and how good that is. */
  readonly standing?: Standing;
}

/** Within so many radii nearly all rows of a cluster are found: 0.9999 of a normal distribution. */
const REACH_RADII = 3;
/** Also a single place has surroundings. */
const LEAST_REACH_KM = 1;

/**
 * The model that follows `before`, the last live one: its centers go on where they can, and so do the ids
 * of its clusters. Without one it is the canonical model. A pure function of the arguments, but for the last bits,
 * which depend on what the cache has seen before.
 *
 * The centers before are moved by Lloyd's iteration to where the rows are now. Those of a search from
 * nothing take their place only when they cost less by more than STAY_GAIN: clusters that are as good as others
 * do not come and go. That search is long. It is made here only where there are not k centers to go on
 * from; else it is made beside the live models (`searchBeside`), and what it found at the rows of a while
 * ago comes in as `candidate` and is judged by those of now.
 *
 * Where k is to be chosen from a range it is as it was, until a candidate with another one is clearly better
 * (`followK`).
 * @param cache what the live models before have found out about the same trees; after the first, long one it is filled
 * at once, so that the second need not do that
 * @throws RangeError when the sources are not in strictly ascending (region, partition, pane) order.
 */
export function* liveModelSteps(
  sources: readonly ModelSource[],
  options: ModelOptions,
  before: KnownClusters | undefined,
  candidate?: Candidate,
  cache?: LayerCache,
): Steps<LiveModel> {
  const features = yield* before === undefined
    ? modelFeatures(sources, options)
    : liveFeatures(sources, options, cache ?? new LayerCache());
  const { k, kChoice, unsearched, ...found } = yield* liveCenters(features, options, before, candidate);
  const model = { ...(yield* modelOf(features, k, found)), kChoice };
  if (before !== undefined && model.clusters.length === 0) {
    // No rows say nothing about the clusters.
    return { model, live: before, events: [], unsearched };
  }
  yield;
  const flows = before === undefined ? [] : yield* flowsOf(features.coarse, before, centersOf(model));
  yield;
  const { events, ids, live } = yield* succeed(before, model.clusters, flows);
  yield;
  if (before === undefined && cache !== undefined) {
    yield* liveFeatures(sources, options, cache);
  }
  const clusters = model.clusters.map((cluster, index) => ({ ...cluster, id: ids[index] as number }));
  return {
    model: { ...model, clusters },
    live: { ...live, k, kChoice },
    events: [...kChanges(before?.k, k, kChoice.reason), ...events],
    unsearched,
  };
}

function kChanges(from: number | undefined, to: number, reason: string): readonly KChange[] {
  // A model of no rows has no k.
  return from === undefined || from === 0 || from === to ? [] : [{ type: 'k-changed', from, to, reason }];
}

/** The search that a live model left out: the centers it finds, and whether they would take the place of its. */
export function* searchBeside(
  { cost, features, standing }: Unsearched,
  options: ModelOptions,
): Steps<{ readonly candidate: Candidate; readonly better: boolean }> {
  if (standing !== undefined) {
    return yield* chooseBeside(features, options, standing, cost);
  }
  const found = yield* coldSearch({ coarse: features, effectiveRows: 0 }, options);
  return { candidate: { centers: found.centers }, better: isGain(found, cost) };
}

interface LiveCenters extends SearchResult, KnownK {
  readonly unsearched: Unsearched | undefined;
}

function* liveCenters(
  features: ModelFeatures,
  options: ModelOptions,
  before: KnownClusters | undefined,
  candidate: Candidate | undefined,
): Steps<LiveCenters> {
  const { k } = options;
  const most = typeof k === 'number' ? k : k.kMax;
  // Of more the heaviest go on.
  const start = centersOf(before, most);
  if (before === undefined || start.count === 0) {
    return { ...(yield* coldSearch(features, options)), unsearched: undefined };
  }
  return typeof k === 'number'
    ? yield* fixedCenters(features, options, k, start, before, candidate)
    : yield* chosenCenters(features, options, k, start, before, candidate);
}

function* fixedCenters(
  features: ModelFeatures,
  options: ModelOptions,
  k: number,
  start: Centers,
  before: KnownClusters,
  candidate: Candidate | undefined,
): Steps<LiveCenters> {
  const { coarse } = features;
  const kChoice = fixedChoice(k, options.fixedBy);
  const warm = yield* warmSearch(coarse, options, k, start);
  if (before.clusters.length !== k) {
    const cold = yield* coldSearch(features, options);
    const { centers, cost } = isGain(cold, warm.cost) ? cold : warm;
    return { centers, cost, k, kChoice, unsearched: undefined };
  }
  let taken = warm;
  const given = candidate?.centers;
  if (given !== undefined && given.count > 0 && given.count <= k) {
    const judged = { cost: yield* costOf(coarse, given) };
    if (isGain(judged, warm.cost)) {
      taken = yield* warmSearch(coarse, options, k, given);
    }
  }
  const { centers, cost } = taken;
  return { centers, cost, k, kChoice, unsearched: { features: coarse, cost } };
}

function* chosenCenters(
  features: ModelFeatures,
  options: ModelOptions,
  range: KRange,
  start: Centers,
  before: KnownClusters,
  candidate: Candidate | undefined,
): Steps<LiveCenters> {
  const { coarse, effectiveRows } = features;
  if (coarse.count === 0) {
    return { ...(yield* coldSearch(features, options)), unsearched: undefined };
  }
  const followed = yield* followK(features, options, range, start, before, candidate);
  const { bic, centers, cost, k, kChoice } = followed;
  const standing = { k, bic, effectiveRows };
  return { centers, cost, k, kChoice, unsearched: { features: coarse, cost, standing } };
}

/** For each cluster before the flows to the new ones, the heaviest first, of equals that to the nearest. */
function* flowsOf(
  features: FeatureColumns,
  { clusters }: LiveClusters,
  now: Centers,
): Steps<readonly Flow[]> {
  const before = centersOf({ clusters });
  if (before.count === 0) {
    return [];
  }
  const { cluster: lefts, distance } = yield* assignFeatures(features, before);
  const { cluster: rights } = yield* assignFeatures(features, now);
  yield;
  const reaches = clusters.map(({ radiusKm }) => reachOf(radiusKm));
  const flows = new Map<number, { left: number; right: number; near: number; far: number; apart: number }>();
  for (let f = 0; f < features.count; f++) {
    const left = lefts[f] as number;
    const right = rights[f] as number;
    const pair = left * now.count + right;
    let flow = flows.get(pair);
    if (flow === undefined) {
      flow = { left, right, near: 0, far: 0, apart: squaredChord(before, left, now, right) };
      flows.set(pair, flow);
    }
    const reached = (distance[f] as number) <= (reaches[left] as number);
    flow[reached ? 'near' : 'far'] += features.weight[f] as number;
    if (f % FEATURES_PER_STEP === FEATURES_PER_STEP - 1) {
      yield;
    }
  }
  yield;
  return [...flows.values()].sort(
    (a, b) => a.left - b.left || b.near - a.near || b.far - a.far || a.apart - b.apart,
  );
}

/** Squared chord from a center up to which rows are within reach of a cluster of this radius. */
function reachOf(radiusKm: number): number {
  const km = Math.max(LEAST_REACH_KM, REACH_RADII * radiusKm);
  return chordOfAngle(Math.min(Math.PI, km / EARTH_RADIUS_KM));
}

function squaredChord(a: Centers, i: number, b: Centers, j: number): number {
  const dx = (a.x[i] as number) - (b.x[j] as number);
  const dy = (a.y[i] as number) - (b.y[j] as number);
  const dz = (a.z[i] as number) - (b.z[j] as number);
  return dx * dx + dy * dy + dz * dz;
}
