/** Splits a double into two halves of 26 bits (Veltkamp). */
const SPLITTER = 2 ** 27 + 1;

const double = new Float64Array(1);
const bits = new BigUint64Array(double.buffer);

/**
 * a * b + c, rounded once, as hardware does it (Boldo, Melquiond: Emulation of a FMA and correctly
 * rounded sums, IEEE Transactions on Computers 57(4), 2008). Exact while neither the numbers exceed
 * 1e290 nor a * b is below 1e-250 without being 0.
 */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const [aHigh, bHigh] = [upperHalf(a), upperHalf(b)];
  const [aLow, bLow] = [a - aHigh, b - bHigh];
  const productError = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
  const low = c + productError;
  const high = product + low;
  const tail = sumToOdd(sumError(c, productError, low), sumError(product, low, high));
  return high + tail;
}

function upperHalf(x: number): number {
  const scaled = x * SPLITTER;
  return scaled - (scaled - x);
}

/** The exact error of sum = x + y (Knuth's two-sum). */
function sumError(x: number, y: number, sum: number): number {
  const yRounded = sum - x;
  return x - (sum - yRounded) + (y - yRounded);
}

/** x + y rounded to odd: when inexact, to the neighbour whose last bit is 1. */
function sumToOdd(x: number, y: number): number {
  const sum = x + y;
  const error = sumError(x, y, sum);
  double[0] = sum;
  const pattern = bits[0] as bigint;
  if (error === 0 || pattern % 2n === 1n) {
    return sum;
  }
  bits[0] = error > 0 === sum > 0 ? pattern + 1n : pattern - 1n;
  return double[0];
}
