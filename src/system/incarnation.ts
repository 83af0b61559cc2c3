import { setMaxListeners } from 'node:events';
import type { ActorContext, Behavior } from './actor.ts';
import type { Clock } from './clock.ts';
import type { ScheduledActor, MessageScheduler } from './nact.ts';

/** What an incarnation reports to the cell it lives in. */
export interface IncarnationHost {
  /** `setup` has made the behavior; messages may come. Not called after `close`. */
  ready(): void;
  /** Setup, a handler or background work threw, or `fail` was called. Also called after `close`. */
  failed(error: unknown): void;
}

type Setup = (context: ActorContext<unknown>) => Behavior<unknown> | Promise<Behavior<unknown>>;

/**
 * One life of an actor: the nact actor, the behavior, and whatever it started. It ends in three
 * steps, each once: `close` (nothing new begins), `settled` (what had begun is over), `release`.
 */
export class Incarnation {
  readonly number: number;
  readonly #clock: Clock;
  readonly #host: IncarnationHost;
  readonly #abort = new AbortController();
  readonly #scheduled: ScheduledActor;
  readonly #timers = new Set<() => void>();
  readonly #background = new Set<Promise<void>>();
  #setup: (() => Behavior<unknown> | Promise<Behavior<unknown>>) | undefined;
  #behavior: Behavior<unknown> | undefined;
  /** The setup or handler that awaits. */
  #active: Promise<void> | undefined;
  #mailbox = 0;

  constructor(
    number: number,
    path: string,
    clock: Clock,
    scheduler: MessageScheduler,
    host: IncarnationHost,
  ) {
    this.number = number;
    // Everything an incarnation waits for listens to its signal: dozens at a time are no leak.
    setMaxListeners(0, this.#abort.signal);
    this.#clock = clock;
    this.#host = host;
    this.#scheduled = scheduler.spawn(`${path}~${String(number)}`, (message) => this.#handle(message));
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get closed(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Messages dispatched and not yet begun. */
  get mailbox(): number {
    return this.#mailbox;
  }

  /** Schedules the setup as the first message, like any handler. */
  start(setup: Setup, context: ActorContext<unknown>): void {
    this.#setup = () => setup(context);
    this.#scheduled.dispatch(undefined);
  }

  dispatch(message: unknown): void {
    this.#mailbox += 1;
    this.#scheduled.dispatch(message);
  }

  after(ms: number, callback: () => void): () => void {
    if (this.closed) {
      return () => undefined;
    }
    const cancel = (): void => {
      this.#timers.delete(cancel);
      cancelTimer();
    };
    const cancelTimer = this.#clock.after(ms, () => {
      this.#timers.delete(cancel);
      callback();
    });
    this.#timers.add(cancel);
    return cancel;
  }

  background(work: (signal: AbortSignal) => Promise<void>): void {
    if (this.closed) {
      return;
    }
    const run = async (): Promise<void> => {
      try {
        await work(this.signal);
      } catch (error) {
        if (!this.closed) {
          this.#host.failed(error);
        }
      }
    };
    const running = run().finally(() => {
      this.#background.delete(running);
    });
    this.#background.add(running);
  }

  /**
   * Begins nothing more: aborts the signal, cancels the timers, drops the mailbox.
   * @returns the number of messages dropped; 0 when closed before.
   */
  close(): number {
    if (this.closed) {
      return 0;
    }
    const dropped = this.#mailbox;
    this.#mailbox = 0;
    this.#scheduled.stop();
    for (const cancel of [...this.#timers]) {
      cancel();
    }
    this.#abort.abort();
    return dropped;
  }

  /** Resolves when the handler (or setup) in flight and all background work are over. */
  async settled(): Promise<void> {
    // A handler that closes its own incarnation is known as active only once it has returned.
    await Promise.resolve();
    while (this.#active !== undefined || this.#background.size > 0) {
      await Promise.all([this.#active, ...this.#background]);
    }
  }

  /** Calls the behavior's `stopped`, if setup came so far. */
  async release(): Promise<void> {
    await this.#behavior?.stopped?.();
  }

  #handle(message: unknown): void | Promise<void> {
    if (this.closed) {
      return undefined;
    }
    if (this.#setup !== undefined) {
      const setup = this.#setup;
      this.#setup = undefined;
      return this.#track(this.#setUp(setup));
    }
    this.#mailbox -= 1;
    try {
      const result = this.#behavior?.receive(message);
      return result === undefined ? undefined : this.#track(this.#awaitHandler(result));
    } catch (error) {
      this.#host.failed(error);
      return undefined;
    }
  }

  async #setUp(setup: () => Behavior<unknown> | Promise<Behavior<unknown>>): Promise<void> {
    try {
      this.#behavior = await setup();
    } catch (error) {
      this.#host.failed(error);
      return;
    }
    if (!this.closed) {
      this.#host.ready();
    }
  }

  async #awaitHandler(result: Promise<void>): Promise<void> {
    try {
      await result;
    } catch (error) {
      this.#host.failed(error);
    }
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#active = work;
    await work;
    this.#active = undefined;
  }
}
