import { EARTH_RADIUS_KM } from '../geo/sphere.ts';

/** A phone under open sky knows its position to 4.9 m (van Diggelen, Enge: ION GNSS+ 2015), here rounded. */
const POSITION_NOISE_KM = 0.005;

/**
 * Mean squared chord to the center (squared earth radii) below which rows are at one place: they may differ,
 * but by the noise of positioning only. It keeps logarithms and ratios of costs finite, and says what a cost
 * of 0, that of duplicates, is to be compared as.
 */
export const POSITION_NOISE = (POSITION_NOISE_KM / EARTH_RADIUS_KM) ** 2;
