import type { Clock } from '../../src/system/clock.ts';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until a test moves it. Timers fire in the order of their times, those
 * of the same time in the order they were set.
 */
export class SimulatedClock implements Clock {
  #now: number;
  #elapsed = 0;
  readonly #timers = new Set<Timer>();

  /** @param startMs wall-clock milliseconds since the epoch. */
  constructor(startMs = Date.UTC(2024, 0, 1)) {
    this.#now = startMs;
  }

  /** Timers set and not yet fired or cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  readonly now = (): number => this.#now + this.#elapsed;

  readonly monotonic = (): number => this.#elapsed;

  readonly after = (ms: number, callback: () => void): (() => void) => {
    const timer: Timer = { at: this.#elapsed + Math.max(0, ms), callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  };

  /** Sets the wall clock, as an administrator or NTP might; monotonic time does not move. */
  setWallClock(epochMs: number): void {
    this.#now = epochMs - this.#elapsed;
  }

  /** Moves time on at once, as a blocked event loop sees it: overdue timers fire late, at the end. */
  jump(ms: number): void {
    this.#elapsed += ms;
    for (let timer = this.#next(); timer !== undefined; timer = this.#next()) {
      this.#timers.delete(timer);
      timer.callback();
    }
  }

  /**
   * Moves time on from timer to timer, and lets what each has set off come to rest before the next.
   */
  async advance(ms: number): Promise<void> {
    await settle();
    const end = this.#elapsed + ms;
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#elapsed = Math.max(this.#elapsed, timer.at);
      this.#timers.delete(timer);
      timer.callback();
      await settle();
    }
    this.#elapsed = end;
  }

  #next(until = this.#elapsed): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (first === undefined || timer.at < first.at)) {
        first = timer;
      }
    }
    return first;
  }
}

/** Lets the event loop turn, so that messages and promises that need no timer are through. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
