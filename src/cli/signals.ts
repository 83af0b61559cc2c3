import { constants } from 'node:os';

const STOPPING = ['SIGINT', 'SIGTERM'] as const;

/** The exit code of who is meant to run until a signal comes: such an end is no failure, unless it went wrong. */
export interface OrderlyEnd {
  readonly code: number;
}

/**
 * Runs `work` with a signal that aborts at SIGINT or SIGTERM. Resolves to the code of an `OrderlyEnd`, else to
 * 128 + the number of the signal that came (130, 143), else to what `work` resolved to. The second SIGINT or
 * SIGTERM ends the process at once.
 */
export async function untilStopped(
  work: (signal: AbortSignal) => Promise<number | OrderlyEnd>,
): Promise<number> {
  const abort = new AbortController();
  let stoppedBy: (typeof STOPPING)[number] | undefined;
  const stop = (name: (typeof STOPPING)[number]): void => {
    stoppedBy = name;
    release();
    abort.abort();
  };
  const listeners = STOPPING.map(
    (name) =>
      [
        name,
        () => {
          stop(name);
        },
      ] as const,
  );
  const release = (): void => {
    for (const [name, listener] of listeners) {
      process.off(name, listener);
    }
  };
  for (const [name, listener] of listeners) {
    process.on(name, listener);
  }
  try {
    const end = await work(abort.signal);
    if (typeof end !== 'number') {
      return end.code;
    }
    return stoppedBy === undefined ? end : 128 + constants.signals[stoppedBy];
  } finally {
    release();
  }
}
