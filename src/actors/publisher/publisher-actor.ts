import type { ActorDefinition } from '../../system/actor.ts';
import { isBeyondRestart } from '../owned-writer.ts';
import type { PublisherMessage } from './messages.ts';
import { type PublisherDependencies, PublisherTask } from './publisher-task.ts';

/**
 * Brings files to the topic: one after another, each in transactions that hold rows and progress
 * together. Its mailbox is the order of the files.
 */
export function publisherActor(dependencies: PublisherDependencies): ActorDefinition<PublisherMessage> {
  return {
    name: 'publisher',
    setup: (context) => {
      const task = new PublisherTask(dependencies, context);
      for (const request of dependencies.requests.open()) {
        context.tell(context.self, request);
      }
      return {
        receive: async (message) => {
          try {
            await handle(task, message);
          } catch (error) {
            if (isBeyondRestart(error)) {
              dependencies.giveUp(error);
            }
            throw error;
          }
        },
        stopped: () => task.close(),
      };
    },
  };
}

async function handle(task: PublisherTask, message: PublisherMessage): Promise<void> {
  switch (message.type) {
    case 'file':
      message.handled(await task.publish(message.file));
      return;
    case 'sample':
      await task.publishSample();
      return;
    case 'flush':
      await task.flushed();
      message.reply();
      return;
  }
}
