/** Seeded random numbers for generated files: the same seed gives the same bytes on every machine. */

export interface RandomSource {
  /** A whole number from 0 to 2^32 - 1, as a signed 32-bit value. */
  readonly bits: () => number;
  /** Uniform in [0, 1), 53 bits, made as Python's `random.random()` makes it from two words. */
  readonly unit: () => number;
}

/**
 * sfc32 (Chris Doty-Humphrey's Small Fast Counting generator, PractRand), seeded with a hash of
 * `seed` and `stream`. Streams of the same seed are independent.
 */
export function randomSource(seed: string, stream: number): RandomSource {
  let a = hash(seed, 0x9e3779b9);
  let b = hash(seed, 0x85ebca6b);
  let c = Math.imul(stream | 0, 0x27d4eb2f) ^ Math.floor(stream / 2 ** 32);
  let counter = 1;
  const bits = (): number => {
    const mixed = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + mixed) | 0;
    return mixed;
  };
  // The author's seeding runs 12 rounds; 20 also separate streams whose numbers are close.
  for (let round = 0; round < 20; round++) {
    bits();
  }
  return {
    bits,
    unit: () => {
      const high = bits() >>> 5;
      const low = bits() >>> 6;
      return (high * 67_108_864 + low) / 9_007_199_254_740_992;
    },
  };
}

/** FNV-1a over UTF-16 units, finished with MurmurHash3's mixer: 32 bits. */
export function hash(text: string, basis: number): number {
  let value = basis;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return mix(value);
}

/** MurmurHash3's finalizer (Appleby): every bit of 32 depends on every other. */
export function mix(word: number): number {
  let value = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}

/** Uniform in [0, 1), made of 32 bits. */
export function fraction(word: number): number {
  return (word >>> 0) / 4_294_967_296;
}

/** The cosine of an angle in [-90, 90] degrees, by its series, to 1e-15: additions and products only, so the
 * same to the bit in every engine, which ECMAScript leaves open for `Math.cos`. */
export function cosineOfDegrees(degrees: number): number {
  const radians = (degrees * Math.PI) / 180;
  const square = radians * radians;
  let [term, sum] = [1, 1];
  for (let n = 1; n <= 14; n++) {
    term *= -square / ((2 * n - 1) * (2 * n));
    sum += term;
  }
  return sum;
}
