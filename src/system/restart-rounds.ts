import type { Clock } from './clock.ts';

/** What a restart round does with each place it restarts. */
export interface Restartable {
  /** Resolves when the old incarnation with its subtree is gone. Never rejects. */
  tornDown(): Promise<unknown>;
  /** All of the round are gone: the delay begins. */
  await(): void;
  /** Starts the new incarnation. */
  respawn(): void;
}

interface Round {
  cancelTimer: () => void;
}

/**
 * The restarts of one supervisor's children. A round tears its places down in reverse spawn order,
 * waits, and starts them in spawn order. A place belongs to the last round that claimed it: when a
 * later failure takes a restarting place along, the earlier round leaves it to the later one.
 */
export class RestartRounds {
  readonly #clock: Clock;
  readonly #mayRespawn: () => boolean;
  readonly #roundOf = new Map<Restartable, Round>();

  constructor(clock: Clock, mayRespawn: () => boolean) {
    this.#clock = clock;
    this.#mayRespawn = mayRespawn;
  }

  /** @param scope in spawn order. */
  begin(scope: readonly Restartable[], delayMs: number): void {
    const round: Round = { cancelTimer: () => undefined };
    for (const place of scope) {
      this.release(place);
      this.#roundOf.set(place, round);
    }
    void this.#run(round, scope, delayMs);
  }

  /** Takes a place out of its round: it is being stopped, or another round claims it. */
  release(place: Restartable): void {
    const round = this.#roundOf.get(place);
    this.#roundOf.delete(place);
    if (round !== undefined && ![...this.#roundOf.values()].includes(round)) {
      round.cancelTimer();
    }
  }

  cancelAll(): void {
    for (const place of [...this.#roundOf.keys()]) {
      this.release(place);
    }
  }

  async #run(round: Round, scope: readonly Restartable[], delayMs: number): Promise<void> {
    for (const place of scope.toReversed()) {
      await place.tornDown();
    }
    const own = scope.filter((place) => this.#roundOf.get(place) === round);
    if (own.length === 0) {
      return;
    }
    for (const place of own) {
      place.await();
    }
    round.cancelTimer = this.#clock.after(delayMs, () => {
      for (const place of scope) {
        if (this.#roundOf.get(place) === round && this.#mayRespawn()) {
          this.#roundOf.delete(place);
          place.respawn();
        }
      }
    });
  }
}
