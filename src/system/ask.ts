import type { Address } from './actor.ts';
import type { Clock } from './clock.ts';

/** No answer to a question. */
export class AskTimeoutError extends Error {
  override readonly name = 'AskTimeoutError';
  readonly path: string;
  /** False when the question became a dead letter: then nobody has acted on it. */
  readonly delivered: boolean;

  constructor(path: string, delivered: boolean, timeoutMs: number) {
    super(
      delivered
        ? `actor ${path} did not answer within ${String(timeoutMs)} ms`
        : `actor ${path} cannot answer: the question became a dead letter`,
    );
    this.path = path;
    this.delivered = delivered;
  }
}

export interface AskOptions<T, R> {
  readonly clock: Clock;
  readonly tell: (to: Address<T>, message: T) => boolean;
  readonly to: Address<T>;
  readonly message: (reply: (answer: R) => void) => T;
  readonly timeoutMs: number;
  /** Ends the wait: the one who asked is being stopped. */
  readonly signal?: AbortSignal;
}

/**
 * Sends a question and resolves with the first answer. Rejects with `AskTimeoutError` after the
 * timeout, at once when the question became a dead letter, or with the signal's reason.
 */
export function ask<T, R>(options: AskOptions<T, R>): Promise<R> {
  const { clock, tell, to, message, timeoutMs, signal } = options;
  return new Promise<R>((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const abort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancelTimer = clock.after(timeoutMs, () => {
      cancel();
      reject(new AskTimeoutError(to.path, true, timeoutMs));
    });
    const cancel = (): void => {
      cancelTimer();
      signal?.removeEventListener('abort', abort);
    };
    signal?.addEventListener('abort', abort, { once: true });
    const question = message((answer) => {
      cancel();
      resolve(answer);
    });
    if (!tell(to, question)) {
      cancel();
      reject(new AskTimeoutError(to.path, false, timeoutMs));
    }
  });
}
