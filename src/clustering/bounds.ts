import { type CellAddress, cellVertices } from '../geo/s2.ts';
import type { UnitVector } from '../geo/sphere.ts';
import { UNIT_TOLERANCE } from './features.ts';
import type { CellFeature } from './feature-nodes.ts';
import type { FeatureTree } from './feature-tree.ts';
import type { Steps } from './slices.ts';

/** Between these lies the cost of the raw rows: of each its squared chord to the nearest of the centers. */
export interface CostBounds {
  readonly lower: number;
  readonly upper: number;
}

/** Relative error of one rounded operation on doubles. */
const ROUNDING = 2 ** -53;
/** A merge of two features takes fewer rounded operations on any one value. */
const OPERATIONS = 16;
/** Differences of squared distances below this are not taken for certain. */
const FUZZ = 1e-13;
/** Distances between two yields: about half a millisecond. */
const DISTANCES_PER_STEP = 50_000;
/** What a feature takes beside its distances, in distances. */
const FEATURE_WORK = 50;

/**
 * Bounds of the cost of the rows that the trees were made of, one by one and each of weight 1, with respect
 * to `centers`.
 * They hold for certain: what was merged in the trees, and rounding, are in them, outwards.
 *
 * The rows of a feature (weight w, mean m, SSE e) cost exactly `w |m - c|^2 + e` if they all have the same
 * nearest center c (Huygens and Steiner). That is so if a ball that holds them all lies in the Voronoi cell
 * of c; two balls do, and one is enough:
 * - around m, with the radius sqrt(e (w - 1) / w): a row at the distance d of the mean of all w leaves its
 *   part of the SSE to the others, `d^2 w / (w - 1) <= e` (Samuelson 1968, for sums of squares);
 * - around the middle of the feature's S2 cell, with its corners on it: a cell is the convex hull of its
 *   corners on the sphere, and a cap below a hemisphere is convex.
 *
 * For all other features together let S be the sum of `w |m - c|^2`, c being nearest to m, and Q that of e.
 * The distance to the nearest center changes between a row and its mean by no more than they are apart.
 * So the square roots of the rows' cost and of S differ by no more than that of Q (the triangle inequality
 * in the space of the rows), and the cost is at least max(0, sqrt S - sqrt Q)^2. It is at most S + Q, which
 * the rows would pay at the center that is nearest to their mean.
 *
 * A center that is nearest to no point of a cell is nearest to none of the cells inside (Kanungo et al.: An
 * efficient k-means clustering algorithm: analysis and implementation, PAMI 2002). On the way down the tree
 * the centers become fewer, and all of the above holds with those that are left: for the rows of the cell
 * the nearest of them is the nearest of all.
 */
export function* costBoundsOf(
  trees: readonly FeatureTree[],
  centers: readonly UnitVector[],
): Steps<CostBounds> {
  if (centers.length === 0) {
    return { lower: 0, upper: 0 };
  }
  const contest = new Contest(centers);
  const sums = { certain: 0, means: 0, spreads: 0, rounding: 0 };
  let features = 0;
  let step = DISTANCES_PER_STEP;
  for (const tree of trees) {
    // Those left in the cells on the way to the feature, by level: the features come in pre-order.
    const left: Int32Array[] = [];
    for (const feature of tree.cellFeatures()) {
      const { cell } = feature;
      const rivals = contest.leftInCell(left[cell.level - 1] ?? contest.everyone, cell);
      left[cell.level] = rivals;
      add(sums, contest, rivals, feature);
      features++;
      if (contest.distances + features * FEATURE_WORK >= step) {
        step += DISTANCES_PER_STEP;
        yield;
      }
    }
  }
  const { certain, means, rounding, spreads } = sums;
  const least = Math.max(0, Math.sqrt(means) - Math.sqrt(spreads)) ** 2;
  // Each of the sums was rounded once a feature, and so are the few operations here.
  const slack = rounding + (features + OPERATIONS) * ROUNDING * (certain + means + spreads);
  return { lower: Math.max(0, certain + least - slack), upper: certain + means + spreads + slack };
}

interface Sums {
  /** Cost of the rows whose nearest center is certain. */
  certain: number;
  /** S and Q of all others. */
  means: number;
  spreads: number;
  /** By how much all of that may be wrong, because the features were rounded. */
  rounding: number;
}

