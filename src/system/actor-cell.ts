import { type ActorContext, type ActorDefinition, type Address, addressOf } from './actor.ts';
import { ask } from './ask.ts';
import { Incarnation } from './incarnation.ts';
import { admissionIn, isAlive, type LifecycleState, transition } from './lifecycle.ts';
import { RestartRounds } from './restart-rounds.ts';
import { type ActorInfo, type Failure, type Receiver, type Runtime, StopTimeoutError } from './runtime.ts';
import { type ChildPolicy, judgeFailure, restartScope } from './supervision.ts';

/** Who is told of a cell's failure and end: the parent's cell, or the root guardian. */
export interface Supervisor {
  childFailed(child: ActorCell, failure: Failure): void;
  /** Restarts the child, with all that restart together with it; the paths of those that then run. */
  restartChild(child: ActorCell): Promise<readonly string[]>;
  childStopping(child: ActorCell): void;
  childStopped(child: ActorCell): void;
}

/** An actor's own failures are its supervisor's business; without a policy so are its children's. */
const DEFAULT_POLICY: ChildPolicy = { strategy: 'escalate' };

/**
 * Local names: letters, digits and `_ . -`. The scheduler's names are made of them with `/` and `~`.
 */
const NAME = /^[\w.-]+$/;

/**
 * An actor's place in the tree, over all its incarnations: lifecycle, stash, children, and the
 * supervision of the children.
 *
 * What a failure does depends on when it happens:
 * - In a handler, `setup`, background work or `fail`, while starting or running: the place is
 *   `failed`, nothing more is handled, the supervisor judges.
 * - While the place is already failed or being torn down (its own restart, a sibling's that takes
 *   it along, a stop): folded, that is only logged. The restart or stop in progress is the answer.
 * - In a child whose supervisor is failed or being torn down: folded likewise; the child stops with
 *   its supervisor.
 * - During a restart delay nothing of the place runs. A sibling's failure whose scope includes a
 *   waiting place takes it over: all of the scope then wait for the later delay.
 * - In `stopped`: a restart goes on (what the hook failed to release makes the next setup fail, and
 *   that is judged); `context.stop` rejects; a stop of the system ends as failed.
 */
export class ActorCell implements Receiver, Supervisor {
  readonly path: string;
  readonly name: string;
  readonly #definition: ActorDefinition<unknown>;
  readonly #supervisor: Supervisor;
  readonly #runtime: Runtime;
  readonly #policy: ChildPolicy;
  readonly #children = new Map<string, ActorCell>();
  readonly #rounds: RestartRounds;
  #state: LifecycleState = 'starting';
  #incarnation: Incarnation;
  #stash: unknown[] = [];
  #restarts = 0;
  #lastError: string | undefined;
  /** Times of the restarts of this place, for `one-for-one`. */
  #ownHistory: readonly number[] = [];
  /** Times of the restarts of children together, for the other strategies. */
  #groupHistory: readonly number[] = [];
  #teardown: Promise<readonly Failure[]> | undefined;
  #stopping: Promise<readonly Failure[]> | undefined;
  /** Told once whether the next incarnation runs. */
  #awaited: ((running: boolean) => void)[] = [];

  /** @throws Error when the name has other characters than letters, digits and `_ . -`. */
  constructor(
    definition: ActorDefinition<unknown>,
    parentPath: string,
    supervisor: Supervisor,
    runtime: Runtime,
  ) {
    this.name = definition.name;
    if (!NAME.test(this.name)) {
      throw new Error(`actor name ${JSON.stringify(this.name)} has other characters than A-Z a-z 0-9 _ . -`);
    }
    this.path = parentPath === '' ? this.name : `${parentPath}/${this.name}`;
    this.#definition = definition;
    this.#supervisor = supervisor;
    this.#runtime = runtime;
    this.#policy = definition.children ?? DEFAULT_POLICY;
    this.#rounds = new RestartRounds(runtime.clock, () => !runtime.ending);
    runtime.places.set(this.path, this);
    this.#incarnation = this.#newIncarnation();
  }

  get state(): LifecycleState {
    return this.#state;
  }

