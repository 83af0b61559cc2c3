import type { UnitVector } from '../geo/sphere.ts';
import { addFeature, type CostBounds, DISTANCES_PER_STEP, doubtOf, FEATURE_WORK, widened } from './bounds.ts';
import { CellRivals, Descent } from './cell-rivals.ts';
import { CellWalk } from './cell-walk.ts';
import { QUICK } from './excess.ts';
import { FeatureList } from './feature-list.ts';
import type { FeatureColumns } from './features.ts';
import type { LayeredRegion } from './layers.ts';
import type { Steps } from './slices.ts';

export interface AssignedRegions {
  /** As many as are needed to tell which rows are nearest to which center. */
  readonly features: FeatureColumns;
  /** By feature: index of the center that is nearest to its mean. */
  readonly nearest: Int32Array;
  /** Of the cost of the raw rows with respect to the centers, as `costBoundsOf`. */
  readonly bounds: CostBounds;
}

/**
 * All rows at their nearest centers, and the bounds of what they cost there. The rows of a cell in which only one
 * of the centers can be the nearest to anything are one feature: that says as much as all their features,
 * and with the same effort the bounds are no wider for it.
 *
 * A sum of weights that is rounded is right for rows that all count by as much more or less; and the share of a
 * weight in it, by which means and SSE are merged, is right for the same rows. So whatever is certain of
 * features is so of rows that count by the region's `blur` more or less than they do.
 * @param centers at least one, unless there are no regions; none longer than 1000
 * @param effort spent on the tightness of the bounds
 */
export function* assignRegions(
  regions: readonly LayeredRegion[],
  centers: readonly UnitVector[],
  effort = QUICK,
): Steps<AssignedRegions> {
  const rivals = new CellRivals(centers);
  const walk = new CellWalk();
  const features = new FeatureList();
  const nearest: number[] = [];
  const total = { lower: 0, upper: 0, slack: 0 };
  let step = DISTANCES_PER_STEP;
  for (const { blur, rows, ...region } of regions) {
    const sums = { lower: 0, upper: 0, slack: 0 };
    const before = features.count;
    const descent = new Descent(rivals);
    walk.enter(region);
    while (walk.next()) {
      const { cell } = walk;
      let left = descent.enter(cell);
      let feature = walk.whole;
      if (left.length > 1 && !walk.isLeaf) {
        const inside = descent.inside();
        if (inside.length === 1) {
          left = inside;
        } else {
          walk.descend();
          feature = walk.own;
        }
      }
      const weight = feature[0] as number;
      const mean: UnitVector = [feature[1] as number, feature[2] as number, feature[3] as number];
      const sse = feature[4] as number;
      // Weights of rows that count 1 each are exact.
      const doubt = blur === 0 ? undefined : doubtOf(rows, weight, sse);
      nearest.push(addFeature(sums, rivals, left, { weight, mean, sse, cell, doubt }, 1, effort));
      features.add(feature);
      if (rivals.distances + features.count * FEATURE_WORK >= step) {
        step += DISTANCES_PER_STEP;
        yield;
      }
    }
    const { lower, upper } = widened(sums, features.count - before);
    total.lower += (1 - blur) * lower;
    total.upper += (1 + blur) * upper;
  }
  return {
    features: features.columns,
    nearest: Int32Array.from(nearest),
    bounds: widened(total, regions.length),
  };
}
