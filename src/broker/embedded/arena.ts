/** Memory for many values: those of one store transaction, used again for the next, or those of one reading. */

const BLOCK_BYTES = 1024 * 1024;
/** More blocks than this are given back after the group that needed them. */
const KEPT_BLOCKS = 10;

export class Arena {
  readonly #blocks: Buffer[] = [];
  #current = 0;
  #used = 0;

  /** Uninitialised bytes, valid until `reset`. */
  allocate(bytes: number): Buffer {
    if (bytes > BLOCK_BYTES) {
      return Buffer.allocUnsafeSlow(bytes);
    }
    if (this.#used + bytes > BLOCK_BYTES) {
      this.#current++;
      this.#used = 0;
    }
    const block = (this.#blocks[this.#current] ??= Buffer.allocUnsafeSlow(BLOCK_BYTES));
    const from = this.#used;
    this.#used += bytes;
    return block.subarray(from, from + bytes);
  }

  reset(): void {
    this.#current = 0;
    this.#used = 0;
    this.#blocks.length = Math.min(this.#blocks.length, KEPT_BLOCKS);
  }
}
