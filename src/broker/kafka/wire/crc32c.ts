/**
 * CRC-32C (Castagnoli); node:zlib has only the other CRC-32.
 *
 * Four remainders are carried on side by side, one for each of four neighbouring words, so that a processor
 * need not wait for one look-up to begin the next; in the end they are joined. (Kadatch and Jenkins:
 * Everything we know about CRC but afraid to forget, 2010; zlib calls it braiding.)
 */
const REVERSED_POLYNOMIAL = 0x82f63b78;

const LANES = 4;
const WORD_BYTES = 4;
const STEP_BYTES = LANES * WORD_BYTES;

/** Entry `256 * n + byte` is `byte`, followed by n zeros. */
const TABLE = new Int32Array(WORD_BYTES * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) {
    crc = (crc >>> 1) ^ (crc & 1 ? REVERSED_POLYNOMIAL : 0);
  }
  TABLE[byte] = crc;
}
for (let at = 256; at < TABLE.length; at++) {
  TABLE[at] = withZeros(TABLE[at - 256] as number, 1);
}
/** The same, followed by the words of the other lanes: what a lane's word is to the lane's next one. */
const LANE_TABLE = TABLE.map((crc) => withZeros(crc, STEP_BYTES - WORD_BYTES));

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

function withZeros(seed: number, zeros: number): number {
  let crc = seed;
  for (let left = zeros; left > 0; left--) {
    crc = (crc >>> 8) ^ (TABLE[crc & 255] as number);
  }
  return crc;
}

function byteByByte(seed: number, bytes: Uint8Array, from: number, to: number): number {
  let crc = seed;
  for (let at = from; at < to; at++) {
    crc = (TABLE[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
  }
  return crc;
}

/** A word, its first byte the lowest, by `TABLE` or by `LANE_TABLE`. */
function lookUp(table: Int32Array, word: number): number {
  return (
    (table[768 + (word & 255)] as number) ^
    (table[512 + ((word >>> 8) & 255)] as number) ^
    (table[256 + ((word >>> 16) & 255)] as number) ^
    (table[word >>> 24] as number)
  );
}

/** Of `words`, a multiple of `LANES` and not none. */
function fourByFour(seed: number, words: Int32Array): number {
  const last = words.length - LANES;
  let [a, b, c, d] = [seed, 0, 0, 0];
  for (let at = 0; at < last; at += LANES) {
    a = lookUp(LANE_TABLE, a ^ (words[at] as number));
    b = lookUp(LANE_TABLE, b ^ (words[at + 1] as number));
    c = lookUp(LANE_TABLE, c ^ (words[at + 2] as number));
    d = lookUp(LANE_TABLE, d ^ (words[at + 3] as number));
  }
  a = lookUp(TABLE, a ^ (words[last] as number));
  b = lookUp(TABLE, a ^ b ^ (words[last + 1] as number));
  c = lookUp(TABLE, b ^ c ^ (words[last + 2] as number));
  return lookUp(TABLE, c ^ d ^ (words[last + 3] as number));
}

/** Of `bytes[from]` to `bytes[to - 1]`, as an unsigned number. */
export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  if (!LITTLE_ENDIAN || to - from < WORD_BYTES + STEP_BYTES) {
    return ~byteByByte(-1, bytes, from, to) >>> 0;
  }
  const aligned = from + (-(bytes.byteOffset + from) & (WORD_BYTES - 1));
  const end = to - ((to - aligned) % STEP_BYTES);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, (end - aligned) / WORD_BYTES);
  const crc = fourByFour(byteByByte(-1, bytes, from, aligned), words);
  return ~byteByByte(crc, bytes, end, to) >>> 0;
}
