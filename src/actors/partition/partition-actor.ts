import type { ActorDefinition } from '../../system/actor.ts';
import { isBeyondRestart } from '../owned-writer.ts';
import type { PartitionMessage } from './messages.ts';
import { type PartitionDependencies, PartitionTask } from './partition-task.ts';

/**
 * One input partition: restores its progress, reads the log, fans rows out to the regions and
 * checkpoints. It restarts together with its regions: a region's failure is its own.
 */
export function partitionActor(dependencies: PartitionDependencies): ActorDefinition<PartitionMessage> {
  return {
    name: `partition-${String(dependencies.claim.partition)}`,
    children: { strategy: 'escalate' },
    setup: (context) => {
      let task: PartitionTask | undefined;
      dependencies.stats.restored = false;
      dependencies.stats.turnedAt = context.clock.monotonic();
      // What was asked of an incarnation that failed: it can write nothing more, and this one has nothing.
      for (const request of dependencies.requests.open()) {
        if (request.type === 'let-go') {
          request.reply();
        }
      }
      context.background(async (signal) => {
        try {
          task = await PartitionTask.restore(dependencies, context);
          await task.run(signal);
        } catch (error) {
          if (isBeyondRestart(error) && !signal.aborted) {
            dependencies.giveUp(error);
          }
          throw error;
        }
      });
      return {
        receive: (message) => {
          if (message.type === 'stuck') {
            throw new Error(`nothing has moved for ${String(Math.round(message.stillMs / 1000))} s`);
          }
          if (task !== undefined) {
            task.request(message);
          } else if (message.type === 'let-go' || message.type === 'checkpoint') {
            // Nothing is restored: there is nothing to write.
            message.reply();
          }
          // All else is taken up once it is restored.
        },
        stopped: () => task?.close(),
      };
    },
  };
}
