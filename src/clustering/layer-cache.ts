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
  /** Of all the trees. */
  readonly features: number;
  /** Each of the rows counts 1 in it. */
  readonly isPlain: boolean;
}

/** A base, and how many times what is merged in it counts now. */
interface ScaledBase extends Base {
  readonly scale: number;
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
  readonly #kept = new Map<number, Kept>();

  /**
   * The regions of sources that are in the order of a model. Others are forgotten.
   * @returns what is to be used before the next call
   */
  *regionsOf(sources: readonly LayerSource[]): Steps<readonly LayeredRegion[]> {
    const regions: LayeredRegion[] = [];
    const seen = new Set<number>();
    for (let from = 0; from < sources.length; ) {
      const { region } = sources[from] as LayerSource;
      let to = from + 1;
      while (sources[to]?.region === region) {
        to++;
      }
      const kept = keep(sources.slice(from, to), this.#kept.get(region));
      // At once: it may have taken memory over from what was kept before.
      this.#kept.set(region, kept);
      seen.add(region);
      regions.push(kept.region);
      from = to;
      yield;
    }
    for (const region of [...this.#kept.keys()].filter((one) => !seen.has(one))) {
      this.#kept.delete(region);
    }
    return regions;
  }
}

function keep(sources: readonly LayerSource[], before: Kept | undefined): Kept {
  if (before !== undefined && areSame(sources, before.sources)) {
    return before;
  }
  const newest = sources.filter(({ partition }, at) => sources[at + 1]?.partition !== partition);
  let base = before?.base === undefined ? undefined : scaled(before.base, sources);
  if (sources.length - (base?.factors.size ?? 0) > MOST_LOOSE * newest.length) {
    base = baseOf(sources.filter((source) => !newest.includes(source)));
  }
  const beside = sources.filter(({ tree }) => base?.factors.has(tree) !== true);
  const spare: Float64Array[] = [];
  for (const [tree, { sums }] of before?.loose ?? []) {
    if (!beside.some((source) => source.tree === tree)) {
      spare.push(sums);
    }
  }
  const loose = new Map(
    beside.map(({ tree }) => [tree, before?.loose.get(tree) ?? layerOf(tree, spare.pop())]),
  );
  return { sources, region: layeredRegion(sources, base, beside, loose), base, loose };
}

function areSame(now: readonly LayerSource[], before: readonly LayerSource[]): boolean {
  return (
    now.length === before.length &&
    now.every(({ factor, tree }, at) => tree === before[at]?.tree && factor === before[at].factor)
  );
}

function baseOf(sources: readonly LayerSource[]): ScaledBase {
  const factors = new Map(sources.map(({ factor = 1, tree }) => [tree, factor]));
  return {
    factors,
    layer: mergedLayer([...factors.keys()], [...factors.values()]),
    features: sources.reduce((count, { tree }) => count + tree.count, 0),
    isPlain: sources.every(({ factor = 1 }) => factor === 1),
    scale: 1,
  };
}

/** The base as it counts now; undefined if that is not in the same proportion for all of it. */
function scaled(base: Base, sources: readonly LayerSource[]): ScaledBase | undefined {
  let scale: number | undefined;
  let found = 0;
  for (const { factor = 1, tree } of sources) {
    const before = base.factors.get(tree);
    if (before !== undefined) {
      found++;
      const times = factor / before;
      scale ??= times;
      if (Math.abs(times - scale) > TOLERANCE * scale) {
        return undefined;
      }
    }
  }
  return scale === undefined || found < base.factors.size ? undefined : { ...base, scale };
}

function layeredRegion(
  [first]: readonly LayerSource[],
  base: ScaledBase | undefined,
  beside: readonly LayerSource[],
  loose: ReadonlyMap<FeatureTree, Layer>,
): LayeredRegion {
  const layers = [...loose.values()];
  const factors = beside.map(({ factor = 1 }) => factor);
  const isPlain =
    factors.every((factor) => factor === 1) && (base?.isPlain ?? true) && (base?.scale ?? 1) === 1;
  const features = beside.reduce((count, { tree }) => count + tree.count, base?.features ?? 0);
  if (base !== undefined) {
    layers.unshift(base.layer);
    factors.unshift(base.scale);
  }
  return {
    root: (first as LayerSource).tree.root,
    layers,
    factors,
    rows: layers.reduce((rows, layer) => rows + layer.rows, 0),
    blur: isPlain ? 0 : TOLERANCE + (features + OPERATIONS) * 2 * ROUNDING,
  };
}
