/**
 * Longitude and latitude as types of their own. They are made here and nowhere else, so that a
 * swapped pair is a compile error wherever single values are passed. Bulk data travels as columns
 * (`RowColumns` in `src/rows/columns.ts`) whose field names carry the axis.
 */

declare const axis: unique symbol;

/** Degrees east, in [-180, 180]. */
export type Longitude = number & { readonly [axis]: 'longitude' };
/** Degrees north, in [-90, 90]. */
export type Latitude = number & { readonly [axis]: 'latitude' };

export interface Position {
  readonly longitude: Longitude;
  readonly latitude: Latitude;
}

function isLongitude(degrees: number): degrees is Longitude {
  return degrees >= -180 && degrees <= 180;
}

function isLatitude(degrees: number): degrees is Latitude {
  return degrees >= -90 && degrees <= 90;
}

/** @throws RangeError when `degrees` is not a finite number in [-180, 180]. */
export function longitude(degrees: number): Longitude {
  if (!isLongitude(degrees)) {
    throw new RangeError(`longitude ${String(degrees)} is out of range [-180, 180]`);
  }
  return degrees;
}

/** @throws RangeError when `degrees` is not a finite number in [-90, 90]. */
export function latitude(degrees: number): Latitude {
  if (!isLatitude(degrees)) {
    throw new RangeError(`latitude ${String(degrees)} is out of range [-90, 90]`);
  }
  return degrees;
}
