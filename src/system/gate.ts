/** One unit of work that a gate has let through. */
export interface Turn {
  /** It was let through by `runOnce`, while the gate was paused. */
  readonly single: boolean;
  /** The unit has ended, however. */
  readonly done: () => void;
}

const FREE: Turn = { single: false, done: () => undefined };

/** Somebody waits for one unit of work to end. */
interface Permit {
  readonly ended: () => void;
}

/**
 * Where a stage may be held before its next unit of work. It stands outside of the incarnations that pass
 * it: a stage that is restarted while it is paused stays so.
 */
export class Gate {
  #paused = false;
  #permits: Permit[] = [];
  readonly #listeners = new Set<() => void>();

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether `enter` would let a unit through now. */
  get open(): boolean {
    return !this.#paused || this.#permits.length > 0;
  }

  /** Nothing more begins; what has begun goes on to its end. */
  pause(): void {
    if (!this.#paused) {
      this.#paused = true;
      this.#tell();
    }
  }

  resume(): void {
    if (this.#paused) {
      this.#paused = false;
      this.#endPermits();
      this.#tell();
    }
  }

  /** Lets one unit through although the gate is paused. Resolves when it has ended, or the gate is resumed. */
  runOnce(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#paused) {
        resolve();
        return;
      }
      this.#permits.push({ ended: resolve });
      this.#tell();
    });
  }

  /** The next unit of work may begin; undefined while it may not. */
  enter(): Turn | undefined {
    if (!this.#paused) {
      return FREE;
    }
    const permit = this.#permits.shift();
    return permit === undefined ? undefined : { single: true, done: permit.ended };
  }

  /** The same, and waits until it may; undefined when `signal` aborted first. */
  async begin(signal: AbortSignal): Promise<Turn | undefined> {
    while (await this.untilOpen(signal)) {
      const turn = this.enter();
      if (turn !== undefined) {
        return turn;
      }
      // Another was first.
    }
    return undefined;
  }

  /** False when `signal` aborted first. */
  async untilOpen(signal: AbortSignal): Promise<boolean> {
    while (!this.open && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          stopListening();
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const stopListening = this.onChange(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
    return !signal.aborted;
  }

  /** Called when units may begin that might not, or the other way round. Returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #endPermits(): void {
    for (const { ended } of this.#permits.splice(0)) {
      ended();
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) {
      listener();
    }
  }
}
