import { CommandError } from '../../admin/outcome.ts';
import type { Stage } from '../../admin/stages.ts';
import { readTotals } from '../totals.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { CommandPorts, Handler } from './command-ports.ts';
import { ownedPartitions } from './stage-actors.ts';

export function runCommands(ports: CommandPorts): {
  readonly drain: Handler<'drain'>;
  readonly checkpoint: Handler<'checkpoint'>;
  readonly shutdown: Handler<'shutdown'>;
} {
  const { broker, partitions, partitionsActor, replica, shutdown, stages, stats, system, topics } = ports;
  return {
    drain: async (_none, { drain }) => {
      refuseWhilePaused(stages.paused().filter((stage) => stage !== 'reporter'));
      const { model } = await drain.sweep();
      const { rows } = await readTotals(broker, topics, partitions);
      return { rows, model: { k: model.k, cost: model.cost } };
    },
    checkpoint: async (_none, { context, signal }) => {
      refuseWhilePaused(stages.isPaused('regions') ? ['regions'] : []);
      const written = new Promise<void>((reply) => {
        context.tell(partitionsActor, { type: 'checkpoint', reply });
      });
      await unlessAborted(written, signal);
      const owned = ownedPartitions(system.inspect());
      const reached = owned.map((partition) => [
        String(partition),
        stats.partitions[partition]?.nextOffset ?? 0,
      ]);
      return { nextOffsets: Object.fromEntries(reached) as Record<string, number> };
    },
    shutdown: (_none, { drain }) => {
      drain.beginToEnd();
      shutdown();
      return { replica };
    },
  };
}

function refuseWhilePaused(paused: readonly Stage[]): void {
  if (paused.length > 0) {
    throw new CommandError('paused', `not while ${paused.join(', ')} is paused: resume it first`);
  }
}
