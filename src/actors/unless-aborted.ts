import type { Clock } from '../system/clock.ts';

/**
 * Gives up waiting for `work` when `signal` aborts: a broker that is away must not keep its callers from
 * stopping. For what changes nothing, or whose late effect is fenced.
 *
 * @param discard takes what comes after that
 * @throws the signal's reason
 */
export function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  discard: (late: T) => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      signal.removeEventListener('abort', abort);
      // Nobody waits any more, neither for the result nor for its removal.
      work.then(discard).catch(() => undefined);
      reject(signal.reason as Error);
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}

/** Waits for `work`, but at most `ms`; what fails afterwards does not matter. */
export async function atMost(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  let cancel = (): void => undefined;
  const elapsed = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  work.catch(() => undefined);
  try {
    await Promise.race([work, elapsed]);
  } finally {
    cancel();
  }
}
