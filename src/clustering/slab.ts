/** Doubles in it lie where they are to. */
const ALIGNMENT = 8;
/** More than this share of a slab gets a buffer of its own. */
const LARGE = 0.25;

/**
 * Memory for what is small and many, many of them in one buffer: to allocate and to collect a buffer takes longer than
 * to fill it. Whoever keeps a few bytes of it keeps all of that buffer.
 */
export class Slab {
  readonly #bytes: number;
  #buffer = new ArrayBuffer(0);
  #used = 0;

  /** @param bytes of one buffer */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** So many bytes, all zero, and nobody else's. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (length > LARGE * this.#bytes) {
      return new Uint8Array(length);
    }
    if (this.#used + length > this.#buffer.byteLength) {
      this.#buffer = new ArrayBuffer(this.#bytes);
      this.#used = 0;
    }
    const bytes = new Uint8Array(this.#buffer, this.#used, length);
    this.#used += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    return bytes;
  }
}
