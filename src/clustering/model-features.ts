import { allocateFeatures, type FeatureColumns, FEATURES_PER_STEP } from './features.ts';
import { FeatureTree } from './feature-tree.ts';
import { finish, type Steps } from './slices.ts';

/** One region's features and their place in the fixed order: by region, then by partition. */
export interface ModelSource {
  readonly region: number;
  readonly partition: number;
  readonly tree: FeatureTree;
}

export interface FeatureLimits {
  /** The search sees at most so many features. Default 20,000. */
  readonly searchFeatures?: number;
  /** Above so many features the clusters are made of the coarsened ones. Default 2,000,000 (80 MB). */
  readonly assignFeatures?: number;
}

/** What a model is made of. */
export interface ModelFeatures {
  readonly trees: readonly FeatureTree[];
  /** All features, unless they are too many. */
  readonly all: FeatureColumns | undefined;
  /** The same, as few as the search can afford. */
  readonly coarse: FeatureColumns;
}

const SEARCH_FEATURES = 20_000;
const ASSIGN_FEATURES = 2_000_000;

/** @throws RangeError when the sources are not in strictly ascending (region, partition) order. */
export function* modelFeatures(
  sources: Iterable<ModelSource>,
  { assignFeatures = ASSIGN_FEATURES, searchFeatures = SEARCH_FEATURES }: FeatureLimits,
): Steps<ModelFeatures> {
  const trees = inOrder(sources);
  const count = trees.reduce((total, tree) => total + tree.count, 0);
  const all = count <= assignFeatures ? yield* columnsOf(trees, count) : undefined;
  const coarse = all !== undefined && count <= searchFeatures ? all : yield* coarsened(trees, searchFeatures);
  return { trees, all, coarse };
}

function inOrder(sources: Iterable<ModelSource>): readonly FeatureTree[] {
  const trees: FeatureTree[] = [];
  let before: ModelSource | undefined;
  for (const source of sources) {
    if (before !== undefined && (source.region - before.region || source.partition - before.partition) <= 0) {
      throw new RangeError(
        `region ${String(source.region)} of partition ${String(source.partition)} follows ` +
          `region ${String(before.region)} of partition ${String(before.partition)}: not in ascending order`,
      );
    }
    before = source;
    trees.push(source.tree);
  }
  return trees;
}

function* columnsOf(trees: readonly FeatureTree[], count: number): Steps<FeatureColumns> {
  const columns = allocateFeatures(count);
  let at = 0;
  for (const tree of trees) {
    tree.forEachFeature((weight, x, y, z, sse) => {
      columns.weight[at] = weight;
      columns.x[at] = x;
      columns.y[at] = y;
      columns.z[at] = z;
      columns.sse[at] = sse;
      at++;
    });
    yield;
  }
  return columns;
}

function* coarsened(trees: readonly FeatureTree[], limit: number): Steps<FeatureColumns> {
  const sphere = new FeatureTree('sphere', limit);
  for (const tree of trees) {
    const columns = finish(columnsOf([tree], tree.count));
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
  return yield* columnsOf([sphere], sphere.count);
}
