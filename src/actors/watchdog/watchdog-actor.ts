import { type HealthMonitor, LOOK_EVERY_MS } from '../../health/monitor.ts';
import type { ActorContext, ActorDefinition, Address } from '../../system/actor.ts';
import { pause } from '../commit.ts';
import type { PartitionMessage } from '../partition/messages.ts';

export interface WatchdogDependencies {
  readonly monitor: HealthMonitor;
  /** After a partition was told to fail it is given so long to come back, ms. */
  readonly patienceMs: number;
  readonly partition: (partition: number) => Address<PartitionMessage>;
  /** How many checkpoints this process has written of the partition. */
  readonly checkpoints: (partition: number) => number;
  /** Told of each partition that was restarted. */
  readonly restarted: (partition: number) => void;
}

/** A partition that stands still after so many restarts in a row will not move by one more. */
const MOST_RESTARTS = 3;

/**
 * Looks after the process: tells how it is, and makes a partition fail that is stuck. That counts as a failure like
 * any other. One that does not come to a checkpoint over some of these ends the process.
 */
export function watchdogActor(own: WatchdogDependencies): ActorDefinition<never> {
  return {
    name: 'watchdog',
    setup: (context) => {
      context.background((signal) => watch(own, context, signal));
      return { receive: () => undefined };
    },
  };
}

async function watch(
  { checkpoints, monitor, partition: addressOf, patienceMs, restarted }: WatchdogDependencies,
  context: ActorContext<never>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = context;
  const told = new Map<
    number,
    { readonly at: number; readonly times: number; readonly checkpoints: number }
  >();
  while (!signal.aborted) {
    monitor.look();
    const now = clock.monotonic();
    for (const { partition, stillMs } of monitor.stuck()) {
      const last = told.get(partition);
      // It is given time to come back before it is told again.
      if (last === undefined || now - last.at >= patienceMs) {
        const written = checkpoints(partition);
        const times = last?.checkpoints === written ? last.times + 1 : 1;
        if (times > MOST_RESTARTS) {
          throw new Error(
            `partition ${String(partition)} is stuck: ${String(MOST_RESTARTS)} restarts have not brought it to a checkpoint`,
          );
        }
        told.set(partition, { at: now, times, checkpoints: written });
        log.error({ partition, stillMs }, 'a partition is stuck: it is restarted');
        context.tell(addressOf(partition), { type: 'stuck', stillMs });
        restarted(partition);
      }
    }
    await pause(clock, LOOK_EVERY_MS, signal);
  }
}
