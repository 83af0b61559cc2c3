import type { ActorDefinition } from '../../system/actor.ts';
import { PartitionTask, type PartitionDependencies } from './partition-task.ts';
import type { PartitionMessage } from './messages.ts';

/**
 * One input partition: restores its progress, reads the log, fans rows out to the regions and
 * checkpoints. It restarts together with its regions: a region's failure is its own.
 */
export function partitionActor(dependencies: PartitionDependencies): ActorDefinition<PartitionMessage> {
  return {
    name: `partition-${String(dependencies.partition)}`,
    children: { strategy: 'escalate' },
    setup: async (context) => {
      const task = await PartitionTask.restore(dependencies, context);
      context.background((signal) => task.run(signal));
      return {
        receive: (message) => {
          task.request(message);
        },
        stopped: () => task.close(),
      };
    },
  };
}
