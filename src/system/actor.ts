import type { Clock, Random } from './clock.ts';
import type { Logger } from './logger.ts';
import type { ChildPolicy } from './supervision.ts';

/**
 * What an actor is, for those who write one. The scheduler behind it is nact (`nact.ts`); nothing
 * else of the project knows that.
 */

declare const messages: unique symbol;

/**
 * Where to send messages of type `M`. It stays valid over restarts: it names the place in the tree,
 * not one incarnation. Contravariant, so an address of a wider protocol fits where a narrower one
 * is asked for, and never the other way round.
 */
export interface Address<in M> {
  readonly path: string;
  readonly [messages]: (message: M) => void;
}

/**
 * The address of a place by its path, whether or not an actor is there. The message type is the
 * caller's promise: it exists for the compiler only. Prefer the address that `spawn` returns.
 */
export function addressOf<M>(path: string): Address<M> {
  return { path } as unknown as Address<M>;
}

export interface Behavior<M> {
  /**
   * Handles one message. The next is not handed over before the returned promise has settled.
   * Throwing (or rejecting) fails this actor: its supervisor decides.
   */
  receive(message: M): void | Promise<void>;
  /**
   * Called once, after the last handler has settled and all children have stopped; releases what
   * the incarnation holds. It is awaited before a new incarnation starts. When it throws, a restart
   * goes on, `ActorContext.stop` rejects, and a stop of the whole system ends as failed.
   */
  stopped?(): void | Promise<void>;
}

export interface ActorDefinition<M> {
  readonly name: string;
  /** Makes one incarnation. Runs before its first message; throwing counts as a failure. */
  readonly setup: (context: ActorContext<M>) => Behavior<M> | Promise<Behavior<M>>;
  /** How this actor supervises its children. Default: every failure of a child is its own. */
  readonly children?: ChildPolicy;
}

export interface ActorContext<M> {
  readonly self: Address<M>;
  readonly path: string;
  /** 1 for the first, growing with each restart. */
  readonly incarnation: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Aborted when this incarnation is told to stop; pass it to everything that waits. */
  readonly signal: AbortSignal;
  spawn<C>(definition: ActorDefinition<C>): Address<C>;
  /**
   * Stops a child and resolves when it and its descendants have stopped. Rejects, after that, with
   * the error of the first `stopped` that threw.
   */
  stop(child: Address<never>): Promise<void>;
  /** False when the message became a dead letter (unknown or stopped receiver, full mailbox). */
  tell<T>(to: Address<T>, message: T): boolean;
  /**
   * Sends a message that carries a reply function. Rejects with `AskTimeoutError`, at once when the
   * message became a dead letter; with the reason of `signal` when this incarnation is stopped.
   */
  ask<T, R>(to: Address<T>, message: (reply: (answer: R) => void) => T, timeoutMs: number): Promise<R>;
  /** Sends `message` to self once after `ms`, unless cancelled or stopped. */
  after(ms: number, message: M): () => void;
  /**
   * Fails this incarnation from outside a handler: for work the actor started and did not await
   * (a pump, a timer callback). The same as a throwing handler.
   */
  fail(error: unknown): void;
  /**
   * Runs `work` beside the handlers and awaits it when the actor stops; a rejection fails the actor
   * unless `signal` was aborted. For loops that must not block the mailbox.
   */
  background(work: (signal: AbortSignal) => Promise<void>): void;
}
