import { type CellAddress, fillCellVertices } from '../geo/s2.ts';
import type { UnitVector } from '../geo/sphere.ts';
import { UNIT_TOLERANCE } from './features.ts';

/**
 * The part of the sphere in an S2 cell: x, y, z of its four corners and of the direction in the middle of them, and
 * the depth: a point of the corners' convex hull in space is at least so far from the origin.
 */
export type Patch = Float64Array;

const CORNERS = 4;
const MIDDLE = 3 * CORNERS;
const DEPTH = MIDDLE + 3;

/** Some of the centers, at least one: the first `count` of the list are their indices, ascending. Filled again and again. */
export interface CenterSet {
  count: number;
  readonly list: Int32Array;
}

/**
 * Which centers can be the nearest to a point of an S2 cell.
 *
 * The *lead* of a center r over another center c at a point x is `|x - c|^2 - |x - r|^2`: positive where r
 * is the nearer one. It is linear in x, `2 x (r - c) + |c|^2 - |r|^2`, with the slope `2 |r - c|`.
 */
export class CellRivals {
  readonly everyone: CenterSet;
  /** How many distances, or what takes as long, were computed so far. */
  distances = 0;
  /** Squared distances of the point of the last `nearest`, by center. */
  readonly squared: Float64Array;
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  readonly #z: Float64Array;
  /** Of the cell that was looked at last. */
  readonly #patch = new Float64Array(DEPTH + 1);
  #patched: CellAddress | undefined;

  constructor(centers: readonly UnitVector[]) {
    this.everyone = { count: centers.length, list: Int32Array.from(centers.keys()) };
    this.squared = new Float64Array(centers.length);
    this.#x = Float64Array.from(centers, ([x]) => x);
    this.#y = Float64Array.from(centers, ([, y]) => y);
    this.#z = Float64Array.from(centers, ([, , z]) => z);
  }

  /** A set of none, with room for all. */
  emptySet(): CenterSet {
    return { count: 0, list: new Int32Array(this.everyone.count) };
  }

  /** The first of `rivals` that is nearest to a point: x, y, z at `point[at]`. */
  nearest({ count, list }: CenterSet, point: Float64Array, at: number): number {
    const { squared } = this;
    this.distances += count;
    const x = point[at] as number;
    const y = point[at + 1] as number;
    const z = point[at + 2] as number;
    let nearest = list[0] as number;
    let least = Infinity;
    const cx = this.#x;
    const cy = this.#y;
    const cz = this.#z;
    for (let one = 0; one < count; one++) {
      const rival = list[one] as number;
      const dx = x - (cx[rival] as number);
      const dy = y - (cy[rival] as number);
      const dz = z - (cz[rival] as number);
      const square = dx * dx + dy * dy + dz * dz;
      squared[rival] = square;
      if (square < least) {
        least = square;
        nearest = rival;
      }
    }
    return nearest;
  }

