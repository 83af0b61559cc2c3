import { effectiveRowsOf } from './effective-rows.ts';
import { allocateFeatures, type FeatureColumns, FEATURES_PER_STEP } from './features.ts';
import type { CostTerms } from './bounds.ts';
import { FeatureTree } from './feature-tree.ts';
import type { FeatureVisitor } from './feature-nodes.ts';
import { coarsen } from './coarsen.ts';
import type { LayerCache } from './layer-cache.ts';
import type { LayeredRegion } from './layers.ts';
import { mergeRuns } from './runs.ts';
import { finish, type Steps } from './slices.ts';

/** Features of one region's rows, in a fixed order. */
export interface FeatureSource extends CostTerms {
  readonly count: number;
  forEachFeature(visit: FeatureVisitor): void;
}

/** One region's features and their place in the fixed order: by region, then by partition, then by time. */
export interface ModelSource {
  readonly region: number;
  readonly partition: number;
  /** When their event times begin, ms since the epoch. Default -Infinity. */
  readonly pane?: number;
  readonly tree: FeatureSource;
  /** Number of rows in the tree. Default its weight. */
  readonly rows?: number;
  /** Each row counts so much, above 0. Default 1. */
  readonly factor?: number;
}

export interface FeatureLimits {
  /** The search sees at most so many features. Default 20,000. */
  readonly searchFeatures?: number;
  /** Above so many features the clusters are made of the coarsened ones. Default 2,000,000 (80 MB). */
  readonly assignFeatures?: number;
}

/** What a model is made of. */
export interface ModelFeatures {
  readonly sources: readonly ModelSource[];
  /** Number of independent rows that the sources are worth. */
  readonly effectiveRows: number;
  /** All features, unless they are too many, or the rows come by regions of layers. */
  readonly all: FeatureColumns | undefined;
  /** The same, as few as the search can afford. */
  readonly coarse: FeatureColumns;
  /** In a live model: the same put together, so that not all need to be looked at. */
  readonly regions?: readonly LayeredRegion[];
  /** With `regions`: where the SSE of a cell's rows is no greater, they are one feature of the search. */
  readonly sseBound?: number;
}

const SEARCH_FEATURES = 20_000;
const ASSIGN_FEATURES = 2_000_000;

/** @throws RangeError when the sources are not in strictly ascending (region, partition, pane) order. */
export function modelFeatures(sources: Iterable<ModelSource>, limits: FeatureLimits): Steps<ModelFeatures> {
  return featuresOf(sources, limits, false);
}

/**
 * The same for a live model, as far as it can from what is known of the one before: another coarsening, which
 * takes a fraction of the time.
 * @throws RangeError when the sources are not in strictly ascending (region, partition, pane) order.
 */
export function* liveFeatures(
  given: Iterable<ModelSource>,
  limits: FeatureLimits,
  cache: LayerCache,
): Steps<ModelFeatures> {
  const sources = inOrder(given);
  yield;
  const trees = sources.filter(isOfTree);
  yield;
  if (trees.length < sources.length) {
    return yield* featuresOf(sources, limits, true);
  }
  const effectiveRows = yield* effectiveRowsOf(sources);
  const regions = yield* cache.regionsOf(trees);
  const { searchFeatures = SEARCH_FEATURES } = limits;
  const { features: coarse, sseBound } = yield* coarsen(regions, searchFeatures, cache.sseBound);
  cache.sseBound = sseBound;
  return { sources, effectiveRows, all: undefined, coarse, regions, sseBound };
}

function isOfTree(source: ModelSource): source is ModelSource & { readonly tree: FeatureTree } {
  return source.tree instanceof FeatureTree;
}

function* featuresOf(
  given: Iterable<ModelSource>,
  { assignFeatures = ASSIGN_FEATURES, searchFeatures = SEARCH_FEATURES }: FeatureLimits,
  live: boolean,
): Steps<ModelFeatures> {
  const sources = inOrder(given);
  const count = sources.reduce((total, { tree }) => total + tree.count, 0);
  const effectiveRows = yield* effectiveRowsOf(sources);
  yield;
  const all = count <= assignFeatures ? yield* columnsOf(sources, count) : undefined;
  if (all !== undefined && count <= searchFeatures) {
    return { sources, effectiveRows, all, coarse: all };
  }
  const merged = live && all !== undefined;
  const coarse = yield* merged ? mergeRuns(all, searchFeatures) : coarsened(sources, searchFeatures);
  return { sources, effectiveRows, all, coarse };
}

function inOrder(given: Iterable<ModelSource>): readonly ModelSource[] {
  const sources: ModelSource[] = [];
  let before: ModelSource | undefined;
  for (const source of given) {
    if (before !== undefined && !follows(source, before)) {
      throw new RangeError(
        `region ${String(source.region)} of partition ${String(source.partition)} follows ` +
          `region ${String(before.region)} of partition ${String(before.partition)}: not in ascending order`,
      );
    }
    before = source;
    sources.push(source);
  }
  return sources;
}

function follows(source: ModelSource, before: ModelSource): boolean {
  const apart = source.region - before.region || source.partition - before.partition;
  return apart > 0 || (apart === 0 && (source.pane ?? -Infinity) > (before.pane ?? -Infinity));
}

function* columnsOf(sources: readonly ModelSource[], count: number): Steps<FeatureColumns> {
  const columns = allocateFeatures(count);
  let at = 0;
  for (const { factor = 1, tree } of sources) {
    tree.forEachFeature((weight, x, y, z, sse) => {
      columns.weight[at] = factor * weight;
      columns.x[at] = x;
      columns.y[at] = y;
      columns.z[at] = z;
      columns.sse[at] = factor * sse;
      at++;
    });
    yield;
  }
  return columns;
}

function* coarsened(sources: readonly ModelSource[], limit: number): Steps<FeatureColumns> {
  const sphere = new FeatureTree('sphere', limit);
  for (const source of sources) {
    const columns = finish(columnsOf([source], source.tree.count));
    for (let from = 0; from < columns.count; from += FEATURES_PER_STEP) {
      const to = Math.min(columns.count, from + FEATURES_PER_STEP);
      for (let f = from; f < to; f++) {
        sphere.insertFeature(
          columns.weight[f] as number,
          columns.x[f] as number,
          columns.y[f] as number,
          columns.z[f] as number,
          columns.sse[f] as number,
        );
      }
      yield;
    }
  }
  return yield* columnsOf([{ region: 0, partition: 0, tree: sphere }], sphere.count);
}