  inspect(): readonly ActorInfo[] {
    const own: ActorInfo = {
      path: this.path,
      state: this.#state,
      incarnation: this.#incarnation.number,
      restarts: this.#restarts,
      mailbox: this.#incarnation.mailbox + this.#stash.length,
      lastError: this.#lastError,
    };
    return [own, ...[...this.#children.values()].flatMap((child) => child.inspect())];
  }

  /** False when the message became a dead letter. */
  deliver(message: unknown): boolean {
    const { deadLetters, mailboxLimit, stashLimit } = this.#runtime;
    switch (admissionIn(this.#state)) {
      case 'mailbox': {
        if (this.#incarnation.mailbox >= mailboxLimit) {
          deadLetters.record(this.path, 'mailbox-full');
          return false;
        }
        this.#incarnation.dispatch(message);
        return true;
      }
      case 'stash': {
        // Before the first setup is done this is the mailbox; nobody has failed.
        const first = this.#state === 'starting' && this.#restarts === 0;
        if (this.#stash.length >= (first ? mailboxLimit : stashLimit)) {
          deadLetters.record(this.path, first ? 'mailbox-full' : 'stash-full');
          return false;
        }
        this.#stash.push(message);
        return true;
      }
      case 'dead-letter': {
        deadLetters.record(this.path, 'stopped');
        return false;
      }
    }
  }

  fail(failure: Failure): void {
    const { log } = this.#runtime;
    const fields = { path: this.path, origin: failure.path, err: failure.error };
    if (!isAlive(this.#state)) {
      const expected = failure.error instanceof Error && failure.error.name === 'AbortError';
      log[expected ? 'debug' : 'warn'](fields, `failed while ${this.#state}: no further restart`);
      return;
    }
    this.#lastError = describe(failure.error);
    log.error({ ...fields, incarnation: this.#incarnation.number }, 'actor failed');
    this.#move('failed');
    this.#close('restarted');
    this.#answerAwaited(false);
    this.#supervisor.childFailed(this, failure);
  }

  childFailed(child: ActorCell, failure: Failure): void {
    if (!isAlive(this.#state)) {
      return;
    }
    const { clock, random, log } = this.#runtime;
    const single = this.#policy.strategy === 'one-for-one';
    const history = single ? child.#ownHistory : this.#groupHistory;
    const decision = judgeFailure(this.#policy, history, clock.monotonic(), random);
    if (decision.kind === 'escalate' || this.#policy.strategy === 'escalate') {
      this.#runtime.observer.escalated(child.path);
      this.fail(failure);
      return;
    }
    if (single) {
      child.#ownHistory = decision.history;
    } else {
      this.#groupHistory = decision.history;
    }
    const scope = this.#restartingWith(child, this.#policy.strategy);
    log.warn(
      { path: child.path, delayMs: decision.delayMs, together: scope.length },
      'restarting after a failure',
    );
    for (const cell of scope) {
      cell.prepareRestart();
    }
    this.#rounds.begin(scope, decision.delayMs);
  }

  /**
   * Restarts this place as its supervisor would after a failure, at once and without counting it as one.
   * Resolves, when they run, to the paths of all that were restarted with it.
   * @throws Error when it, or its supervisor, is being stopped or has failed.
   */
  async restart(): Promise<readonly string[]> {
    return await this.#supervisor.restartChild(this);
  }

  async restartChild(child: ActorCell): Promise<readonly string[]> {
    const { strategy } = this.#policy;
    if (strategy === 'escalate') {
      return await this.restart();
    }
    if (!isAlive(this.#state)) {
      throw new Error(`actor ${child.path} cannot be restarted: ${this.path} is ${this.#state}`);
    }
    const scope = this.#restartingWith(child, strategy);
    return await restartTogether(scope, this.#rounds);
  }

  /** Resolves to whether the next incarnation came to run; false when it failed or the place was stopped. */
  nextRunning(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#awaited.push(resolve);
    });
  }

  #restartingWith(
    child: ActorCell,
    strategy: Exclude<ChildPolicy['strategy'], 'escalate'>,
  ): readonly ActorCell[] {
    return restartScope(strategy, [...this.#children.keys()], child.name)
      .map((name) => this.#children.get(name))
      .filter((cell) => cell !== undefined)
      .filter((cell) => cell.#state !== 'stopping');
  }

  childStopping(child: ActorCell): void {
    this.#rounds.release(child);
  }

  childStopped(child: ActorCell): void {
    this.#children.delete(child.name);
    this.#runtime.places.delete(child.path);
  }

  /** Stops for good; resolves to the failures of `stopped` hooks in the subtree. Never rejects. */
  stop(): Promise<readonly Failure[]> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Part of a restart round: resolves when the old incarnation and its subtree are gone. */
  tornDown(): Promise<readonly Failure[]> {
    this.#teardown ??= this.#tearDown();
    return this.#teardown;
  }

  /** Part of a restart round: the old incarnation is gone, the delay begins. */
  await(): void {
    if (this.#state === 'restarting') {
      this.#move('waiting');
      this.#teardown = Promise.resolve([]);
    }
  }

  /** Part of a restart round: the delay is over. */
  respawn(): void {
    this.#move('starting');
    this.#teardown = undefined;
    this.#restarts += 1;
    this.#runtime.observer.restarted(this.path);
    this.#incarnation = this.#newIncarnation();
  }

  #move(to: LifecycleState): void {
    this.#state = transition(this.path, this.#state, to);
  }

  #newIncarnation(): Incarnation {
    const { clock, scheduler } = this.#runtime;
    const number = this.#runtime.nextIncarnation(this.path);
    const incarnation = new Incarnation(number, this.path, clock, scheduler, {
      ready: () => {
        this.#move('running');
        this.#answerAwaited(true);
        for (const message of this.#stash.splice(0)) {
          this.deliver(message);
        }
      },
      failed: (error) => {
        this.#failIn(incarnation, error);
      },
    });
    incarnation.start(this.#definition.setup, this.#contextOf(incarnation));
    return incarnation;
  }

  #contextOf(incarnation: Incarnation): ActorContext<unknown> {
    const { clock, random } = this.#runtime;
    const log = this.#runtime.log.child({ actor: this.path, incarnation: incarnation.number });
    const self = addressOf<unknown>(this.path);
    const tell = <T>(to: Address<T>, message: T): boolean => this.#runtime.deliver(to.path, message);
    return {
      self,
      path: this.path,
      incarnation: incarnation.number,
      clock,
      random,
      log,
      signal: incarnation.signal,
      spawn: (definition) => this.#spawn(incarnation, definition),
      stop: (child) => this.#stopChild(child.path),
      tell,
      ask: (to, message, timeoutMs) =>
        ask({ clock, tell, to, message, timeoutMs, signal: incarnation.signal }),
      after: (ms, message) => incarnation.after(ms, () => tell(self, message)),
      fail: (error) => {
        this.#failIn(incarnation, error);
      },
      background: (work) => {
        incarnation.background(work);
      },
    };
  }

  /** A former incarnation must not fail the one that took its place. */
  #failIn(incarnation: Incarnation, error: unknown): void {
    if (incarnation === this.#incarnation) {
      this.fail({ path: this.path, error });
    }
  }

  #spawn<C>(incarnation: Incarnation, definition: ActorDefinition<C>): Address<C> {
    if (incarnation.closed) {
      throw new Error(`actor ${this.path} is being stopped and spawns no ${definition.name}`);
    }
    if (this.#children.has(definition.name)) {
      throw new Error(`actor ${this.path} has a child ${definition.name} that has not stopped`);
    }
    const child = new ActorCell(definition, this.path, this, this.#runtime);
    this.#children.set(child.name, child);
    return addressOf<C>(child.path);
  }

  async #stopChild(path: string): Promise<void> {
    const child = this.#children.get(path.slice(this.path.length + 1));
    if (child?.path !== path) {
      if (this.#runtime.places.has(path)) {
        throw new Error(`actor ${this.path} cannot stop ${path}: not its child`);
      }
      return;
    }
    const [failure] = await child.stop();
    if (failure !== undefined) {
      throw failure.error;
    }
  }

  /** Part of a restart round: nothing of the old incarnation begins any more. */
  prepareRestart(): void {
    if (isAlive(this.#state) || this.#state === 'failed') {
      this.#move('restarting');
      this.#close('restarted');
    }
  }

  /** Nothing of this incarnation begins any more, nor does it restart children. */
  #close(reason: 'restarted' | 'stopped'): void {
    this.#rounds.cancelAll();
    this.#runtime.deadLetters.record(this.path, reason, this.#incarnation.close());
  }

  #answerAwaited(running: boolean): void {
    for (const answer of this.#awaited.splice(0)) {
      answer(running);
    }
  }

  async #stop(): Promise<readonly Failure[]> {
    this.#move('stopping');
    this.#answerAwaited(false);
    this.#supervisor.childStopping(this);
    this.#close('stopped');
    this.#runtime.deadLetters.record(this.path, 'stopped', this.#stash.splice(0).length);
    const failures = await this.tornDown();
    this.#move('stopped');
    this.#supervisor.childStopped(this);
    return failures;
  }

  async #tearDown(): Promise<readonly Failure[]> {
    const incarnation = this.#incarnation;
    const failures: Failure[] = [];
    await this.#inTime('a handler or background work', incarnation.settled());
    for (const child of [...this.#children.values()].toReversed()) {
      failures.push(...(await child.stop()));
    }
    try {
      await this.#inTime('stopped()', incarnation.release());
    } catch (error) {
      this.#lastError = describe(error);
      this.#runtime.log.error({ path: this.path, err: error }, 'stopped() failed');
      failures.push({ path: this.path, error });
    }
    return failures;
  }

  /** Ends the system when `work` takes too long: a new incarnation might overlap the old. */
  async #inTime(what: string, work: Promise<void>): Promise<void> {
    const { clock, stopTimeoutMs } = this.#runtime;
    let cancel = (): void => undefined;
    const timeout = new Promise<void>((resolve) => {
      cancel = clock.after(stopTimeoutMs, () => {
        this.#runtime.end({ path: this.path, error: new StopTimeoutError(this.path, what, stopTimeoutMs) });
        resolve();
      });
    });
    try {
      await Promise.race([work, timeout]);
    } finally {
      cancel();
    }
  }
}

/**
 * A round at once, of those in `scope` (in spawn order).
 * @throws Error when one of them does not come to run.
 */
export async function restartTogether(
  scope: readonly ActorCell[],
  rounds: RestartRounds,
): Promise<readonly string[]> {
  for (const cell of scope) {
    cell.prepareRestart();
  }
  const running = scope.map((cell) => cell.nextRunning());
  rounds.begin(scope, 0);
  const [failed] = (await Promise.all(running)).flatMap((runs, at) => (runs ? [] : [scope[at]]));
  if (failed !== undefined) {
    throw new Error(`actor ${failed.path} did not come to run again: it is ${failed.state}`);
  }
  return scope.map(({ path }) => path);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
