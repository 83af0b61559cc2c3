import type { UnitVector } from '../geo/sphere.ts';
import { addFeature, type CostBounds, DISTANCES_PER_STEP, doubtOf, FEATURE_WORK, widened } from './bounds.ts';
import { CellRivals, Descent } from './cell-rivals.ts';
import { CellWalk } from './cell-walk.ts';
import { type Effort, QUICK } from './excess.ts';
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

export interface AssigningOptions {
  /** Spent on the tightness of the bounds. Default QUICK. */
  readonly effort?: Effort;
  /** Rows of a cell whose SSE is no greater are one feature, also where more than one center can be the nearest. */
  readonly sseBound?: number;
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
 */
export function* assignRegions(
  regions: readonly LayeredRegion[],
  centers: readonly UnitVector[],
  options: AssigningOptions = {},
): Steps<AssignedRegions> {
  const assigning = new Assigning(centers, options);
  const total = { lower: 0, upper: 0, slack: 0 };
  for (const region of regions) {
    assigning.enter(region);
    while (!assigning.goOn()) {
      yield;
    }
    const { lower, upper } = assigning.regionBounds;
    total.lower += (1 - region.blur) * lower;
    total.upper += (1 + region.blur) * upper;
  }
  const { features, nearest } = assigning;
  return {
    features: features.columns,
    nearest: new Int32Array(nearest),
    bounds: widened(total, regions.length),
  };
}

/**
 * Goes through one region after another. (Not a generator: a function that is called for each region is compiled after the
 * first few, and keeps nothing in objects that the next step would have to find again.)
 */
class Assigning {
  readonly features = new FeatureList();
  readonly nearest: number[] = [];
  readonly #rivals: CellRivals;
  readonly #effort: Effort;
  readonly #sseBound: number;
  readonly #walk = new CellWalk();
  readonly #descent: Descent;
  #sums = { lower: 0, upper: 0, slack: 0 };
  /** Features of the regions before. */
  #before = 0;
  #blur = 0;
  #rows = 0;
  /** Work done when the next step ends. */
  #step = DISTANCES_PER_STEP;

  constructor(centers: readonly UnitVector[], { effort = QUICK, sseBound = 0 }: AssigningOptions) {
    this.#rivals = new CellRivals(centers);
    this.#descent = new Descent(this.#rivals);
    this.#effort = effort;
    this.#sseBound = sseBound;
  }

  enter(region: LayeredRegion): void {
    this.#descent.begin();
    this.#sums = { lower: 0, upper: 0, slack: 0 };
    this.#before = this.features.count;
    this.#blur = region.blur;
    this.#rows = region.rows;
    this.#walk.enter(region);
  }

  /** Of what was found in this region. */
  get regionBounds(): CostBounds {
    return widened(this.#sums, this.features.count - this.#before);
  }

  /** One step; tells whether it was the last of this region. */
  goOn(): boolean {
    const { features, nearest } = this;
    const [descent, effort, rivals, sums, walk] = [
      this.#descent,
      this.#effort,
      this.#rivals,
      this.#sums,
      this.#walk,
    ];
    while (walk.next()) {
      const { cell } = walk;
      let left = descent.enter(cell);
      let feature = walk.whole;
      if (left.count > 1 && (walk.whole[4] as number) > this.#sseBound && !walk.isLeaf) {
        const inside = descent.inside();
        if (inside.count === 1) {
          left = inside;
        } else {
          walk.descend();
          feature = walk.own;
        }
      }
      // Weights of rows that count 1 each are exact.
      const doubt =
        this.#blur === 0 ? undefined : doubtOf(this.#rows, feature[0] as number, feature[4] as number);
      nearest.push(addFeature(sums, rivals, left, feature, { cell, doubt }, 1, effort));
      features.add(feature);
      if (rivals.distances + features.count * FEATURE_WORK >= this.#step) {
        this.#step += DISTANCES_PER_STEP;
        return false;
      }
    }
    return true;
  }
}
