import type { Clock } from '../system/clock.ts';
import {
  type Health,
  type HealthAnswer,
  type HealthLimits,
  type HealthSample,
  judgeHealth,
  judgeReadiness,
  type PartitionSample,
  stuckPartitions,
  type StuckPartition,
} from './judge.ts';

/** What the monitor looks at; all of it answers at once, but the broker. */
export interface HealthPorts {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly limits: HealthLimits;
  /** Resolves, when the broker has answered, to how far each owned partition can be read. */
  readonly askBroker: () => Promise<ReadonlyMap<number, number>>;
  readonly isEnding: () => boolean;
  readonly hasJoined: () => boolean;
  readonly partitions: () => readonly SeenPartition[];
  readonly actors: () => readonly {
    readonly path: string;
    readonly state: string;
    readonly restarts: number;
  }[];
  readonly paused: () => readonly string[];
  /** Why the publisher waits, where it does. */
  readonly held: () => string | undefined;
}

/** An owned partition as it is; the monitor finds out whether it moves. */
export interface SeenPartition extends Omit<PartitionSample, 'behindSince'> {
  /** Offset of the next record that it will read. */
  readonly position: number;
}

/** Between two looks. */
export const LOOK_EVERY_MS = 500;
/** A timer may come so late on a busy machine without anything standing still. */
const LATE_MS = 2_000;
/** But not where so short a time decides: a stall is one from this share of it on. */
const LATE_SHARE = 0.25;
/** Of the stalls of so long the longest is told. */
const STALL_TOLD_MS = 60_000;
/** The broker is asked again so long after it answered. */
const ASK_EVERY_MS = 2_000;

/** Looks at a process again and again, and tells how it is at any moment. */
export class HealthMonitor implements Health {
  readonly #ports: HealthPorts;
  readonly #downSince = new Map<string, { readonly state: string; readonly since: number }>();
  #lookedAt: number;
  #stall: HealthSample['stall'];
  #stoodStillUntil = -Infinity;
  #pausedAt = -Infinity;
  /** By partition: how far it can be read, as far as is known. */
  #ends: ReadonlyMap<number, number> = new Map();
  readonly #behind = new Map<number, { readonly position: number; readonly since: number }>();
  #restarts = 0;
  #restartedAt: number | undefined;
  #askedAt: number | undefined;
  #answeredAt = -Infinity;
  #backAt = -Infinity;

  constructor(ports: HealthPorts) {
    this.#ports = ports;
    this.#lookedAt = ports.clock.monotonic();
  }

  /** To be called every `LOOK_EVERY_MS`. */
  look(): void {
    const { actors, clock, limits, paused } = this.#ports;
    const now = clock.monotonic();
    const stoodStill = now - this.#lookedAt - LOOK_EVERY_MS;
    if (stoodStill > Math.min(LATE_MS, LATE_SHARE * limits.stuckAfterMs)) {
      this.#stoodStillUntil = now;
      const told = this.#stall;
      if (told === undefined || stoodStill >= told.ms || now - told.endedAt > STALL_TOLD_MS) {
        this.#stall = { ms: stoodStill, endedAt: now };
      }
    }
    if (paused().some((stage) => stage === 'regions' || stage === 'partitions')) {
      this.#pausedAt = now;
    }
    this.#lookedAt = now;
    const seen = actors();
    const down = seen.filter(({ state }) => state !== 'running' && state !== 'starting');
    for (const { path, state } of down) {
      this.#downSince.set(path, { state, since: this.#downSince.get(path)?.since ?? now });
    }
    const paths = new Set(down.map(({ path }) => path));
    for (const path of [...this.#downSince.keys()].filter((known) => !paths.has(known))) {
      this.#downSince.delete(path);
    }
    const restarts = seen.reduce((sum, actor) => sum + actor.restarts, 0);
    if (restarts > this.#restarts) {
      this.#restartedAt = now;
    }
    this.#restarts = restarts;
    this.#lookAtPositions(now);
    if (this.#askedAt === undefined && now - this.#answeredAt >= ASK_EVERY_MS) {
      void this.#ask(now);
    }
  }

  livez(): HealthAnswer {
    return { status: 'ok', reasons: [] };
  }

  readyz(): HealthAnswer {
    return judgeReadiness(this.#sample(), this.#ports.limits);
  }

  healthz(): HealthAnswer {
    return judgeHealth(this.#sample(), this.#ports.limits);
  }

  /** What only a restart may help. */
  stuck(): readonly StuckPartition[] {
    return stuckPartitions(this.#sample(), this.#ports.limits);
  }

  async #ask(now: number): Promise<void> {
    const { askBroker, clock, limits } = this.#ports;
    this.#askedAt = now;
    try {
      this.#ends = await askBroker();
    } catch {
      // Whoever needs the broker tells what is wrong with it; an answer is an answer.
    }
    this.#answeredAt = clock.monotonic();
    if (this.#answeredAt - now >= limits.brokerTimeoutMs) {
      this.#backAt = this.#answeredAt;
    }
    this.#askedAt = undefined;
  }

  /** Which partitions read nothing although there is something. */
  #lookAtPositions(now: number): void {
    for (const { partition, position } of this.#ports.partitions()) {
      const before = this.#behind.get(partition);
      if (position >= (this.#ends.get(partition) ?? 0)) {
        this.#behind.delete(partition);
      } else if (before?.position !== position) {
        this.#behind.set(partition, { position, since: now });
      }
    }
  }

  #sample(): HealthSample {
    const { clock, hasJoined, held, isEnding, partitions, paused } = this.#ports;
    return {
      now: clock.monotonic(),
      ending: isEnding(),
      joined: hasJoined(),
      askedBrokerAt: this.#askedAt,
      brokerBackAt: this.#backAt,
      partitions: partitions().map((seen) => ({
        ...seen,
        behindSince: this.#behind.get(seen.partition)?.since,
      })),
      down: [...this.#downSince].map(([path, down]) => ({ path, ...down })),
      paused: paused(),
      held: held(),
      restartedAt: this.#restartedAt,
      pausedAt: this.#pausedAt,
      stoodStillUntil: this.#stoodStillUntil,
      stall: this.#stall,
    };
  }
}
