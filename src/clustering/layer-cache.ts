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
  readonly sources: readonly LayerSource[];
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

/** A tree beside the base. */
interface Loose {
  readonly tree: FeatureTree;
  readonly layer: Layer;
}

/** What is kept of a region. */
interface Kept {
  readonly sources: readonly LayerSource[];
  readonly region: LayeredRegion;
  readonly base: Base | undefined;
  readonly loose: readonly Loose[];
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
    for (let from = 0; from < sources.length; ) {
      const { region } = sources[from] as LayerSource;
      let to = from + 1;
      while (sources[to]?.region === region) {
        to++;
      }
      let kept = this.#kept.get(region);
      if (kept === undefined || !areSame(kept.sources, sources, from, to)) {
        kept = keep(sources.slice(from, to), kept);
        // At once: it may have taken memory over from what was kept before.
        this.#kept.set(region, kept);
      }
      regions.push(kept.region);
      from = to;
      yield;
    }
    if (this.#kept.size > regions.length) {
      const seen = new Set(sources.map(({ region }) => region));
      for (const region of [...this.#kept.keys()].filter((one) => !seen.has(one))) {
        this.#kept.delete(region);
      }
    }
    return regions;
  }
}

/** Whether those in `[from, to)` are the ones before. */
function areSame(
  before: readonly LayerSource[],
  sources: readonly LayerSource[],
  from: number,
  to: number,
): boolean {
  if (to - from !== before.length) {
    return false;
  }
  for (let at = 0; at < before.length; at++) {
    const [now, then] = [sources[from + at] as LayerSource, before[at] as LayerSource];
    if (now !== then && (now.tree !== then.tree || now.factor !== then.factor)) {
      return false;
    }
  }
  return true;
}

function keep(sources: readonly LayerSource[], before: Kept | undefined): Kept {
  let base = before?.base === undefined ? undefined : scaled(before.base, sources);
  const partitions = sources.reduce((count, _, at) => (isNewest(sources, at) ? count + 1 : count), 0);
  if (sources.length - (base?.factors.size ?? 0) > MOST_LOOSE * partitions) {
    base = baseOf(sources.filter((_, at) => !isNewest(sources, at)));
  }
  const beside = base === undefined ? sources : sources.filter(({ tree }) => !base.factors.has(tree));
  const layers = layersOf(beside, before?.loose ?? []);
  return { sources, region: layeredRegion(sources, base, beside, layers), base, loose: layers };
}

/** Whether it is the last source of its partition. */
function isNewest(sources: readonly LayerSource[], at: number): boolean {
  return sources[at + 1]?.partition !== sources[at]?.partition;
}

/** Those that were not there before get the memory of those that are gone. */
function layersOf(sources: readonly LayerSource[], before: readonly Loose[]): readonly Loose[] {
  const gone = before.filter(({ tree }) => !sources.some((source) => source.tree === tree));
  return sources.map(
    ({ tree }) =>
      before.find((one) => one.tree === tree) ?? { tree, layer: layerOf(tree, gone.pop()?.layer.sums) },
  );
}

function baseOf(sources: readonly LayerSource[]): ScaledBase {
  const factors = new Map(sources.map(({ factor = 1, tree }) => [tree, factor]));
  return {
    sources,
    factors,
    layer: mergedLayer([...factors.keys()], [...factors.values()]),
    features: sources.reduce((count, { tree }) => count + tree.count, 0),
    isPlain: sources.every(({ factor = 1 }) => factor === 1),
    scale: 1,
  };
}

/** The base as it counts now; undefined if that is not in the same proportion for all of it. */
function scaled(base: Base, sources: readonly LayerSource[]): ScaledBase | undefined {
  // Most often they are the very same.
  if (base.sources.every((source, at) => source === sources[at])) {
    return { ...base, scale: 1 };
  }
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
  loose: readonly Loose[],
): LayeredRegion {
  const layers = loose.map(({ layer }) => layer);
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
