import { type RandomSource, randomSource } from '../../src/generator/random.ts';

/**
 * Chance that is the same to the bit on every machine and engine. There are no logarithms or sines in it:
 * ECMAScript leaves their last bit open, and engines have changed it.
 */
export interface Chance {
  /** Uniform in [0, 1). */
  readonly unit: () => number;
  /** Mean 0 and standard deviation 1, nearly normal: the sum of 12 uniforms (Irwin and Hall), never beyond 6. */
  readonly normal: () => number;
  /** An index, each as often as its weight says. */
  readonly pick: (cumulative: Float64Array) => number;
}

export function chanceOf(name: string, seed: number): Chance {
  const { bits, unit }: RandomSource = randomSource(name, seed);
  return {
    unit,
    normal: () => {
      let sum = 0;
      for (let n = 0; n < 12; n++) {
        sum += bits() >>> 0;
      }
      return sum / 2 ** 32 - 6;
    },
    pick: (cumulative) => {
      const at = unit() * (cumulative.at(-1) ?? 0);
      let [low, high] = [0, cumulative.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((cumulative[middle] as number) > at) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      return low;
    },
  };
}

/** Running sums of weights, for `pick`. */
export function cumulated(weights: readonly number[]): Float64Array {
  let sum = 0;
  return Float64Array.from(weights, (weight) => (sum += weight));
}

export { cosineOfDegrees } from '../../src/generator/random.ts';
