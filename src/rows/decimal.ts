/**
 * Decimal numbers out of bytes, correctly rounded: the same bits as JavaScript's `Number(text)`.
 *
 * Accepted: `[+-]digits[.digits]` or `[+-].digits`, each with an optional exponent, between optional
 * spaces and tabs. Refused: an empty field, `nan`, `inf`, hexadecimal, digit separators.
 */

const TAB = 0x09;
const SPACE = 0x20;
const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** Four ASCII zeros: XOR turns four ASCII digits into their values. */
const ZEROS = 0x30303030;
/** Added to a byte above 9 it sets the byte's top bit. */
const ABOVE_NINE = 0x76767676;
const TOP_BITS = 0x80808080 | 0;

const MAX_FRACTION = 16;
const POWERS = Float64Array.from({ length: MAX_FRACTION + 1 }, (_, exponent) =>
  Number(`1e${String(exponent)}`),
);
const INVERSES = POWERS.map((power) => 1 / power);
/** Veltkamp's constant 2^27 + 1: splits a double into two halves whose products are exact. */
const SPLITTER = 134217729;
const POWERS_HIGH = POWERS.map((power) => SPLITTER * power - (SPLITTER * power - power));
const POWERS_LOW = POWERS.map((power, exponent) => power - (POWERS_HIGH[exponent] as number));

/** Not read: the caller takes the careful way. */
export const NOT_PLAIN = -1;

/**
 * Reads a number of the plain form `[-]d{1,3}[.d{0,16}]` at `at`, four bytes at a time, and stores it
 * in `out[index]`.
 *
 * The digits are an integer M = high * 10^n + low, where high * 10^n is exact in a double (at most 51
 * significant bits) and so is `low`. M / 10^f is one rounded division; where M itself does not fit a
 * double, the division's exact remainder (Dekker's product, Numer. Math. 18, 1971) corrects the
 * quotient. The correction is a few units in the last place (ulp) with a relative error below 2^-51.
 * That cannot cross a rounding boundary: the middle between two doubles is m / 2^k with k >= 43 here,
 * and M / 10^f differs from it by |M * 2^(k-f) - m * 5^f| / (2^k * 5^f), which is either 0 or at least
 * ulp / (2 * 5^16), about 3e-12 ulp. It is not 0: then 5^f would divide M and leave 54 significant
 * bits, which takes f <= 4, where M has at most 7 digits and fits a double.
 *
 * @param view the same bytes as `bytes`
 * @returns index of the first byte after the number, or `NOT_PLAIN`
 */
export function readPlainDecimal(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  out: Float64Array,
  index: number,
): number {
  const lastWord = view.byteLength - 4;
  if (at >= lastWord) return NOT_PLAIN;
  const first = bytes[at] as number;
  // '-' is 0x2d and digits are 0x30 to 0x39: bit 4 tells them apart without a branch on the sign,
  // which no processor can predict.
  const negative = (~first >> 4) & 1;
  if (negative === 1 && first !== MINUS) return NOT_PLAIN;
  let p = at + negative;

  let word = view.getInt32(p, true) ^ ZEROS;
  let odd = ((word + ABOVE_NINE) | word) & TOP_BITS;
  if (odd === 0) return NOT_PLAIN;
  let digits = (31 - Math.clz32(odd & -odd)) >>> 3;
  if (digits === 0) return NOT_PLAIN;
  let high = fourDigits(word << (32 - 8 * digits));
  p += digits;
  const sign = 1 - 2 * negative;
  if (bytes[p] !== POINT) {
    out[index] = sign * high;
    return p;
  }
  p++;

  let low = 0;
  let fraction = 0;
  let lowDigits = 0;
  do {
    if (p > lastWord) return NOT_PLAIN;
    word = view.getInt32(p, true) ^ ZEROS;
    odd = ((word + ABOVE_NINE) | word) & TOP_BITS;
    digits = odd === 0 ? 4 : (31 - Math.clz32(odd & -odd)) >>> 3;
    if (digits === 0) break;
    const value = fourDigits(word << (32 - 8 * digits));
    if (fraction === 0) {
      high = high * (POWERS[digits] as number) + value;
    } else {
      low = low * (POWERS[digits] as number) + value;
      lowDigits += digits;
    }
    fraction += digits;
    p += digits;
    if (fraction > MAX_FRACTION) return NOT_PLAIN;
  } while (digits === 4);

  const shifted = high * (POWERS[lowDigits] as number);
  const whole = shifted + low;
  const rest = low - (whole - shifted);
  const power = POWERS[fraction] as number;
  const quotient = whole / power;
  if (rest === 0) {
    out[index] = sign * quotient;
    return p;
  }
  const product = quotient * power;
  const split = SPLITTER * quotient;
  const quotientHigh = split - (split - quotient);
  const quotientLow = quotient - quotientHigh;
  const powerHigh = POWERS_HIGH[fraction] as number;
  const powerLow = POWERS_LOW[fraction] as number;
  const productError =
    quotientHigh * powerHigh -
    product +
    quotientHigh * powerLow +
    quotientLow * powerHigh +
    quotientLow * powerLow;
  const remainder = whole - product - productError;
  const correction = (remainder + rest) * (INVERSES[fraction] as number);
  out[index] = sign * (quotient + correction);
  return p;
}

/** The number of four digit values, most significant in the lowest byte. */
function fourDigits(word: number): number {
  const pairs = word * 10 + (word >>> 8);
  return (pairs & 0xff) * 100 + ((pairs >>> 16) & 0xff);
}

/**
 * Reads a number of any accepted form from `bytes[start, end)` into `out[index]`.
 * @returns whether it is a decimal number; too large a one is stored as an infinity
 */
export function readDecimal(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Float64Array,
  index: number,
): boolean {
  let from = start;
  let to = end;
  while (from < to && isBlank(bytes[from] as number)) from++;
  while (to > from && isBlank(bytes[to - 1] as number)) to--;
  if (!isDecimal(bytes, from, to)) return false;
  let text = '';
  for (let p = from; p < to; p++) text += String.fromCharCode(bytes[p] as number);
  out[index] = Number(text);
  return true;
}

const encoder = new TextEncoder();
const parsed = new Float64Array(1);

/** The number `text` stands for, NaN when it is not a decimal number. */
export function parseDecimal(text: string): number {
  const bytes = encoder.encode(text);
  return readDecimal(bytes, 0, bytes.length, parsed, 0) ? (parsed[0] as number) : Number.NaN;
}

function isDecimal(bytes: Uint8Array, start: number, end: number): boolean {
  let p = start;
  if (p < end && isSign(bytes[p] as number)) p++;
  const wholeEnd = skipDigits(bytes, p, end);
  let digits = wholeEnd - p;
  p = wholeEnd;
  if (p < end && bytes[p] === POINT) {
    const fractionEnd = skipDigits(bytes, p + 1, end);
    digits += fractionEnd - p - 1;
    p = fractionEnd;
  }
  if (digits === 0) return false;
  if (p < end && ((bytes[p] as number) | 0x20) === 0x65) {
    p++;
    if (p < end && isSign(bytes[p] as number)) p++;
    const exponentEnd = skipDigits(bytes, p, end);
    if (exponentEnd === p) return false;
    p = exponentEnd;
  }
  return p === end;
}

function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let p = start;
  while (p < end && (bytes[p] as number) >= ZERO && (bytes[p] as number) <= ZERO + 9) p++;
  return p;
}

function isSign(byte: number): boolean {
  return byte === PLUS || byte === MINUS;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
