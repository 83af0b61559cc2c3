import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** Delays in seconds. */
export interface Delays {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}

const RESOLUTION_MS = 20;
const NS = 1e-9;
/** Whoever looks, and however often, sees the same: a peak stays for one to two of these. */
const WINDOW_MS = 30_000;

/** How late timers fire, over the last one to two windows. */
export class EventLoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #begun: number;
  #before: Delays | undefined;

  /** @param nowMs monotonic */
  constructor(nowMs: number) {
    this.#begun = nowMs;
    this.#histogram.enable();
  }

  /** Undefined as long as nothing was measured. */
  look(nowMs: number): Delays | undefined {
    const now = this.#histogram.count > 0 ? this.#measured() : undefined;
    const seen = greater(this.#before, now);
    if (nowMs - this.#begun >= WINDOW_MS) {
      this.#before = now;
      this.#begun = nowMs;
      this.#histogram.reset();
    }
    return seen;
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** The histogram is of the time between two looks of its timer. */
  #measured(): Delays {
    const late = (ns: number): number => Math.max(0, ns * NS - RESOLUTION_MS / 1000);
    const { max, mean } = this.#histogram;
    return { mean: late(mean), p99: late(this.#histogram.percentile(99)), max: late(max) };
  }
}

function greater(one: Delays | undefined, other: Delays | undefined): Delays | undefined {
  if (one === undefined || other === undefined) {
    return one ?? other;
  }
  return {
    mean: Math.max(one.mean, other.mean),
    p99: Math.max(one.p99, other.p99),
    max: Math.max(one.max, other.max),
  };
}