  /** How far two centers are apart. */
  apart(a: number, b: number): number {
    this.distances++;
    const dx = (this.#x[a] as number) - (this.#x[b] as number);
    const dy = (this.#y[a] as number) - (this.#y[b] as number);
    const dz = (this.#z[a] as number) - (this.#z[b] as number);
    return Math.sqrt(dx * dx + dy * dy + dz * dz);
  }

  /** What the lead of `rival` over `own` grows by, per step in each direction: x, y, z to `into[at]`. */
  fillSlope(rival: number, own: number, into: Float64Array, at: number): void {
    into[at] = 2 * ((this.#x[rival] as number) - (this.#x[own] as number));
    into[at + 1] = 2 * ((this.#y[rival] as number) - (this.#y[own] as number));
    into[at + 2] = 2 * ((this.#z[rival] as number) - (this.#z[own] as number));
  }

  /**
   * Those of `rivals` that can be the nearest of them to a point of a cell. (Kanungo et al.: An efficient
   * k-means clustering algorithm: analysis and implementation, PAMI 2002, with a cell in the place of a box.)
   * @param spare takes them, unless all are left
   */
  leftInCell(rivals: CenterSet, cell: CellAddress, spare: CenterSet): CenterSet {
    const { count, list } = rivals;
    if (count === 1) {
      return rivals;
    }
    const patch = this.patchOf(cell);
    const own = this.nearest(rivals, patch, MIDDLE);
    const left = spare.list;
    let found = 0;
    for (let one = 0; one < count; one++) {
      const rival = list[one] as number;
      if (rival === own || this.greatestLead(rival, own, patch) > 0) {
        left[found++] = rival;
      }
    }
    spare.count = found;
    return found === count ? rivals : spare;
  }

  /** The same as `patchOf`, until it is asked for another cell. */
  patchOf(cell: CellAddress): Patch {
    if (cell !== this.#patched) {
      fillPatch(cell, this.#patch);
      this.#patched = cell;
    }
    return this.#patch;
  }

  /**
   * No row in the cell gives `rival` a greater lead over `own`: an upper bound, rounding included, for
   * centers no longer than 1000.
   *
   * A cell is the convex hull of its corners on the sphere: a point of it is `y / |y|` with y in their
   * convex hull in space. With `lead(x) = s x + e` its lead is `(lead(y) - e (1 - |y|)) / |y|`, where lead(y)
   * is at most the greatest at a corner and |y| between `depth` and 1.
   */
  greatestLead(rival: number, own: number, patch: Patch): number {
    this.distances += CORNERS;
    const depth = patch[DEPTH] as number;
    const cx = this.#x[own] as number;
    const cy = this.#y[own] as number;
    const cz = this.#z[own] as number;
    const rx = this.#x[rival] as number;
    const ry = this.#y[rival] as number;
    const rz = this.#z[rival] as number;
    const sx = rx - cx;
    const sy = ry - cy;
    const sz = rz - cz;
    let most = -Infinity;
    for (let at = 0; at < MIDDLE; at += 3) {
      const along =
        (patch[at] as number) * sx + (patch[at + 1] as number) * sy + (patch[at + 2] as number) * sz;
      most = Math.max(most, along);
    }
    const even = -(sx * (rx + cx) + sy * (ry + cy) + sz * (rz + cz));
    // A row is that near to the sphere, and nearer to its cell than what is left of the tolerance after that;
    // as rounding here is in proportion to how far the centers are apart, it is in there, too.
    const tolerance = 2 * UNIT_TOLERANCE * Math.sqrt(sx * sx + sy * sy + sz * sz);
    const flat = 2 * most + even + Math.max(0, -even) * (1 - depth);
    return (flat > 0 ? flat / depth : flat) + tolerance;
  }
}

/** The centers that are left in the cells on the way down one tree after another. */
export class Descent {
  readonly #rivals: CellRivals;
  /** By level: the cell on the way to the last one, and the centers that were left in the one above it. */
  readonly #cells: (CellAddress | undefined)[] = [];
  readonly #left: (CenterSet | undefined)[] = [];
  /** By level, used again. */
  readonly #spare: CenterSet[] = [];
  #level = 0;

  constructor(rivals: CellRivals) {
    this.#rivals = rivals;
  }

  /** Before the first cell of a tree. */
  begin(): void {
    this.#cells.fill(undefined);
    this.#left.fill(undefined);
  }

  /**
   * The centers that can be the nearest to a point of the cell above; all, if there is none. The cells
   * must come in pre-order. Until another cell is entered.
   */
  enter(cell: CellAddress): CenterSet {
    const { level } = cell;
    const left = this.#left;
    for (let below = level + 1; left[below] !== undefined; below++) {
      left[below] = undefined;
    }
    this.#cells[level] = cell;
    this.#level = level;
    return this.#leftAbove(level);
  }

  /** The centers that can be the nearest to a point of the cell that was entered last. */
  inside(): CenterSet {
    return this.#leftAbove(this.#level + 1);
  }

  #leftAbove(level: number): CenterSet {
    const above = this.#cells[level - 1];
    // Found out for the first of the cells inside: most have none.
    return (this.#left[level] ??=
      above === undefined
        ? this.#rivals.everyone
        : this.#rivals.leftInCell(this.#left[level - 1] as CenterSet, above, this.#spareOf(level)));
  }

  #spareOf(level: number): CenterSet {
    return (this.#spare[level] ??= this.#rivals.emptySet());
  }
}

export function patchOf(cell: CellAddress): Patch {
  const patch = new Float64Array(DEPTH + 1);
  fillPatch(cell, patch);
  return patch;
}

function fillPatch(cell: CellAddress, patch: Patch): void {
  fillCellVertices(cell, patch);
  let x = 0;
  let y = 0;
  let z = 0;
  for (let at = 0; at < MIDDLE; at += 3) {
    x += patch[at] as number;
    y += patch[at + 1] as number;
    z += patch[at + 2] as number;
  }
  const length = Math.hypot(x, y, z);
  x /= length;
  y /= length;
  z /= length;
  let depth = 1;
  for (let at = 0; at < MIDDLE; at += 3) {
    const along = (patch[at] as number) * x + (patch[at + 1] as number) * y + (patch[at + 2] as number) * z;
    depth = Math.min(depth, along);
  }
  patch[MIDDLE] = x;
  patch[MIDDLE + 1] = y;
  patch[MIDDLE + 2] = z;
  patch[DEPTH] = depth;
}
