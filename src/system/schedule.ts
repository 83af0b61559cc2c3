import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** Repeated jobs: by an interval on the injected clock, or by a cron expression. */
export interface Scheduler {
  /**
   * Runs `job` at every tick; the first comes one interval from now. Runs never overlap: a tick
   * during a run is missed, as is one that comes after the next was due. A job that throws or
   * rejects is logged, and runs again at the next tick.
   * @param when interval in ms, or a cron expression of 5 fields, or 6 with seconds first.
   * @throws RangeError when `when` is not a positive number or not a cron expression.
   */
  every(when: number | string, job: () => void | Promise<void>): Schedule;
}

export interface Schedule {
  readonly runs: number;
  readonly missed: number;
  /** No further run begins; one in progress is not interrupted. */
  stop(): void;
}

export interface MissedRuns {
  readonly when: number | string;
  /** `overlap`: the run before had not ended. `late`: the process was busy or asleep. */
  readonly cause: 'overlap' | 'late';
  readonly missed: number;
  /** Missed by this schedule so far. */
  readonly total: number;
}

/** The port behind cron expressions. */
export interface CronTimer {
  isValid(expression: string): boolean;
  /** Calls `tick` at each match, or `missed` for each that passed unnoticed; returns the stop. */
  start(expression: string, tick: () => void, missed: () => void): () => void;
}

export interface SchedulerOptions {
  readonly clock: Clock;
  readonly cron: CronTimer;
  readonly log: Logger;
  readonly onMissed?: (missed: MissedRuns) => void;
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  return {
    every: (when, job) => {
      const runner = new Runner(when, job, options);
      runner.begin(
        typeof when === 'number' ? everyInterval(when, options.clock) : byCron(when, options.cron),
      );
      return runner;
    },
  };
}

/** Above it, Node's timers fire at once instead. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Starts ticking, and returns the stop. */
type Ticker = (tick: () => void, missed: (count: number) => void) => () => void;

function byCron(expression: string, cron: CronTimer): Ticker {
  if (!cron.isValid(expression)) {
    throw new RangeError(`${JSON.stringify(expression)} is not a cron expression`);
  }
  return (tick, missed) =>
    cron.start(expression, tick, () => {
      missed(1);
    });
}

/** Ticks at multiples of the interval from the start, so that delays do not add up. */
function everyInterval(intervalMs: number, clock: Clock): Ticker {
  if (!(intervalMs > 0 && intervalMs <= MAX_TIMER_MS)) {
    throw new RangeError(`${String(intervalMs)} ms is not an interval of 0 to ${String(MAX_TIMER_MS)} ms`);
  }
  return (tick, missed) => {
    const start = clock.monotonic();
    let due = 1;
    let cancel = (): void => undefined;
    const wait = (): void => {
      cancel = clock.after(start + due * intervalMs - clock.monotonic(), () => {
        // A timer may fire a fraction of a millisecond early.
        const passed = Math.max(due, Math.floor((clock.monotonic() - start) / intervalMs));
        const late = passed - due;
        due = passed + 1;
        wait();
        if (late > 0) {
          missed(late);
        }
        tick();
      });
    };
    wait();
    return () => {
      cancel();
    };
  };
}

class Runner implements Schedule {
  readonly #when: number | string;
  readonly #job: () => void | Promise<void>;
  readonly #options: SchedulerOptions;
  #cancel = (): void => undefined;
  #stopped = false;
  #running = false;
  #runs = 0;
  #missed = 0;

  constructor(when: number | string, job: () => void | Promise<void>, options: SchedulerOptions) {
    this.#when = when;
    this.#job = job;
    this.#options = options;
  }

  get runs(): number {
    return this.#runs;
  }

  get missed(): number {
    return this.#missed;
  }

  begin(ticker: Ticker): void {
    this.#cancel = ticker(
      () => {
        this.#tick();
      },
      (count) => {
        this.#miss('late', count);
      },
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #tick(): void {
    if (this.#stopped) {
      return;
    }
    if (this.#running) {
      this.#miss('overlap', 1);
      return;
    }
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#runs += 1;
    try {
      await this.#job();
    } catch (error) {
      this.#options.log.error({ when: this.#when, err: error }, 'scheduled job failed');
    } finally {
      this.#running = false;
    }
  }

  #miss(cause: MissedRuns['cause'], missed: number): void {
    if (this.#stopped) {
      return;
    }
    this.#missed += missed;
    const report: MissedRuns = { when: this.#when, cause, missed, total: this.#missed };
    this.#options.log.warn(report, 'scheduled runs missed');
    this.#options.onMissed?.(report);
  }
}
