import type { Committed, Transaction, Writer } from '../broker/broker.ts';
import { BrokerFullError, FencedError, NotOwnerError, UnknownOutcomeError } from '../broker/errors.ts';
import type { Metrics } from '../metrics/recorder.ts';
import type { Clock } from '../system/clock.ts';
import type { Logger } from '../system/logger.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** What a commit under way is given when its stage is told to stop. */
const COMMIT_GRACE_MS = 5_000;

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
 * A commit waits for a broker that is away, and its stage may have to stop meanwhile. Then the writer
 * is closed under it; whether it took effect shows when the partition is restored.
 */
function unlessGivenUp(
  committing: Promise<Committed>,
  writer: Writer,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Committed> {
  return new Promise((resolve, reject) => {
    let cancel = (): void => undefined;
    const giveUp = (): void => {
      cancel = clock.after(COMMIT_GRACE_MS, () => {
        void writer.close().catch(() => undefined);
        reject(
          new UnknownOutcomeError(
            `writer ${writer.name}: told to stop while its commit had no answer for ${String(COMMIT_GRACE_MS)} ms; ` +
              'whether it took effect shows when the partition is opened again',
          ),
        );
      });
    };
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) {
      giveUp();
    }
    committing.then(resolve, reject).finally(() => {
      cancel();
      signal.removeEventListener('abort', giveUp);
    });
  });
}

/** Who commits, on what clock, and until when. */
export interface CommitOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly metrics: Metrics;
  /** As the metrics name it. */
  readonly stage: 'publisher' | 'partition' | 'aggregator';
}

/**
 * Commits what `fill` puts into a transaction. Where the broker has no room, nothing was written:
 * the stage stays here, and with it everything above it, until there is room again. Any other
 * failure is the caller's.
 *
 * @throws UnknownOutcomeError also when `signal` aborted and the commit found no end soon after
 * @returns undefined when `signal` aborted while waiting for room.
 */
export async function commitWhenThereIsRoom(
  writer: Writer,
  fill: (transaction: Transaction) => void,
  { clock, log, metrics, signal, stage }: CommitOptions,
): Promise<Committed | undefined> {
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const transaction = writer.begin();
    fill(transaction);
    const begun = clock.monotonic();
    try {
      const committed = await unlessGivenUp(transaction.commit(), writer, { clock, signal });
      metrics.count('transaction.commits', 1, { stage });
      metrics.time('transaction.time', clock.monotonic() - begun, { stage });
      if (pauseMs > FIRST_PAUSE_MS) {
        log.info({ writer: writer.name }, 'there is room again: going on');
      }
      return committed;
    } catch (error) {
      metrics.count('transaction.aborts', 1, { stage, reason: abortReason(error) });
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

function abortReason(error: unknown): string {
  if (error instanceof BrokerFullError) {
    return 'no-room';
  }
  if (error instanceof FencedError) {
    return 'fenced';
  }
  if (error instanceof NotOwnerError) {
    return 'not-owner';
  }
  return error instanceof UnknownOutcomeError ? 'unknown-outcome' : 'other';
}
