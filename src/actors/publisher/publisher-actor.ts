import type { ActorDefinition } from '../../system/actor.ts';
import type { PublisherMessage } from './messages.ts';
import { type PublisherDependencies, PublisherTask } from './publisher-task.ts';

/**
 * Brings files to the topic: one after another, each in transactions that hold rows and progress
 * together. Its mailbox is the order of the files.
 */
export function publisherActor(dependencies: PublisherDependencies): ActorDefinition<PublisherMessage> {
  return {
    name: 'publisher',
    setup: async (context) => {
      const task = await PublisherTask.open(dependencies, context);
      for (const request of dependencies.requests.open()) {
        context.tell(context.self, request);
      }
      return {
        receive: async (message) => {
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
        },
        stopped: () => task.close(),
      };
    },
  };
}
