/**
 * The batches of one partition, oldest first, in memory: 40 bytes a batch. Answers where an offset is
 * and how many bytes lie before it, without touching the store.
 */
import type { BatchHead } from './keys.ts';

const FIELDS = 5;
const BASE = 0;
const COUNT = 1;
const BYTES = 2;
const TIMESTAMP = 3;
/** Bytes of all batches before this one, since the index was built. */
const BYTES_BEFORE = 4;

export class BatchIndex {
  #cells = new Float64Array(FIELDS * 16);
  #head = 0;
  #tail = 0;
  #bytesRemoved = 0;
  #bytesAdded = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  /** Encoded bytes of all batches held. */
  get bytes(): number {
    return this.#bytesAdded - this.#bytesRemoved;
  }

  push(batch: BatchHead): void {
    if ((this.#tail + 1) * FIELDS > this.#cells.length) {
      this.#makeRoom();
    }
    const at = this.#tail * FIELDS;
    this.#cells[at + BASE] = batch.base;
    this.#cells[at + COUNT] = batch.count;
    this.#cells[at + BYTES] = batch.bytes;
    this.#cells[at + TIMESTAMP] = batch.timestamp;
    this.#cells[at + BYTES_BEFORE] = this.#bytesAdded;
    this.#bytesAdded += batch.bytes;
    this.#tail++;
  }

  /** The `index`-th oldest batch. */
  at(index: number): BatchHead | undefined {
    if (index < 0 || index >= this.length) {
      return undefined;
    }
    return {
      base: this.#cell(index, BASE),
      count: this.#cell(index, COUNT),
      bytes: this.#cell(index, BYTES),
      timestamp: this.#cell(index, TIMESTAMP),
    };
  }

  /** Forgets the oldest batch. */
  shift(): void {
    if (this.length > 0) {
      this.#bytesRemoved += this.#cell(0, BYTES);
      this.#head++;
    }
  }

  /** Index of the batch that holds `offset`, or of the first one after it; `length` when none is. */
  indexOf(offset: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#cell(middle, BASE) + this.#cell(middle, COUNT) <= offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** The oldest batch with a record of this time or later; times need not be in the order of the offsets. */
  firstSince(timestamp: number): BatchHead | undefined {
    for (let index = 0; index < this.length; index++) {
      if (this.#cell(index, TIMESTAMP) >= timestamp) {
        return this.at(index);
      }
    }
    return undefined;
  }

  /** Bytes at or after `offset`; a batch that `offset` cuts counts in proportion to its records. */
  bytesFrom(offset: number): number {
    const index = this.indexOf(offset);
    if (index >= this.length) {
      return 0;
    }
    const base = this.#cell(index, BASE);
    const cut = Math.max(offset - base, 0) / this.#cell(index, COUNT);
    return this.#bytesAdded - this.#cell(index, BYTES_BEFORE) - Math.floor(cut * this.#cell(index, BYTES));
  }

  #cell(index: number, field: number): number {
    return this.#cells[(this.#head + index) * FIELDS + field] as number;
  }

  #makeRoom(): void {
    const used = this.#cells.subarray(this.#head * FIELDS, this.#tail * FIELDS);
    const wanted = Math.max(used.length * 2, FIELDS * 16);
    if (wanted > this.#cells.length) {
      const cells = new Float64Array(wanted);
      cells.set(used);
      this.#cells = cells;
    } else {
      this.#cells.copyWithin(0, this.#head * FIELDS, this.#tail * FIELDS);
    }
    this.#tail -= this.#head;
    this.#head = 0;
  }
}
