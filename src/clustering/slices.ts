/**
 * Long computations are generators that yield often (about every millisecond of work) and return
 * their result. The caller decides how much of it runs before others get their turn.
 */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Runs a computation to its end in one go. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      return step.value;
    }
  }
}

export interface SliceOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Resolves when the others have had their turn. */
  readonly pause: () => Promise<void>;
  /** Longest slice in ms, passed by at most one step. */
  readonly sliceMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs a computation in slices. How it is sliced does not change its result.
 * @throws the signal's reason when it is aborted.
 */
export async function finishInSlices<T>(steps: Steps<T>, options: SliceOptions): Promise<T> {
  for (;;) {
    options.signal?.throwIfAborted();
    const start = options.now();
    do {
      const step = steps.next();
      if (step.done === true) {
        return step.value;
      }
    } while (options.now() - start < options.sliceMs);
    await options.pause();
  }
}
