import { CellWalk } from './cell-walk.ts';
import { FeatureList } from './feature-list.ts';
import type { FeatureColumns } from './features.ts';
import type { LayeredRegion } from './layers.ts';
import { LEAST_SHARE, mergeRuns } from './runs.ts';
import type { Steps } from './slices.ts';

/** Cells between two yields: some 100 ns each, and up to 10 us before the engine compiles them. */
const CELLS_PER_STEP = 128;
/** Of the features that may be so many are aimed at, as the next model's may be a few more. */
const AIM = 0.8;

export interface Coarsened {
  readonly features: FeatureColumns;
  /** A cell whose rows have no greater SSE is one feature. */
  readonly sseBound: number;
}

/**
 * At most `most` features of the same rows: a cell is one feature where its SSE is within a bound, the same
 * everywhere. That is doubled until the features are few enough, and halved while they are less than half of
 * that.
 *
 * Where a region's rows are spread over an area, n cells of it have an n-th of its rows and an n-th of its area
 * each, so an n^2-th of its SSE: with which bound to begin follows from the sum of the roots of all SSE.
 * @param before the bound that was right for nearly the same rows
 */
export function* coarsen(regions: readonly LayeredRegion[], most: number, before?: number): Steps<Coarsened> {
  let roots = 0;
  let total = 0;
  const walk = new CellWalk();
  for (const region of regions) {
    walk.enter(region);
    while (walk.next()) {
      const sse = walk.whole[4] as number;
      roots += Math.sqrt(sse);
      total += sse;
    }
    yield;
  }
  // From the total on all bounds give the same.
  let sseBound = Math.min(before ?? 0, total);
  let features = yield* cellsWithin(regions, sseBound, most);
  if (features === undefined && sseBound === 0) {
    sseBound = (roots / (AIM * most)) ** 2;
    features = yield* cellsWithin(regions, sseBound, most);
  }
  while (features === undefined) {
    if (sseBound >= total) {
      // There are more regions than there may be features.
      const cells = yield* cellsWithin(regions, sseBound, Infinity);
      return { features: yield* mergeRuns(cells as FeatureColumns, most), sseBound };
    }
    sseBound *= 2;
    features = yield* cellsWithin(regions, sseBound, most);
  }
  while (sseBound > 0 && features.count < most / 2) {
    const half = sseBound < LEAST_SHARE * total ? 0 : sseBound / 2;
    const more = yield* cellsWithin(regions, half, most);
    if (more === undefined) {
      break;
    }
    features = more;
    sseBound = half;
  }
  return { features, sseBound };
}

/** The features of cells whose SSE is within a bound; undefined when they are more than `most`. */
function* cellsWithin(
  regions: readonly LayeredRegion[],
  sseBound: number,
  most: number,
): Steps<FeatureColumns | undefined> {
  // One too many ends it.
  const found = new FeatureList(most + 1);
  let left = CELLS_PER_STEP;
  const walk = new CellWalk();
  for (const region of regions) {
    walk.enter(region);
    for (;;) {
      left -= gather(walk, sseBound, found, left);
      if (found.count > most) {
        return undefined;
      }
      if (left > 0) {
        break;
      }
      yield;
      left = CELLS_PER_STEP;
    }
  }
  return found.columns;
}

/**
 * Goes on with the walk by at most so many cells, and tells by how many. (A function that is called for each region is
 * compiled after the first few, a generator that is called once for all only in the next model or the one after.)
 */
function gather(walk: CellWalk, sseBound: number, found: FeatureList, most: number): number {
  let cells = 0;
  while (cells < most && walk.next()) {
    cells++;
    if ((walk.whole[4] as number) <= sseBound) {
      found.add(walk.whole);
    } else {
      walk.descend();
      found.add(walk.own);
    }
  }
  return cells;
}
