import type { Clock, Random } from './clock.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { LifecycleState } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import type { MessageScheduler } from './nact.ts';

/** Where a failure began, and with what; kept as it is on its way up. */
export interface Failure {
  readonly path: string;
  readonly error: unknown;
}

export interface Receiver {
  /** False when the message became a dead letter. */
  deliver(message: unknown): boolean;
}

/** Told of what supervision does, by the path of the actor; must not throw. */
export interface SupervisionObserver {
  /** The actor has been spawned anew. */
  restarted(path: string): void;
  /** Its failure is its supervisor's now; a top-level actor's ends the system. */
  escalated(path: string): void;
}

/** What the cells of one system share. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly scheduler: MessageScheduler;
  readonly deadLetters: DeadLetters;
  readonly observer: SupervisionObserver;
  readonly mailboxLimit: number;
  readonly stashLimit: number;
  readonly stopTimeoutMs: number;
  /** All actors by path: what addresses are resolved with. */
  readonly places: Map<string, Receiver>;
  /** True once the system stops, for whatever reason: nobody is restarted any more. */
  readonly ending: boolean;
  nextIncarnation(path: string): number;
  deliver(path: string, message: unknown): boolean;
  /** Ends the whole system with this failure. */
  end(failure: Failure): void;
}

/** A handler, background work or `stopped` did not end in time. */
export class StopTimeoutError extends Error {
  override readonly name = 'StopTimeoutError';

  constructor(path: string, what: string, timeoutMs: number) {
    super(`actor ${path}: ${what} did not end within ${String(timeoutMs)} ms of being told to stop`);
  }
}

export interface ActorInfo {
  readonly path: string;
  readonly state: LifecycleState;
  readonly incarnation: number;
  /** Restarts of this place by its supervisor; those of an ancestor do not count. */
  readonly restarts: number;
  /** Messages not yet begun, in mailbox and stash. */
  readonly mailbox: number;
  readonly lastError: string | undefined;
}
