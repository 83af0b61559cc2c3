/**
 * The generator from which Apache Spark 3 draws random centers, to the bit: `XORShiftRandom`
 * (Marsaglia: Xorshift RNGs, Journal of Statistical Software 8(14), 2003, with the shifts 21, 35 and 4)
 * under the derived draws of `java.util.Random`. Its seed is hashed by MurmurHash3 (Appleby), in the
 * form of Scala's library. Not for secrets, and slow: made for some thousand numbers.
 */

/** Seed of Scala's hash of arrays. */
const ARRAY_SEED = 0x3c074a61;

const SEED_BYTES = 8;

export class SparkRandom {
  private state: bigint;
  private spare: number | undefined;

  /** @throws RangeError when the seed is no safe integer (of Java's 64-bit seeds, those are accepted). */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) {
      throw new RangeError(`seed ${String(seed)} is not a safe integer`);
    }
    this.state = hashSeed(BigInt(seed));
  }

  /** Uniform in [0, 1), in steps of 2^-53. */
  nextDouble(): number {
    const high = this.next(26);
    return (high * 2 ** 27 + this.next(27)) / 2 ** 53;
  }

  /** Standard normal, by the polar method (Marsaglia, Bray 1964); every second number is a spare. */
  nextGaussian(): number {
    if (this.spare !== undefined) {
      const spare = this.spare;
      this.spare = undefined;
      return spare;
    }
    for (;;) {
      const a = 2 * this.nextDouble() - 1;
      const b = 2 * this.nextDouble() - 1;
      const s = a * a + b * b;
      if (s < 1 && s !== 0) {
        const scale = Math.sqrt((-2 * Math.log(s)) / s);
        this.spare = b * scale;
        return a * scale;
      }
    }
  }

  /** The low `bits` of the next state, below 32. */
  private next(bits: number): number {
    let state = this.state;
    state = BigInt.asUintN(64, state ^ (state << 21n));
    state ^= state >> 35n;
    state = BigInt.asUintN(64, state ^ (state << 4n));
    this.state = state;
    return Number(BigInt.asUintN(bits, state));
  }
}

function hashSeed(seed: bigint): bigint {
  const bytes = new DataView(new ArrayBuffer(SEED_BYTES));
  bytes.setBigInt64(0, seed);
  const low = murmurHash(bytes, ARRAY_SEED);
  const high = murmurHash(bytes, low);
  return (BigInt(high) << 32n) | BigInt(low);
}

/** MurmurHash3, x86, 32 bits, of whole words; unsigned. */
function murmurHash(bytes: DataView, seed: number): number {
  let hash = seed;
  for (let at = 0; at < bytes.byteLength; at += 4) {
    let word = Math.imul(bytes.getInt32(at, true), 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    hash ^= word;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= bytes.byteLength;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
