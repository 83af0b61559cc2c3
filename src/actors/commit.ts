import type { Committed, Transaction, Writer } from '../broker/broker.ts';
import { BrokerFullError } from '../broker/errors.ts';
import type { Clock } from '../system/clock.ts';
import type { Logger } from '../system/logger.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Resolves after `ms`, or early when `signal` aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const wake = (): void => {
      cancel();
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = clock.after(ms, wake);
    signal.addEventListener('abort', wake, { once: true });
  });
}

/**
 * Commits what `fill` puts into a transaction. Where the broker has no room, nothing was written:
 * the stage stays here, and with it everything above it, until there is room again. Any other
 * failure is the caller's.
 *
 * @returns undefined when `signal` aborted while waiting for room.
 */
export async function commitWhenThereIsRoom(
  writer: Writer,
  fill: (transaction: Transaction) => void,
  { clock, log, signal }: { readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal },
): Promise<Committed | undefined> {
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const transaction = writer.begin();
    fill(transaction);
    try {
      const committed = await transaction.commit();
      if (pauseMs > FIRST_PAUSE_MS) {
        log.info({ writer: writer.name }, 'there is room again: going on');
      }
      return committed;
    } catch (error) {
      if (!(error instanceof BrokerFullError)) {
        throw error;
      }
      log.warn({ writer: writer.name, problem: error.message, retryInMs: pauseMs }, 'no room: paused');
    }
    await pause(clock, pauseMs, signal);
    if (signal.aborted) {
      return undefined;
    }
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
  }
}
