/** Where a position is, in words: its nearest large city. */
export interface Place {
  /** Of the city, as GeoNames spells it: `Lagos`, `São Paulo`. */
  readonly name: string;
  /** In English: `Nigeria`. */
  readonly country: string;
  /** ISO 3166-1 alpha-2: `NG`. */
  readonly countryCode: string;
  /** Great-circle distance from the position to the city's center, km, to a tenth. */
  readonly distanceKm: number;
  /** All of it for a reader, the country by its short name: `near Lagos, Nigeria`, `near New York City, US`. */
  readonly text: string;
}
