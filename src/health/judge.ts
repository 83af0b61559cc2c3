/** How a process is, judged from what is seen of it: pure functions of a sample. */

/** How the process is, or a part of it, and why. */
export interface HealthAnswer {
  /** `failing` answers a probe with 503, the others with 200. */
  readonly status: 'ok' | 'degraded' | 'failing';
  /** One sentence each; none when all is well. */
  readonly reasons: readonly string[];
}

/** Answers at once, from what is known. */
export interface Health {
  /** Whether the process should be left running: whoever answers lives. */
  livez(): HealthAnswer;
  /** Whether it has joined and restored, and makes progress or has nothing to do. */
  readyz(): HealthAnswer;
  /** All of it, with what is not as it should be. */
  healthz(): HealthAnswer;
}

/** One owned partition, as it was seen. */
export interface PartitionSample {
  readonly partition: number;
  /** What is committed of it is read back, and its loop has begun. */
  readonly restored: boolean;
  /** Monotonic ms at which its loop turned last, or it began to be restored. */
  readonly turnedAt: number;
  /** Since when it reads nothing although there is something to be read; undefined: it reads, or all is read. */
  readonly behindSince: number | undefined;
  /** A commit is under way, which waits for a broker that is away and for room on a full disk. */
  readonly committing: boolean;
}

/** Times are monotonic ms. */
export interface HealthSample {
  readonly now: number;
  readonly ending: boolean;
  /** The group has told which partitions are ours. */
  readonly joined: boolean;
  /** Since when the broker has been asked without an answer; undefined: it answers. */
  readonly askedBrokerAt: number | undefined;
  /** When partitions or regions were last seen to be paused; -Infinity: never. */
  readonly pausedAt: number;
  /** Until when the event loop last stood still, for however short. */
  readonly stoodStillUntil: number;
  /** When the broker answered again after it had been away; -Infinity: it never was. */
  readonly brokerBackAt: number;
  readonly partitions: readonly PartitionSample[];
  /** Actors that neither run nor start, and since when. */
  readonly down: readonly { readonly path: string; readonly state: string; readonly since: number }[];
  readonly paused: readonly string[];
  /** Why the publisher waits, where it does. */
  readonly held: string | undefined;
  /** When an actor was restarted last; undefined: not lately. */
  readonly restartedAt: number | undefined;
  /** The longest time that the event loop stood still lately, and when that ended. */
  readonly stall: { readonly ms: number; readonly endedAt: number } | undefined;
}

/** All in ms. */
export interface HealthLimits {
  /** A partition's loop that does not turn for so long is stuck. */
  readonly stuckAfterMs: number;
  /** A broker that does not answer for so long is away. */
  readonly brokerTimeoutMs: number;
}

export interface StuckPartition {
  readonly partition: number;
  /** For how long its loop has not turned, ms. */
  readonly stillMs: number;
}

/** A restart takes moments; longer it is told. */
const DOWN_FOR_MS = 5_000;
/** The event loop should never stand still for so long. */
const LONG_STALL_MS = 2_000;
/** A stall, and a restart, is told of for so long. */
const TOLD_MS = 60_000;
/** A restore reads whole tables: it is given so many times as long as all else. */
const RESTORE_PATIENCE = 6;

/** Whether it has joined and restored, and makes progress or has nothing to do. */
export function judgeReadiness(sample: HealthSample, limits: HealthLimits): HealthAnswer {
  const reasons = [...unready(sample, limits)];
  return { status: reasons.length === 0 ? 'ok' : 'failing', reasons };
}

/** All of it: what makes it unready, and what else is not as it should be. */
export function judgeHealth(sample: HealthSample, limits: HealthLimits): HealthAnswer {
  const failing = [...unready(sample, limits)];
  const degraded = [...impaired(sample)];
  const status = failing.length > 0 ? 'failing' : degraded.length > 0 ? 'degraded' : 'ok';
  return { status, reasons: [...failing, ...degraded] };
}

function* unready(sample: HealthSample, limits: HealthLimits): Generator<string> {
  const { askedBrokerAt, down, ending, joined, now, partitions } = sample;
  if (ending) {
    yield 'the process is ending';
  }
  if (askedBrokerAt !== undefined && now - askedBrokerAt >= limits.brokerTimeoutMs) {
    yield `the broker has not answered for ${seconds(now - askedBrokerAt)}`;
  }
  if (!joined) {
    yield 'the group of the partitions is not joined yet';
  }
  const restoring = partitions.filter(({ restored }) => !restored).map(({ partition }) => partition);
  if (restoring.length > 0) {
    yield `partitions are being restored: ${restoring.join(', ')}`;
  }
  for (const { partition, stillMs } of stuckPartitions(sample, limits)) {
    yield `partition ${String(partition)} is stuck: nothing has moved for ${seconds(stillMs)}`;
  }
  for (const { path, since, state } of down) {
    if (now - since >= DOWN_FOR_MS) {
      yield `${path} is ${state} for ${seconds(now - since)}`;
    }
  }
}

function* impaired({ held, now, paused, restartedAt, stall }: HealthSample): Generator<string> {
  if (restartedAt !== undefined && now - restartedAt < TOLD_MS) {
    yield `an actor was restarted ${seconds(now - restartedAt)} ago`;
  }
  if (paused.length > 0) {
    yield `paused: ${paused.join(', ')}`;
  }
  if (held !== undefined) {
    yield held;
  }
  if (stall !== undefined && stall.ms >= LONG_STALL_MS && now - stall.endedAt < TOLD_MS) {
    yield `the event loop stood still for ${seconds(stall.ms)}, until ${seconds(now - stall.endedAt)} ago`;
  }
}

/**
 * Partitions that stand still although nothing outside keeps them: they wait for nobody that is paused, their
 * broker answers, and no commit is under way. Their loop does not turn, or it reads nothing of what is there, or
 * they are not restored for long.
 */
export function stuckPartitions(
  { askedBrokerAt, brokerBackAt, now, partitions, paused, pausedAt, stoodStillUntil }: HealthSample,
  { brokerTimeoutMs, stuckAfterMs }: HealthLimits,
): readonly StuckPartition[] {
  const away = askedBrokerAt !== undefined && now - askedBrokerAt >= brokerTimeoutMs;
  if (away || paused.includes('regions')) {
    return [];
  }
  // What stood still with the broker, with those it waits for, or with the whole process, has its time after that.
  const from = Math.max(brokerBackAt, pausedAt, stoodStillUntil);
  const reading = !paused.includes('partitions');
  return partitions
    .filter(({ committing }) => !committing)
    .map(({ behindSince, partition, restored, turnedAt }) => {
      const stillSince = restored && reading ? Math.min(turnedAt, behindSince ?? Infinity) : turnedAt;
      const patience = restored ? stuckAfterMs : RESTORE_PATIENCE * stuckAfterMs;
      return { partition, stillMs: now - Math.max(stillSince, from), patience };
    })
    .filter(({ patience, stillMs }) => stillMs >= patience)
    .map(({ partition, stillMs }) => ({ partition, stillMs }));
}

function seconds(ms: number): string {
  return `${String(Math.round(ms / 1000))} s`;
}
