import { allocateFeatures, type FeatureColumns, FEATURES_PER_STEP } from './features.ts';
import type { Steps } from './slices.ts';

/** Features of a chunk whose spread is measured. */
const CHUNK = 16 * FEATURES_PER_STEP;
/** Features of a patch: they are near each other where features come in the order of their cells. */
const PATCH = 256;
/** Runs with a lesser share of all SSE are not told apart. */
export const LEAST_SHARE = 1e-18;

/**
 * At most `most` features that stand for the same rows as the given ones, more than those: of features that
 * follow each other runs are merged, each as long as its SSE stays within a bound, the same for all. As
 * features come in the order of their cells, a run is a piece of a space-filling curve. A run is not as
 * compact as a subtree (`FeatureTree.setLimit`), but all runs are found in a few passes.
 *
 * m runs of a patch of area A that has w rows have an SSE of about (w / m) (A / m) each, which is S / m^2, S
 * being the SSE of the patch. So the bound is near the square of the sum of all patches' root of S, divided
 * by `most`. From there it is doubled until the runs are few enough, or halved as long as they are.
 */
export function* mergeRuns(features: FeatureColumns, most: number): Steps<FeatureColumns> {
  const { roots, total } = yield* spreadOf(features);
  const least = LEAST_SHARE * total;
  let bound = Math.max(least, (roots / most) ** 2);
  let best = yield* runsWithin(features, most, bound);
  while (best === undefined) {
    bound *= 2;
    best = yield* runsWithin(features, most, bound);
  }
  while (best.count < most / 2 && bound > least) {
    bound /= 2;
    const more = yield* runsWithin(features, most, bound);
    if (more === undefined) {
      break;
    }
    best = more;
  }
  return best;
}

/** SSE of all rows, and sum of the roots of that of the rows of each patch. */
function* spreadOf(features: FeatureColumns): Steps<{ readonly total: number; readonly roots: number }> {
  const whole = new Runs(features, 1);
  let roots = 0;
  for (let from = 0; from < features.count; from += PATCH) {
    const to = Math.min(features.count, from + PATCH);
    const patch = new Runs(features, 1);
    patch.merge(from, to, Infinity);
    roots += Math.sqrt(patch.columns.sse[0] as number);
    whole.merge(from, to, Infinity);
    if (from % CHUNK === 0) {
      yield;
    }
  }
  return { total: whole.columns.sse[0] as number, roots };
}

/** The runs whose SSE is within a bound; undefined when they are more than `most`. */
function* runsWithin(
  features: FeatureColumns,
  most: number,
  bound: number,
): Steps<FeatureColumns | undefined> {
  const runs = new Runs(features, most);
  for (let from = 0; from < features.count; from += CHUNK) {
    if (!runs.merge(from, Math.min(features.count, from + CHUNK), bound)) {
      return undefined;
    }
    yield;
  }
  return { ...runs.columns, count: runs.count };
}

class Runs {
  readonly columns: FeatureColumns;
  count = 0;
  readonly #features: FeatureColumns;

  constructor(features: FeatureColumns, most: number) {
    this.#features = features;
    this.columns = allocateFeatures(most);
  }

  /** Goes on with the features of a range; false when there is no room for another run. */
  merge(from: number, to: number, bound: number): boolean {
    const { sse, weight, x, y, z } = this.#features;
    const { columns } = this;
    let at = this.count - 1;
    // An empty run takes any feature.
    let w = at < 0 ? 0 : (columns.weight[at] as number);
    let mx = at < 0 ? 0 : (columns.x[at] as number);
    let my = at < 0 ? 0 : (columns.y[at] as number);
    let mz = at < 0 ? 0 : (columns.z[at] as number);
    let spread = at < 0 ? Infinity : (columns.sse[at] as number);
    for (let f = from; f < to; f++) {
      const own = weight[f] as number;
      const total = w + own;
      const share = own / total;
      const dx = (x[f] as number) - mx;
      const dy = (y[f] as number) - my;
      const dz = (z[f] as number) - mz;
      const together = spread + (sse[f] as number) + w * share * (dx * dx + dy * dy + dz * dz);
      if (together <= bound && at >= 0) {
        w = total;
        mx += share * dx;
        my += share * dy;
        mz += share * dz;
        spread = together;
      } else {
        at++;
        if (at === columns.count) {
          return false;
        }
        w = own;
        mx = x[f] as number;
        my = y[f] as number;
        mz = z[f] as number;
        spread = sse[f] as number;
      }
      columns.weight[at] = w;
      columns.x[at] = mx;
      columns.y[at] = my;
      columns.z[at] = mz;
      columns.sse[at] = spread;
    }
    this.count = at + 1;
    return true;
  }
}
