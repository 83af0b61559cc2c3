/** Time and chance are ports: code below the composition root never asks the machine for either. */

export interface Clock {
  /** Wall-clock milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds. Only differences mean anything. */
  monotonic(): number;
  /** Calls `callback` once after `ms`; returns a function that cancels. */
  after(ms: number, callback: () => void): () => void;
}

/** Uniform in [0, 1). */
export type Random = () => number;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};
