/** A populated place of GeoNames. */
export interface City {
  readonly name: string;
  /** ISO 3166-1 alpha-2. */
  readonly countryCode: string;
  readonly population: number;
  /** The seat of a country's government. */
  readonly capital: boolean;
  /** Degrees east, in [-180, 180]. */
  readonly longitude: number;
  /** Degrees north, in [-90, 90]. */
  readonly latitude: number;
}
