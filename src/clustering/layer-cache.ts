import type { FeatureTree } from './feature-tree.ts';
import { type Layer, type LayeredRegion, layerOf, mergedLayer } from './layers.ts';
import { OPERATIONS, ROUNDING } from './rounding.ts';
import type { Steps } from './slices.ts';

/** Factors that are in this proportion to those before, but for so much of it, have changed in proportion. */
const TOLERANCE = 1e-12;
/** Layers of a region beside its base, for each partition: the newest pane, and one that has just been it. */
const MOST_LOOSE = 2;

/** A tree whose rows count `factor` times, 1 by default. */
interface LayerSource {
  readonly region: number;
  readonly partition: number;
  readonly tree: FeatureTree;
  readonly factor?: number;
}

/** Trees that are merged into one layer. */
interface Base {
  readonly factors: ReadonlyMap<FeatureTree, number>;
  readonly layer: Layer;
}

/** What is kept of a region. */
interface Kept {
  readonly sources: readonly LayerSource[];
  readonly region: LayeredRegion;
  readonly base: Base | undefined;
  /** Trees beside the base. */
  readonly loose: ReadonlyMap<FeatureTree, Layer>;
}

/**
 * The trees of all regions as layers, and what of those the next model can use again. Between two live models
 * most panes stay the same, and of a region only the newest changes: all the others are merged, cell by
 * cell, into one layer, its base. That is made anew when one of them has changed or no longer counts, when they
 * no longer count in the same proportion (to age by a half-life keeps it), and when too many panes are beside.
 *
 * A tree is known again as the same object. So it must not be changed.
 */
export class LayerCache {
  /** What bounded the SSE of the features that the last model was searched in. */
  sseBound: number | undefined;
  #kept: ReadonlyMap<number, Kept> = new Map();

  /**
   * The regions of sources that are in the order of a model. Others are forgotten.
   * @returns what is to be used before the next call
   */
  *regionsOf(sources: readonly LayerSource[]): Steps<readonly LayeredRegion[]> {
    const regions: LayeredRegion[] = [];
    const now = new Map<number, Kept>();
    for (let from = 0; from < sources.length; ) {
      const { region } = sources[from] as LayerSource;
      let to = from + 1;
      while (sources[to]?.region === region) {
        to++;
      }
      const kept = keep(sources.slice(from, to), this.#kept.get(region));
      now.set(region, kept);
      regions.push(kept.region);
      from = to;
      yield;
    }
    this.#kept = now;
    return regions;
  }
}

function keep(sources: readonly LayerSource[], before: Kept | undefined): Kept {
  if (before !== undefined && areSame(sources, before.sources)) {
    return before;
  }
  const newest = new Set(
    sources.filter(({ partition }, at) => sources[at + 1]?.partition !== partition).map(({ tree }) => tree),
  );
  let base = before?.base;
  if (base !== undefined && scaleOf(base, sources) === undefined) {
    base = undefined;
  }
  if (sources.length - (base?.factors.size ?? 0) > MOST_LOOSE * newest.size) {
    base = baseOf(sources.filter(({ tree }) => !newest.has(tree)));
  }
  const trees = sources.map(({ tree }) => tree).filter((tree) => base?.factors.has(tree) !== true);
  const loose = new Map(trees.map((tree) => [tree, before?.loose.get(tree) ?? layerOf(tree)]));
  return { sources, region: layeredRegion(sources, base, loose), base, loose };
}

function areSame(now: readonly LayerSource[], before: readonly LayerSource[]): boolean {
  return (
    now.length === before.length &&
    now.every(({ factor, tree }, at) => tree === before[at]?.tree && factor === before[at].factor)
  );
}

function baseOf(sources: readonly LayerSource[]): Base {
  const factors = new Map(sources.map(({ factor = 1, tree }) => [tree, factor]));
  return { factors, layer: mergedLayer([...factors.keys()], [...factors.values()]) };
}

/** How many times what is merged counts now; undefined if that is not the same for all of it. */
function scaleOf({ factors }: Base, sources: readonly LayerSource[]): number | undefined {
  let scale: number | undefined;
  let found = 0;
  for (const { factor = 1, tree } of sources) {
    const before = factors.get(tree);
    if (before !== undefined) {
      found++;
      const times = factor / before;
      scale ??= times;
      if (Math.abs(times - scale) > TOLERANCE * scale) {
        return undefined;
      }
    }
  }
  return found === factors.size ? scale : undefined;
}

function layeredRegion(
  sources: readonly LayerSource[],
  base: Base | undefined,
  loose: ReadonlyMap<FeatureTree, Layer>,
): LayeredRegion {
  const [first] = sources as readonly [LayerSource, ...LayerSource[]];
  const layers = [...loose.values()];
  const factors = sources.filter(({ tree }) => loose.has(tree)).map(({ factor = 1 }) => factor);
  if (base !== undefined) {
    layers.unshift(base.layer);
    factors.unshift(scaleOf(base, sources) as number);
  }
  const isPlain = factors.every((factor) => factor === 1) && sources.every(({ factor = 1 }) => factor === 1);
  const features = sources.reduce((count, { tree }) => count + tree.count, 0);
  return {
    root: first.tree.root,
    layers,
    factors,
    rows: layers.reduce((rows, layer) => rows + layer.rows, 0),
    blur: isPlain ? 0 : TOLERANCE + (features + OPERATIONS) * 2 * ROUNDING,
  };
}
