import { createRandom } from '../../src/clustering/random.ts';

export type Spot = readonly [east: number, north: number];

/** Positions uniform in degrees, and as many where a map ends: the antimeridian, the poles, the corners. */
export function positionsEverywhere(rows: number, seed: number): readonly Spot[] {
  const random = createRandom(seed);
  const sign = (): number => (random() < 0.5 ? -1 : 1);
  const kinds: readonly (() => Spot)[] = [
    () => [360 * random() - 180, 180 * random() - 90],
    () => [180 * sign(), 180 * random() - 90],
    () => [sign() * (180 - 1e-6 * random()), 180 * random() - 90],
    () => [360 * random() - 180, 90 * sign()],
    () => [360 * random() - 180, sign() * (90 - 1e-6 * random())],
  ];
  return Array.from({ length: rows }, (_, row) => (kinds[row % kinds.length] as () => Spot)());
}
