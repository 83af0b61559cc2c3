import type { ActorDefinition, Address } from '../../system/actor.ts';
import type { Scheduler } from '../../system/schedule.ts';
import type { ChildPolicy } from '../../system/supervision.ts';
import type { FileWatcherMessage, SweepRequest } from '../file-watcher/messages.ts';
import type { FlushRequest, PublisherMessage } from '../publisher/messages.ts';
import { StandingRequests } from '../standing-requests.ts';
import type { IngestMessage } from './messages.ts';

export interface IngestDependencies {
  readonly supervision: ChildPolicy;
  readonly publisher: (flushes: StandingRequests<FlushRequest>) => ActorDefinition<PublisherMessage>;
  readonly fileWatcher: (
    publisher: Address<PublisherMessage>,
    sweeps: StandingRequests<SweepRequest>,
  ) => ActorDefinition<FileWatcherMessage>;
  readonly schedule: Scheduler;
  /** Interval of the test source in ms; undefined: off. */
  readonly sampleEvery: number | undefined;
}

/**
 * Supervises the way from the folder to the topic. Watcher and publisher restart together: what one
 * has offered and the other not yet done is found again by the next scan.
 */
export function ingestActor(own: IngestDependencies): ActorDefinition<IngestMessage> {
  return {
    name: 'ingest',
    children: own.supervision,
    setup: (context) => {
      const flushes = new StandingRequests<FlushRequest>();
      const sweeps = new StandingRequests<SweepRequest>();
      const publisher = context.spawn(own.publisher(flushes));
      const watcher = context.spawn(own.fileWatcher(publisher, sweeps));
      const sample =
        own.sampleEvery === undefined
          ? undefined
          : own.schedule.every(own.sampleEvery, () => {
              context.tell(publisher, { type: 'sample' });
            });
      return {
        receive: async (message) => {
          switch (message.type) {
            case 'sweep': {
              const { settleTimeoutMs, reply } = message;
              const flush = (): void => {
                context.tell(publisher, flushes.keep({ type: 'flush', reply }));
              };
              context.tell(watcher, sweeps.keep({ type: 'sweep', settleTimeoutMs, reply: flush }));
              return;
            }
            case 'close':
              sample?.stop();
              await context.stop(watcher);
              await context.stop(publisher);
              message.reply();
              return;
          }
        },
        stopped: () => {
          sample?.stop();
        },
      };
    },
  };
}
