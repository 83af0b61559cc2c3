import type { ActorDefinition, Address } from '../../system/actor.ts';
import type { AggregatorMessage, PublishedModel } from '../centroid-aggregator/messages.ts';
import type { IngestMessage } from '../ingest/messages.ts';
import type { PartitionsMessage } from '../partitions/messages.ts';
import type { ReporterMessage } from '../reporter/messages.ts';
import type { AdminMessage } from './messages.ts';

export interface AdminDependencies {
  readonly ingest: Address<IngestMessage>;
  readonly partitions: Address<PartitionsMessage>;
  readonly aggregator: Address<AggregatorMessage>;
  readonly reporter: Address<ReporterMessage>;
}

/** Every command, whichever door it came through. Commands run beside each other: none waits in line. */
export function adminActor({
  ingest,
  partitions,
  aggregator,
  reporter,
}: AdminDependencies): ActorDefinition<AdminMessage> {
  return {
    name: 'admin',
    setup: (context) => ({
      receive: ({ sweep, reply }) => {
        // The order of the data path: what one stage has let go is there for the next.
        const report = (published: PublishedModel): void => {
          const done = (): void => {
            reply(published);
          };
          context.tell(reporter, { type: 'report', published, reply: done });
        };
        const publish = (): void => {
          context.tell(aggregator, { type: 'publish-canonical', reply: report });
        };
        // Who sweeps wants all that is there counted, by whomever; who stops hands on what is not done.
        const scope = sweep === undefined ? 'own' : 'group';
        const workOff = (): void => {
          context.tell(partitions, { type: 'drain', scope, reply: publish });
        };
        if (sweep === undefined) {
          context.tell(ingest, { type: 'close', reply: workOff });
        } else {
          context.tell(ingest, { type: 'sweep', settleTimeoutMs: sweep.settleTimeoutMs, reply: workOff });
        }
      },
    }),
  };
}
