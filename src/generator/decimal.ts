/**
 * Numbers in the form of Python's `repr`: the shortest decimal that reads back as the same double,
 * and among those the closest. It is also what JavaScript prints, except that Python has `5.0`,
 * `1e-05` and `1.5e-07` where JavaScript has `5`, `0.00001` and `1.5e-7`.
 */
export function pythonText(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-4 && magnitude < 1e16 && value !== Math.floor(value)) {
    return String(value);
  }
  if (Number.isInteger(value) && magnitude < 1e16) {
    return Object.is(value, -0) ? '-0.0' : `${String(value)}.0`;
  }
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

const HYPHEN = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;

const TWO_POW_26 = 2 ** 26;
const TWO_POW_MINUS_26 = 2 ** -26;

/** Half the distance to the next double, in units of 1e-16, by the power of two below the value. */
const HALF_GAP = Float64Array.from({ length: 8 }, (_, exponent) => 2 ** (exponent - 53) * 1e16);

/** The two digits of 0 to 99, as characters. */
const DIGIT_PAIRS = Uint8Array.from({ length: 200 }, (_, at) =>
  at % 2 === 0 ? ZERO + Math.floor(at / 20) : ZERO + (Math.floor(at / 2) % 10),
);

/**
 * Writes `pythonText(value)` to `bytes` from `at` on and answers the index after it.
 *
 * Numbers of magnitude [1, 256), nearly all that are generated, take a way of their own, five times
 * as fast as `String`. A double there is a whole number of 2^-52, so its first 16 decimals and the
 * remainder come out exactly in two steps of eight digits. The shortest decimal is then the multiple
 * of 1000, 100, 10 or 1 (of 1e-16) that lies closer than half the distance to the next double. What
 * lies too close to a limit to be judged in floating point is left to `String`.
 */
export function writeDecimal(bytes: Uint8Array, at: number, value: number): number {
  const magnitude = Math.abs(value);
  const whole = Math.floor(magnitude);
  if (!(magnitude >= 1 && magnitude < 256) || whole === magnitude) {
    return writeText(bytes, at, pythonText(value));
  }
  // The fraction is (high * 2^26 + low) / 2^52; every product below stays under 2^53.
  const scaled = (magnitude - whole) * TWO_POW_26;
  let high = Math.floor(scaled);
  let low = (scaled - high) * TWO_POW_26;
  let lowProduct = low * 1e8;
  let carry = Math.floor(lowProduct * TWO_POW_MINUS_26);
  let product = high * 1e8 + carry;
  const first = Math.floor(product * TWO_POW_MINUS_26);
  high = product - first * TWO_POW_26;
  low = lowProduct - carry * TWO_POW_26;
  lowProduct = low * 1e8;
  carry = Math.floor(lowProduct * TWO_POW_MINUS_26);
  product = high * 1e8 + carry;
  const rest = product * TWO_POW_MINUS_26;

  const second = shortestWithin(rest, HALF_GAP[31 - Math.clz32(whole)] ?? 0);
  if (second <= 0 || second >= 1e8) {
    return writeText(bytes, at, pythonText(value));
  }
  let end = at;
  if (value < 0) {
    bytes[end++] = HYPHEN;
  }
  if (whole >= 100) {
    bytes[end++] = ZERO + ((whole / 100) | 0);
  }
  if (whole >= 10) {
    bytes[end++] = ZERO + (((whole / 10) | 0) % 10);
  }
  bytes[end++] = ZERO + (whole % 10);
  bytes[end++] = DOT;
  writeEightDigits(bytes, end, first);
  writeEightDigits(bytes, end + 8, second);
  end += 16;
  while (bytes[end - 1] === ZERO) {
    end--;
  }
  return end;
}

/** The roundest whole number closer to `value` than `reach`, or -1 where floating point cannot tell. */
function shortestWithin(value: number, reach: number): number {
  const doubt = 1e-4;
  for (let unit = 1000; unit >= 1; unit /= 10) {
    const candidate = Math.round(value / unit) * unit;
    const distance = Math.abs(candidate - value);
    if (Math.abs(distance - reach) < doubt || Math.abs(distance - unit / 2) < doubt) {
      return -1;
    }
    if (distance < reach) {
      return candidate;
    }
  }
  return -1;
}

function writeEightDigits(bytes: Uint8Array, at: number, value: number): void {
  const upper = (value / 10_000) | 0;
  const lower = value - upper * 10_000;
  writeFourDigits(bytes, at, upper);
  writeFourDigits(bytes, at + 4, lower);
}

function writeFourDigits(bytes: Uint8Array, at: number, value: number): void {
  const upper = (value / 100) | 0;
  const lower = value - upper * 100;
  bytes[at] = DIGIT_PAIRS[upper * 2] ?? 0;
  bytes[at + 1] = DIGIT_PAIRS[upper * 2 + 1] ?? 0;
  bytes[at + 2] = DIGIT_PAIRS[lower * 2] ?? 0;
  bytes[at + 3] = DIGIT_PAIRS[lower * 2 + 1] ?? 0;
}

/** Writes ASCII. */
export function writeText(bytes: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    bytes[at + index] = text.charCodeAt(index);
  }
  return at + text.length;
}
