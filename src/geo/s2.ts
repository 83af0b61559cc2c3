import { longitudeOf, latitudeOf, type UnitVector } from './sphere.ts';
import type { Position } from './axes.ts';

/**
 * S2 cells (S2 Geometry library, https://s2geometry.io): six cube faces, each a quadtree of 30
 * levels ordered along a Hilbert curve, with the quadratic projection.
 *
 * A *region* is a cell of one level in [0, MAX_REGION_LEVEL]. It is named by its index on the S2
 * curve among the cells of its level: `face * 4^level + position`, a dense integer from 0 to
 * `6 * 4^level - 1` in the order of S2's 64-bit ids. The level is known to who holds the index.
 */

/** Deepest level of the hierarchy. */
export const MAX_LEVEL = 30;

/** Deepest level whose region indices and id bits fit a 32-bit integer. */
export const MAX_REGION_LEVEL = 12;

const LEAVES = 1 << MAX_LEVEL;

/** Hilbert curve: position of quadrant `2 * i + j` by `4 * orientation`, S2's kIJtoPos. */
const POSITION_OF_QUADRANT = Uint8Array.of(0, 1, 3, 2, 0, 3, 1, 2, 2, 3, 1, 0, 2, 1, 3, 0);
/** The inverse, S2's kPosToIJ. */
const QUADRANT_OF_POSITION = Uint8Array.of(0, 1, 3, 2, 0, 2, 3, 1, 3, 2, 0, 1, 3, 1, 0, 2);
/** What a position does to the orientation of its children, S2's kPosToOrientation. */
const TURN_OF_POSITION = Uint8Array.of(1, 0, 0, 3);

/** A cell by its face, level and place in the face's grid: `0 <= i, j < 2^level`. */
export interface CellAddress {
  readonly face: number;
  readonly level: number;
  readonly i: number;
  readonly j: number;
}

/** Cube face 0..5 of a direction of any length; face 2 for the zero vector. */
export function faceOf(x: number, y: number, z: number): number {
  const ax = Math.abs(x);
  const ay = Math.abs(y);
  const az = Math.abs(z);
  // The comparisons are strict as in S2, so that points on cube edges get the same face.
  if (ax > ay) {
    if (ax > az) {
      return x < 0 ? 3 : 0;
    }
  } else if (ay > az) {
    return y < 0 ? 4 : 1;
  }
  return z < 0 ? 5 : 2;
}

/** First coordinate of a direction's gnomonic projection on `face`, in [-1, 1] on its own face. */
export function uOnFace(face: number, x: number, y: number, z: number): number {
  switch (face) {
    case 0:
      return y / x;
    case 1:
      return -x / y;
    case 2:
      return z === 0 ? 0 : -x / z;
    case 3:
      return z / x;
    case 4:
      return z / y;
    default:
      return -y / z;
  }
}

/** Second coordinate of a direction's gnomonic projection on `face`. */
export function vOnFace(face: number, x: number, y: number, z: number): number {
  switch (face) {
    case 0:
      return z / x;
    case 1:
      return z / y;
    case 2:
      return z === 0 ? 0 : -y / z;
    case 3:
      return y / x;
    case 4:
      return -x / y;
    default:
      return -x / z;
  }
}

/** Index in [0, 2^30) of the leaf column or row that holds `u`, which must be in [-1, 1]. */
export function leafIndex(u: number): number {
  const s = u >= 0 ? 0.5 * Math.sqrt(1 + 3 * u) : 1 - 0.5 * Math.sqrt(1 - 3 * u);
  const index = (LEAVES * s) | 0;
  return index === LEAVES ? LEAVES - 1 : index;
}

function uOfFraction(s: number): number {
  return s >= 0.5 ? (1 / 3) * (4 * s * s - 1) : (1 / 3) * (1 - 4 * (1 - s) * (1 - s));
}

function curveIndex(face: number, level: number, i: number, j: number): number {
  let orientation = face & 1;
  let index = face;
  for (let shift = level - 1; shift >= 0; shift--) {
    const quadrant = (((i >> shift) & 1) << 1) | ((j >> shift) & 1);
    const position = POSITION_OF_QUADRANT[(orientation << 2) | quadrant] as number;
    index = (index << 2) | position;
    orientation ^= TURN_OF_POSITION[position] as number;
  }
  return index;
}

/**
 * Index of the region that holds a direction, at a level in [0, MAX_REGION_LEVEL] (not checked:
 * this is the hot path). The vector must be finite.
 */
export function regionOf(x: number, y: number, z: number, level: number): number {
  const face = faceOf(x, y, z);
  const shift = MAX_LEVEL - level;
  const i = leafIndex(uOnFace(face, x, y, z)) >> shift;
  const j = leafIndex(vOnFace(face, x, y, z)) >> shift;
  return curveIndex(face, level, i, j);
}

/** Fills `regions[from, to)` with the region indices of the unit vectors at the same indices. */
export function fillRegions(
  x: Float64Array,
  y: Float64Array,
  z: Float64Array,
  level: number,
  regions: Int32Array,
  from: number,
  to: number,
): void {
  checkLevel(level);
  for (let row = from; row < to; row++) {
    regions[row] = regionOf(x[row] as number, y[row] as number, z[row] as number, level);
  }
}

/** Number of regions at a level. */
export function regionCount(level: number): number {
  checkLevel(level);
  return 6 << (2 * level);
}

/** Face and grid place of a region. */
export function regionAddress(region: number, level: number): CellAddress {
  checkRegion(region, level);
  const face = region >> (2 * level);
  let orientation = face & 1;
  let i = 0;
  let j = 0;
  for (let shift = 2 * (level - 1); shift >= 0; shift -= 2) {
    const position = (region >> shift) & 3;
    const quadrant = QUADRANT_OF_POSITION[(orientation << 2) | position] as number;
    i = (i << 1) | (quadrant >> 1);
    j = (j << 1) | (quadrant & 1);
    orientation ^= TURN_OF_POSITION[position] as number;
  }
  return { face, level, i, j };
}

