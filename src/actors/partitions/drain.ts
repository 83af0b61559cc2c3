/** One drain of the log: up to which offset each partition is to be worked off, and which are not yet. */
export class Drain {
  readonly #ends: Map<number, number>;
  readonly #reply: () => void;

  /** @param ends of the partitions to be worked off */
  constructor(ends: ReadonlyMap<number, number>, reply: () => void) {
    this.#ends = new Map(ends);
    this.#reply = reply;
    this.#answerWhenDone();
  }

  get done(): boolean {
    return this.#ends.size === 0;
  }

  get open(): readonly number[] {
    return [...this.#ends.keys()];
  }

  endOf(partition: number): number | undefined {
    return this.#ends.get(partition);
  }

  /** The committed progress of a partition has come to `nextOffset`. */
  reached(partition: number, nextOffset: number): void {
    const end = this.#ends.get(partition);
    if (end !== undefined && nextOffset >= end) {
      this.leaveOut(partition);
    }
  }

  /** It is somebody else's business. */
  leaveOut(partition: number): void {
    if (this.#ends.delete(partition)) {
      this.#answerWhenDone();
    }
  }

  #answerWhenDone(): void {
    if (this.done) {
      this.#reply();
    }
  }
}
