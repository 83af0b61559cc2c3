import type { ActorDefinition } from '../../system/actor.ts';
import { watchForHints } from './chokidar.ts';
import { FileWatcherTask, type FileWatcherDependencies } from './file-watcher-task.ts';
import type { FileWatcherMessage } from './messages.ts';

/** Finds files that have come to rest in the input folder and hands each to the publisher once. */
export function fileWatcherActor(dependencies: FileWatcherDependencies): ActorDefinition<FileWatcherMessage> {
  return {
    name: 'file-watcher',
    setup: (context) => {
      const { directory, events, recursive, scanEvery } = dependencies.settings;
      const task = new FileWatcherTask(dependencies, context);
      const schedule = dependencies.schedule.every(scanEvery, () => {
        task.request({ type: 'scan' });
      });
      const hints = events
        ? watchForHints(directory, {
            recursive,
            onHint: () => {
              task.request({ type: 'hint' });
            },
            onProblem: (error) => {
              context.log.warn({ problem: String(error) }, 'file events are not available: scanning goes on');
            },
          })
        : undefined;
      context.background((signal) => task.run(signal));
      return {
        receive: (message) => {
          task.request(message);
        },
        stopped: async () => {
          schedule.stop();
          task.close();
          await hints?.close();
        },
      };
    },
  };
}
