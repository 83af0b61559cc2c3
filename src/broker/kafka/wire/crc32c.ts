/** CRC-32C (Castagnoli), eight bytes a step; node:zlib has only the other CRC-32. */
const REVERSED_POLYNOMIAL = 0x82f63b78;

/** Eight tables of 256 entries one after another: entry `256 * n + byte` is `byte` followed by n zeros. */
const TABLE = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) {
    crc = (crc >>> 1) ^ (crc & 1 ? REVERSED_POLYNOMIAL : 0);
  }
  TABLE[byte] = crc;
}
for (let at = 256; at < TABLE.length; at++) {
  const before = TABLE[at - 256] as number;
  TABLE[at] = (before >>> 8) ^ (TABLE[before & 255] as number);
}

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

function byteByByte(seed: number, bytes: Uint8Array, from: number, to: number): number {
  let crc = seed;
  for (let at = from; at < to; at++) {
    crc = (TABLE[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
  }
  return crc;
}

/** Of `bytes[from]` to `bytes[to - 1]`, as an unsigned number. */
export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  if (!LITTLE_ENDIAN || to - from < 16) {
    return ~byteByByte(-1, bytes, from, to) >>> 0;
  }
  const aligned = Math.min(to, from + (-(bytes.byteOffset + from) & 3));
  let crc = byteByByte(-1, bytes, from, aligned);
  const count = ((to - aligned) >>> 3) * 2;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, count);
  for (let at = 0; at < count; at += 2) {
    const low = crc ^ (words[at] as number);
    const high = words[at + 1] as number;
    crc =
      (TABLE[1792 + (low & 255)] as number) ^
      (TABLE[1536 + ((low >>> 8) & 255)] as number) ^
      (TABLE[1280 + ((low >>> 16) & 255)] as number) ^
      (TABLE[1024 + (low >>> 24)] as number) ^
      (TABLE[768 + (high & 255)] as number) ^
      (TABLE[512 + ((high >>> 8) & 255)] as number) ^
      (TABLE[256 + ((high >>> 16) & 255)] as number) ^
      (TABLE[high >>> 24] as number);
  }
  return ~byteByByte(crc, bytes, aligned + count * 4, to) >>> 0;
}
