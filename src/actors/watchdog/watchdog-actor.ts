import { HealthMonitor, type HealthPorts, LOOK_EVERY_MS } from '../../health/monitor.ts';
import type { ActorContext, ActorDefinition, Address } from '../../system/actor.ts';
import { pause } from '../commit.ts';
import type { PartitionMessage } from '../partition/messages.ts';

export interface WatchdogDependencies extends Omit<HealthPorts, 'clock'> {
  readonly partition: (partition: number) => Address<PartitionMessage>;
  /** Told of the monitor, by which the doors answer. */
  readonly watching: (monitor: HealthMonitor) => void;
  /** Told of each partition that was restarted. */
  readonly restarted: (partition: number) => void;
}

/**
 * Looks after the process: tells how it is, and makes a partition fail that is stuck. That counts as a failure like
 * any other, so one that is stuck again and again ends the process.
 */
export function watchdogActor(own: WatchdogDependencies): ActorDefinition<never> {
  return {
    name: 'watchdog',
    setup: (context) => {
      const monitor = new HealthMonitor({ ...own, clock: context.clock });
      own.watching(monitor);
      context.background((signal) => watch(own, monitor, context, signal));
      return { receive: () => undefined };
    },
  };
}

async function watch(
  { limits, partition: addressOf, restarted }: WatchdogDependencies,
  monitor: HealthMonitor,
  context: ActorContext<never>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = context;
  const told = new Map<number, number>();
  while (!signal.aborted) {
    monitor.look();
    const now = clock.monotonic();
    for (const { partition, stillMs } of monitor.stuck()) {
      // It is given time to come back before it is told again.
      if (now - (told.get(partition) ?? -Infinity) >= limits.stuckAfterMs) {
        told.set(partition, now);
        log.error({ partition, stillMs }, 'a partition is stuck: it is restarted');
        context.tell(addressOf(partition), { type: 'stuck', stillMs });
        restarted(partition);
      }
    }
    await pause(clock, LOOK_EVERY_MS, signal);
  }
}
