const SLAB_BYTES = 256 * 1024;

let slab = new ArrayBuffer(0);
let used = 0;

/**
 * So many bytes, all zero, for what is written and of no more use then: many such lie in one buffer, as to allocate and
 * to collect a buffer takes longer than to fill it. Whoever keeps a few of them for long keeps all of that buffer.
 */
export function encodedBytes(length: number): Uint8Array<ArrayBuffer> {
  if (length > SLAB_BYTES / 4) {
    return new Uint8Array(length);
  }
  if (used + length > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_BYTES);
    used = 0;
  }
  const bytes = new Uint8Array(slab, used, length);
  used += length;
  return bytes;
}
