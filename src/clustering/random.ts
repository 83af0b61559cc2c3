/**
 * A small seeded generator: sfc32 (Chris Doty-Humphrey, "small fast chaotic", PractRand 2010), three
 * 32-bit words of chaos and a counter. It uses integer operations only, so a seed gives the same
 * numbers on every machine and engine. Not for secrets.
 */

/** Uniform in [0, 1), in steps of 2^-53. */
export type Random = () => number;

/**
 * The generator of `seed` and `stream` (both taken as 32-bit integers); different streams of one seed
 * are unrelated sequences.
 */
export function createRandom(seed: number, stream = 0): Random {
  let a = seed | 0;
  let b = stream | 0;
  let c = 0x9e3779b9 | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  // The author's number of rounds that mix the seed into all words.
  for (let round = 0; round < 15; round++) {
    next();
  }
  return () => {
    const high = next() >>> 5;
    const low = next() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  };
}
