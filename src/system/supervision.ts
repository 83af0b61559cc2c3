/** Restart strategies as data, judged by pure functions on (history, clock, chance). */

import type { Random } from './clock.ts';

export interface Backoff {
  /** Delay before the first restart, in ms; doubled for each further one within the window. */
  readonly initialMs: number;
  readonly maxMs: number;
  /** Share of the delay that is random, 0..1: delay * (1 - jitter + jitter * random). */
  readonly jitter: number;
}

/** At most `restarts` in `windowMs`; one more escalates. */
export interface Intensity {
  readonly restarts: number;
  readonly windowMs: number;
}

/**
 * Which children a failing child takes with it:
 * - `one-for-one`: only itself,
 * - `rest-for-one`: itself and those spawned after it,
 * - `all-for-one`: all children,
 * - `escalate`: none is restarted; the failure becomes the supervisor's own.
 */
export type ChildPolicy =
  | { readonly strategy: 'one-for-one'; readonly backoff: Backoff; readonly intensity: Intensity }
  | { readonly strategy: 'rest-for-one'; readonly backoff: Backoff; readonly intensity: Intensity }
  | { readonly strategy: 'all-for-one'; readonly backoff: Backoff; readonly intensity: Intensity }
  | { readonly strategy: 'escalate' };

export type SupervisionDecision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly history: readonly number[] }
  | { readonly kind: 'escalate' };

/**
 * Judges one failure at `nowMs`. `history` holds the times of the restarts before it, oldest first.
 */
export function judgeFailure(
  policy: ChildPolicy,
  history: readonly number[],
  nowMs: number,
  random: Random,
): SupervisionDecision {
  if (policy.strategy === 'escalate') {
    return { kind: 'escalate' };
  }
  const { backoff, intensity } = policy;
  const recent = history.filter((at) => nowMs - at < intensity.windowMs);
  if (recent.length >= intensity.restarts) {
    return { kind: 'escalate' };
  }
  const full = Math.min(backoff.maxMs, backoff.initialMs * 2 ** recent.length);
  const delayMs = full * (1 - backoff.jitter + backoff.jitter * random());
  return { kind: 'restart', delayMs, history: [...recent, nowMs] };
}

/** Names of the children that restart together when `failed` fails, in spawn order. */
export function restartScope(
  strategy: Exclude<ChildPolicy['strategy'], 'escalate'>,
  children: readonly string[],
  failed: string,
): readonly string[] {
  switch (strategy) {
    case 'one-for-one':
      return [failed];
    case 'rest-for-one':
      return children.slice(children.indexOf(failed));
    case 'all-for-one':
      return children;
  }
}
