import { nextTurn } from '../../system/event-loop.ts';

/**
 * Turns of the event loop for long work in the background: one slice of it in one turn, whosever it is, and none
 * while anything urgent is at work.
 */
export class BackgroundTurns {
  #urgent: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  /** Resolves when the next slice may run. First come, first served. */
  next(): Promise<void> {
    this.#last = this.#after(this.#last);
    return this.#last;
  }

  /** Does what must not wait for the work in the background. One after another. */
  async goFirst<T>(work: () => Promise<T>): Promise<T> {
    const working = work();
    this.#urgent = working.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await working;
    } finally {
      this.#urgent = undefined;
    }
  }

  async #after(before: Promise<void>): Promise<void> {
    await before;
    await nextTurn();
    while (this.#urgent !== undefined) {
      await this.#urgent;
      await nextTurn();
    }
  }
}