/** Adds a feature whose rows each have their nearest center among `rivals`. */
function add(sums: Sums, contest: Contest, rivals: Int32Array, { mean, sse, weight }: CellFeature): void {
  const squared = contest.toNearest(rivals, mean);
  const drift = driftOf(weight);
  // By how much the root of the SSE may be wrong: Cauchy and Schwarz over at most weight - 1 merges, in
  // which the lesser weights add up to no more than weight * log2(weight).
  const blur = Math.sqrt(weight * (1 + Math.log2(Math.max(1, weight)))) * drift;
  const radius = (Math.sqrt(sse) + blur) * Math.sqrt((weight - 1) / weight) + drift;
  if (rivals.length === 1 || contest.left(rivals, mean, radius).length === 1) {
    sums.certain += weight * squared + sse;
  } else {
    sums.means += weight * squared;
    sums.spreads += sse;
  }
  sums.rounding +=
    weight * drift * (2 * Math.sqrt(squared) + drift) +
    4 * blur * (Math.sqrt(sse) + blur) +
    OPERATIONS * ROUNDING * weight * (squared + sse);
}

/** How far a mean may be from that of its rows: each merge rounds once, and what was wrong before is averaged. */
function driftOf(weight: number): number {
  return weight > 1 ? OPERATIONS * ROUNDING * weight : 0;
}

/** Which centers can be the nearest to what. Sets of centers are their indices, never none. */
class Contest {
  readonly everyone: Int32Array;
  /** How many distances were computed so far. */
  distances = 0;
  readonly #centers: readonly UnitVector[];
  /** Squared distances of the point asked about last. */
  readonly #squared: Float64Array;

  constructor(centers: readonly UnitVector[]) {
    this.#centers = centers;
    this.#squared = new Float64Array(centers.length);
    this.everyone = Int32Array.from(centers.keys());
  }

  /** Squared distance of a point to the nearest of `rivals`. */
  toNearest(rivals: Int32Array, point: UnitVector): number {
    this.distances += rivals.length;
    let least = Infinity;
    for (const rival of rivals) {
      least = Math.min(least, squaredChord(point, this.#centers[rival] as UnitVector));
    }
    return least;
  }

  /** Those of `rivals` that can be the nearest of them to a point of a cell. */
  leftInCell(rivals: Int32Array, cell: CellAddress): Int32Array {
    if (rivals.length === 1) {
      return rivals;
    }
    const corners = cellVertices(cell);
    const middle = normalised(corners);
    const radius = Math.sqrt(Math.max(...corners.map((corner) => squaredChord(corner, middle))));
    return this.left(rivals, middle, radius + UNIT_TOLERANCE + FUZZ);
  }

  /**
   * Those of `rivals` that can be the nearest of them to a point of a ball: not those for which the ball
   * lies beyond the plane in the middle, on the side of the one that is nearest to the ball's middle.
   * `|p - other|^2 - |p - nearest|^2` shrinks by no more than `2 |nearest - other|` a step of p.
   */
  left(rivals: Int32Array, middle: UnitVector, radius: number): Int32Array {
    const centers = this.#centers;
    const squared = this.#squared;
    this.distances += 2 * rivals.length;
    let nearest = rivals[0] as number;
    for (const rival of rivals) {
      squared[rival] = squaredChord(middle, centers[rival] as UnitVector);
      nearest = squared[rival] < (squared[nearest] as number) ? rival : nearest;
    }
    const least = squared[nearest] as number;
    const own = centers[nearest] as UnitVector;
    return rivals.filter((rival) => {
      const apart = Math.sqrt(squaredChord(centers[rival] as UnitVector, own));
      return rival === nearest || !((squared[rival] as number) - least >= 2 * radius * apart + FUZZ);
    });
  }
}

function normalised(corners: readonly UnitVector[]): UnitVector {
  const [x, y, z] = [0, 1, 2].map((axis) =>
    corners.reduce((sum, corner) => sum + (corner[axis] as number), 0),
  ) as [number, number, number];
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

function squaredChord(a: UnitVector, b: UnitVector): number {
  const dx = a[0] - b[0];
  const dy = a[1] - b[1];
  const dz = a[2] - b[2];
  return dx * dx + dy * dy + dz * dz;
}
