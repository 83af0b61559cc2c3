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
const FEATURES_PER_STEP = 1024;

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
 */
export function* costBoundsOf(
  trees: readonly FeatureTree[],
  centers: readonly UnitVector[],
): Steps<CostBounds> {
  if (centers.length === 0) {
    return { lower: 0, upper: 0 };
  }
  const certainty = new Certainty(centers);
  const sums = { certain: 0, means: 0, spreads: 0, rounding: 0 };
  let features = 0;
  for (const tree of trees) {
    for (const feature of tree.cellFeatures()) {
      add(sums, certainty, feature);
      features++;
      if (features % FEATURES_PER_STEP === 0) {
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

function add(sums: Sums, certainty: Certainty, feature: CellFeature): void {
  const { mean, sse, weight } = feature;
  const { index, squared } = certainty.nearest(mean);
  const drift = driftOf(weight);
  const radius = Math.sqrt((sse * (weight - 1)) / weight) + drift;
  if (certainty.holds(index, mean, radius) || certainty.holdsCell(index, feature.cell)) {
    sums.certain += weight * squared + sse;
  } else {
    sums.means += weight * squared;
    sums.spreads += sse;
  }
  // Mean and SSE come of at most weight - 1 merges; by Cauchy and Schwarz over all of them.
  const reach = weight * (1 + Math.log2(Math.max(1, weight)));
  sums.rounding +=
    weight * drift * (2 * Math.sqrt(squared) + drift) +
    4 * drift * (Math.sqrt(reach * sse) + reach * drift) +
    OPERATIONS * ROUNDING * weight * (squared + sse);
}

/** How far a mean may be from that of its rows: each merge rounds once, and what was wrong before is averaged. */
function driftOf(weight: number): number {
  return weight > 1 ? OPERATIONS * ROUNDING * weight : 0;
}

/** Which points certainly have which nearest center. */
class Certainty {
  readonly #centers: readonly UnitVector[];
  /** Distance of center i to center j at `i * k + j`. */
  readonly #apart: Float64Array;
  /** Squared distances of the point asked about last. */
  readonly #squared: Float64Array;

  constructor(centers: readonly UnitVector[]) {
    this.#centers = centers;
    this.#apart = Float64Array.from(
      centers.flatMap((a) => centers.map((b) => Math.sqrt(squaredChord(a, b)))),
    );
    this.#squared = new Float64Array(centers.length);
  }

  /** The center that is nearest to a point, the first of equals, and its squared distance. */
  nearest(point: UnitVector): { readonly index: number; readonly squared: number } {
    let index = 0;
    let squared = Infinity;
    for (const [at, center] of this.#centers.entries()) {
      const distance = squaredChord(point, center);
      if (distance < squared) {
        index = at;
        squared = distance;
      }
    }
    return { index, squared };
  }

  /**
   * Whether a ball lies in the Voronoi cell of a center: for each other one, on this side of the plane in
   * the middle of both. `|p - other|^2 - |p - own|^2` grows by 2 |own - other| a step towards it.
   */
  holds(own: number, middle: UnitVector, radius: number): boolean {
    const squared = this.#squared;
    for (const [at, center] of this.#centers.entries()) {
      squared[at] = squaredChord(middle, center);
    }
    const nearest = squared[own] as number;
    for (let other = 0; other < squared.length; other++) {
      const apart = this.#apart[own * squared.length + other] as number;
      if (other !== own && !((squared[other] as number) - nearest >= 2 * radius * apart + FUZZ)) {
        return false;
      }
    }
    return true;
  }

  holdsCell(own: number, cell: CellAddress): boolean {
    const corners = cellVertices(cell);
    const middle = normalised(corners);
    const radius = Math.sqrt(Math.max(...corners.map((corner) => squaredChord(corner, middle))));
    return this.holds(own, middle, radius + UNIT_TOLERANCE + FUZZ);
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
