import { type ActorDefinition, type Address, addressOf } from './actor.ts';
import { ActorCell, restartTogether, type Supervisor } from './actor-cell.ts';
import { ask } from './ask.ts';
import type { Clock, Random } from './clock.ts';
import { DeadLetters } from './dead-letters.ts';
import type { Logger } from './logger.ts';
import { createNactScheduler } from './nact.ts';
import { RestartRounds } from './restart-rounds.ts';
import type { ActorInfo, Failure, Receiver, Runtime, SupervisionObserver } from './runtime.ts';

export { AskTimeoutError } from './ask.ts';
export type { DeadLetters } from './dead-letters.ts';
export type { ActorInfo, SupervisionObserver } from './runtime.ts';

export interface ActorSystemOptions {
  /** For the log. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Messages an actor may have waiting; beyond, `tell` returns false. Default 10,000. */
  readonly mailboxLimit?: number;
  /** Messages kept for an actor while it restarts. Default 1,000. */
  readonly stashLimit?: number;
  /**
   * How long the handler in flight and background work together, and then `stopped`, may each take
   * when an actor stops. Beyond, the system ends as failed. Default 30,000.
   */
  readonly stopTimeoutMs?: number;
  /** Dead letters kept for viewing. Default 100. */
  readonly visibleDeadLetters?: number;
  readonly observer?: SupervisionObserver;
}

/** How a system ended. Anything but `stopped` must end the process with a non-zero code. */
export type SystemExit =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly path: string; readonly error: unknown };

export interface ActorSystem {
  readonly name: string;
  /**
   * Starts a top-level actor. Its path is its name. A failure of it, or one that escalates to it,
   * ends the system.
   * @throws Error when the system is ending, or the name is taken or not a name.
   */
  start<M>(definition: ActorDefinition<M>): Address<M>;
  /** False when the message became a dead letter. */
  tell<M>(to: Address<M>, message: M): boolean;
  /** Rejects with `AskTimeoutError`; at once when the question became a dead letter. */
  ask<T, R>(to: Address<T>, message: (reply: (answer: R) => void) => T, timeoutMs: number): Promise<R>;
  /**
   * Stops all actors, the last started first, each after its children. Resolves when the system has
   * ended, however: see `terminated`. Not to be awaited in a handler, which the stop would await.
   */
  stop(): Promise<void>;
  readonly terminated: Promise<SystemExit>;
  readonly deadLetters: DeadLetters;
  /**
   * Restarts the actor at `path` with all that restart together with it, at once, and without counting it
   * as a failure. Resolves, when they run, to their paths.
   * @throws UnknownActorError; Error when it does not come to run, or is being stopped.
   */
  restart(path: string): Promise<readonly string[]>;
  /** All actors, parents before their children, in spawn order. */
  inspect(): readonly ActorInfo[];
}

export class UnknownActorError extends Error {
  override readonly name = 'UnknownActorError';
}

export function createActorSystem(options: ActorSystemOptions): ActorSystem {
  return new RootGuardian(options);
}

class RootGuardian implements ActorSystem, Supervisor, Runtime {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly mailboxLimit: number;
  readonly stashLimit: number;
  readonly stopTimeoutMs: number;
  readonly deadLetters: DeadLetters;
  readonly observer: SupervisionObserver;
  readonly scheduler = createNactScheduler();
  readonly places = new Map<string, Receiver>();
  readonly terminated: Promise<SystemExit>;
  readonly #terminate: (exit: SystemExit) => void;
  readonly #topLevel = new Map<string, ActorCell>();
  /** Top-level actors are restarted only when asked for. */
  readonly #rounds: RestartRounds;
  /** By path, also of those that are gone: a respawned child must not reuse a number. */
  readonly #incarnations = new Map<string, number>();
  #ending = false;
  #failure: Failure | undefined;

