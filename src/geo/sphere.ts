import { type Latitude, type Longitude, latitude, longitude, type Position } from './axes.ts';

/**
 * Points on the sphere as unit vectors in R^3 (x towards 0 N 0 E, y towards 0 N 90 E, z towards the
 * north pole), so that nothing special happens at the antimeridian or the poles.
 *
 * `Math.sin` and its kin are not specified to the last bit by ECMAScript: vectors are bit-exact
 * within one version of the engine, and all that is computed from vectors is bit-exact everywhere.
 */

/** Mean earth radius R1 of the IUGG (Moritz, Geodetic Reference System 1980), km. */
export const EARTH_RADIUS_KM = 6371.0088;

export type UnitVector = readonly [x: number, y: number, z: number];

const RADIANS_PER_DEGREE = Math.PI / 180;

/**
 * Fills `x, y, z` at `[from, to)` with the unit vectors of the positions (degrees) at the same
 * indices. The meridians 180 and -180 give the same bits, and so does a pole whatever its longitude.
 * Values that are not finite give NaN components.
 */
export function fillUnitVectors(
  longitudes: Float64Array,
  latitudes: Float64Array,
  x: Float64Array,
  y: Float64Array,
  z: Float64Array,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++) {
    const east = longitudes[row] as number;
    const north = latitudes[row] as number;
    const lambda = (east === -180 ? 180 : east) * RADIANS_PER_DEGREE;
    const phi = north * RADIANS_PER_DEGREE;
    const cosPhi = Math.abs(north) === 90 ? 0 : Math.cos(phi);
    // Adding 0 turns -0 into 0.
    x[row] = cosPhi * Math.cos(lambda) + 0;
    y[row] = cosPhi * Math.sin(lambda) + 0;
    z[row] = Math.sin(phi);
  }
}

/** The unit vector of one position; the same bits as `fillUnitVectors`. */
export function unitVector(position: Position): UnitVector {
  const x = new Float64Array(1);
  const y = new Float64Array(1);
  const z = new Float64Array(1);
  fillUnitVectors(Float64Array.of(position.longitude), Float64Array.of(position.latitude), x, y, z, 0, 1);
  return [x[0] as number, y[0] as number, z[0] as number];
}

/** Longitude of a direction, degrees in (-180, 180]; 0 at the poles. The length does not matter. */
export function longitudeOf(x: number, y: number): Longitude {
  const degrees = Math.atan2(y, x) / RADIANS_PER_DEGREE;
  // Rounding may pass 180 by one unit in the last place; -180 is the same meridian as 180.
  return longitude(degrees <= -180 || degrees > 180 ? 180 : degrees + 0);
}

/** Latitude of a direction, degrees in [-90, 90]; 0 for the zero vector. The length does not matter. */
export function latitudeOf(x: number, y: number, z: number): Latitude {
  const degrees = Math.atan2(z, Math.sqrt(x * x + y * y)) / RADIANS_PER_DEGREE;
  return latitude(Math.min(90, Math.max(-90, degrees)));
}

/** The position of a direction of any length but zero. */
export function positionOf(x: number, y: number, z: number): Position {
  return { longitude: longitudeOf(x, y), latitude: latitudeOf(x, y, z) };
}

/** Angle in radians of a chord of the unit sphere, given its squared length in [0, 4]. */
export function angleOfChord(chordSquared: number): number {
  return 2 * Math.asin(Math.min(1, Math.sqrt(chordSquared) / 2));
}

/** Squared length of the chord that subtends `angle` (radians, in [0, pi]) on the unit sphere. */
export function chordOfAngle(angle: number): number {
  const half = Math.sin(angle / 2);
  return 4 * half * half;
}

/**
 * Great-circle distance in km between two unit vectors. Through the chord, which is accurate for
 * near points, and through the sum's length for nearly antipodal ones.
 */
export function greatCircleKm(a: UnitVector, b: UnitVector): number {
  const dx = a[0] - b[0];
  const dy = a[1] - b[1];
  const dz = a[2] - b[2];
  const sx = a[0] + b[0];
  const sy = a[1] + b[1];
  const sz = a[2] + b[2];
  // Kahan's formula for the angle between two vectors of equal length.
  const half = Math.atan2(Math.sqrt(dx * dx + dy * dy + dz * dz), Math.sqrt(sx * sx + sy * sy + sz * sz));
  return 2 * half * EARTH_RADIUS_KM;
}
