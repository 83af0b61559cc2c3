import { fraction, mix } from './random.ts';

const MINUTE_MS = 60_000;
/** A spot's chances to become hot come this often, ms. */
const SHORTEST_MS = 10 * MINUTE_MS;
const LONGEST_MS = 60 * MINUTE_MS;
/** One chance in so many is taken. */
const TAKEN = 6;
/** At its height a hot spot is up to so many times as busy as else. */
const HOTTEST = 12;

/**
 * How many times as busy as usual a spot is, at least 1. Its time is divided into periods of equal length;
 * in one of six there is something on: reports rise to a height and fall again, a parabola over the period.
 * A pure function of seed, spot and time.
 * @param seed 32 bits
 */
export function heatOf(seed: number, spot: number, timeMs: number): number {
  const own = mix(seed ^ Math.imul(spot + 1, 0x9e3779b1));
  const periodMs = SHORTEST_MS + (LONGEST_MS - SHORTEST_MS) * fraction(own);
  const periods = timeMs / periodMs + fraction(mix(own ^ 0x5bd1e995));
  const whole = Math.floor(periods);
  const chance = fraction(mix(own ^ Math.imul(whole, 0x85ebca77))) * TAKEN;
  if (chance >= 1) {
    return 1;
  }
  const passed = periods - whole;
  // Of those that are taken `chance` is uniform again.
  return 1 + (HOTTEST - 1) * chance * 4 * passed * (1 - passed);
}
