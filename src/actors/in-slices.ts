import { finishInSlices, type Steps } from '../clustering/slices.ts';
import type { Clock } from '../system/clock.ts';
import { nextTurn } from '../system/event-loop.ts';

/** The event loop is never held longer than this by a search or a model. */
export const SLICE_MS = 3;

export interface InSlices {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly signal: AbortSignal;
  /** Resolves when the next slice may run. Default: at the next turn of the event loop. */
  readonly turn?: () => Promise<void>;
}

/**
 * Runs a long computation so that the rest of the process goes on.
 * @throws the signal's reason when it is aborted.
 */
export function inSlices<T>(steps: Steps<T>, { clock, signal, turn = nextTurn }: InSlices): Promise<T> {
  return finishInSlices(steps, { now: () => clock.monotonic(), pause: turn, sliceMs: SLICE_MS, signal });
}