  constructor(options: ActorSystemOptions) {
    this.name = options.name;
    this.clock = options.clock;
    this.random = options.random;
    this.log = options.log.child({ system: options.name });
    this.mailboxLimit = options.mailboxLimit ?? 10_000;
    this.stashLimit = options.stashLimit ?? 1_000;
    this.observer = options.observer ?? { restarted: () => undefined, escalated: () => undefined };
    this.stopTimeoutMs = options.stopTimeoutMs ?? 30_000;
    this.#rounds = new RestartRounds(this.clock, () => !this.#ending);
    this.deadLetters = new DeadLetters(
      () => this.clock.now(),
      options.visibleDeadLetters ?? 100,
      (letter) => {
        // What is still in a mailbox at the end was not worth waiting for: orderly stops are quiet.
        this.log[this.#ending ? 'debug' : 'warn'](letter, 'first dead letter of this receiver and reason');
      },
    );
    let terminate: (exit: SystemExit) => void = () => undefined;
    this.terminated = new Promise((resolve) => {
      terminate = resolve;
    });
    this.#terminate = terminate;
  }

  get ending(): boolean {
    return this.#ending;
  }

  start<M>(definition: ActorDefinition<M>): Address<M> {
    if (this.#ending) {
      throw new Error(`actor system ${this.name} is ending and starts no ${definition.name}`);
    }
    if (this.#topLevel.has(definition.name)) {
      throw new Error(`actor system ${this.name} has an actor ${definition.name}`);
    }
    const cell = new ActorCell(definition, '', this, this);
    this.#topLevel.set(cell.name, cell);
    return addressOf<M>(cell.path);
  }

  tell(to: Address<never>, message: unknown): boolean {
    return this.deliver(to.path, message);
  }

  ask<T, R>(to: Address<T>, message: (reply: (answer: R) => void) => T, timeoutMs: number): Promise<R> {
    const tell = (receiver: Address<T>, question: T): boolean => this.tell(receiver, question);
    return ask({ clock: this.clock, tell, to, message, timeoutMs });
  }

  async stop(): Promise<void> {
    this.#end();
    await this.terminated;
  }

  inspect(): readonly ActorInfo[] {
    return [...this.#topLevel.values()].flatMap((cell) => cell.inspect());
  }

  deliver(path: string, message: unknown): boolean {
    const place = this.places.get(path);
    if (place === undefined) {
      this.deadLetters.record(path, 'unknown-receiver');
      return false;
    }
    return place.deliver(message);
  }

  nextIncarnation(path: string): number {
    const number = (this.#incarnations.get(path) ?? 0) + 1;
    this.#incarnations.set(path, number);
    return number;
  }

  childFailed(child: ActorCell, failure: Failure): void {
    this.observer.escalated(child.path);
    this.end(failure);
  }

  async restart(path: string): Promise<readonly string[]> {
    const place = this.places.get(path);
    if (!(place instanceof ActorCell)) {
      throw new UnknownActorError(`there is no actor ${path}`);
    }
    this.log.info({ path }, 'restarting as asked');
    return await place.restart();
  }

  async restartChild(child: ActorCell): Promise<readonly string[]> {
    if (this.#ending || child.state === 'stopping') {
      throw new Error(`actor ${child.path} cannot be restarted: it is being stopped`);
    }
    return await restartTogether([child], this.#rounds);
  }

  childStopping(child: ActorCell): void {
    this.#rounds.release(child);
  }

  childStopped(child: ActorCell): void {
    this.#topLevel.delete(child.name);
    this.places.delete(child.path);
  }

  end(failure: Failure): void {
    this.#failure ??= failure;
    this.#end();
  }

  #end(): void {
    if (!this.#ending) {
      this.#ending = true;
      void this.#stopAll();
    }
  }

  async #stopAll(): Promise<void> {
    for (const cell of [...this.#topLevel.values()].toReversed()) {
      const [failure] = await cell.stop();
      this.#failure ??= failure;
    }
    this.scheduler.stop();
    if (this.#failure === undefined) {
      this.log.info({}, 'actor system stopped');
      this.#terminate({ kind: 'stopped' });
    } else {
      const { path, error } = this.#failure;
      this.log.error({ path, err: error }, 'actor system failed');
      this.#terminate({ kind: 'failed', path, error });
    }
  }
}