/** The region index of a cell address of level at most MAX_REGION_LEVEL. */
export function regionAt(cell: CellAddress): number {
  checkLevel(cell.level);
  return curveIndex(cell.face, cell.level, cell.i, cell.j);
}

/** The ancestor of a region at a coarser (or the same) level. */
export function regionParent(region: number, level: number, parentLevel: number): number {
  checkRegion(region, level);
  if (!(Number.isInteger(parentLevel) && parentLevel >= 0 && parentLevel <= level)) {
    throw new RangeError(`parent level ${String(parentLevel)} is not in [0, ${String(level)}]`);
  }
  return region >> (2 * (level - parentLevel));
}

/** Whether a region holds a direction. Each direction is in exactly one region of a level. */
export function regionContains(region: number, level: number, x: number, y: number, z: number): boolean {
  checkRegion(region, level);
  return regionOf(x, y, z, level) === region;
}

/** S2's token of a region: the 64-bit cell id in hexadecimal without its trailing zeros. */
export function regionToken(region: number, level: number): string {
  checkRegion(region, level);
  // The id is 3 bits of face, 2 bits a level and a closing 1, then zeros; in hexadecimal digits
  // these 4 + 2 * level bits (with the closing one) are whole only at even levels.
  const bits = 2 * region + 1;
  const digits = Math.ceil((4 + 2 * level) / 4);
  const padded = level % 2 === 0 ? bits : bits * 4;
  return padded.toString(16).padStart(digits, '0').replace(/0+$/, '');
}

/**
 * The region that a token names, and its level.
 * @throws RangeError when it is no token of a cell at a level up to MAX_REGION_LEVEL.
 */
export function regionFromToken(token: string): { readonly region: number; readonly level: number } {
  if (/^[0-9a-f]{1,7}$/.test(token)) {
    // 32 bits hold the id of a region at level 12 (28 bits) with room for whole digits.
    const id = Number.parseInt(token.padEnd(8, '0'), 16);
    for (let level = 0; level <= MAX_REGION_LEVEL; level++) {
      const unit = 2 ** (28 - 2 * level);
      const bits = id / unit;
      if (Number.isInteger(bits) && bits % 2 === 1) {
        const region = (bits - 1) / 2;
        if (region < regionCount(level) && regionToken(region, level) === token) {
          return { region, level };
        }
      }
    }
  }
  throw new RangeError(`'${token}' is no S2 token of a cell at level 0 to ${String(MAX_REGION_LEVEL)}`);
}

/** Unit vectors of a cell's four corners, counter-clockwise from the least (i, j). */
export function cellVertices(cell: CellAddress): readonly UnitVector[] {
  const into = new Float64Array(12);
  fillCellVertices(cell, into);
  return [0, 3, 6, 9].map((at) => [into[at], into[at + 1], into[at + 2]] as unknown as UnitVector);
}

/** Fills the first twelve of `into` with the same: x, y, z of each corner. */
export function fillCellVertices({ face, i, j, level }: CellAddress, into: Float64Array): void {
  const size = 1 << level;
  const u0 = uOfFraction(i / size);
  const u1 = uOfFraction((i + 1) / size);
  const v0 = uOfFraction(j / size);
  const v1 = uOfFraction((j + 1) / size);
  for (let corner = 0; corner < 4; corner++) {
    const u = corner === 0 || corner === 3 ? u0 : u1;
    const v = corner < 2 ? v0 : v1;
    const n = 1 / Math.sqrt(1 + u * u + v * v);
    const a = u * n;
    const b = v * n;
    fillDirection(face, n, a, b, into, 3 * corner);
  }
}

/** Puts the coordinates along a face's normal and its two axes where they belong. */
function fillDirection(face: number, n: number, a: number, b: number, into: Float64Array, at: number): void {
  switch (face) {
    case 0:
      into[at] = n;
      into[at + 1] = a;
      into[at + 2] = b;
      return;
    case 1:
      into[at] = -a;
      into[at + 1] = n;
      into[at + 2] = b;
      return;
    case 2:
      into[at] = -a;
      into[at + 1] = -b;
      into[at + 2] = n;
      return;
    case 3:
      into[at] = -n;
      into[at + 1] = -b;
      into[at + 2] = -a;
      return;
    case 4:
      into[at] = b;
      into[at + 1] = -n;
      into[at + 2] = -a;
      return;
    default:
      into[at] = b;
      into[at + 1] = a;
      into[at + 2] = -n;
  }
}

/**
 * The corners of a region, counter-clockwise, not closed. Its edges are great-circle arcs. The
 * longitudes are each in (-180, 180]: drawing over the antimeridian or a pole is the map's affair.
 */
export function regionPolygon(region: number, level: number): readonly Position[] {
  return cellVertices(regionAddress(region, level)).map(([x, y, z]) => ({
    longitude: longitudeOf(x, y),
    latitude: latitudeOf(x, y, z),
  }));
}

function checkLevel(level: number): void {
  if (!(Number.isInteger(level) && level >= 0 && level <= MAX_REGION_LEVEL)) {
    throw new RangeError(
      `region level ${String(level)} is not an integer in [0, ${String(MAX_REGION_LEVEL)}]`,
    );
  }
}

function checkRegion(region: number, level: number): void {
  if (!(Number.isInteger(region) && region >= 0 && region < regionCount(level))) {
    throw new RangeError(`${String(region)} is no region of level ${String(level)}`);
  }
}
