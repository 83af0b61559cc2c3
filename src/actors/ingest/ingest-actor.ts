import type { Broker, Membership } from '../../broker/broker.ts';
import type { ActorContext, ActorDefinition, Address } from '../../system/actor.ts';
import type { Scheduler } from '../../system/schedule.ts';
import type { ChildPolicy } from '../../system/supervision.ts';
import type { FileWatcherMessage, SweepRequest } from '../file-watcher/messages.ts';
import type { FlushRequest, PublisherMessage } from '../publisher/messages.ts';
import { StandingRequests } from '../standing-requests.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { IngestMessage } from './messages.ts';
import { LedgerOwnership } from './ownership.ts';

/** What the stages of the ingest share with it. */
export interface IngestShare<M extends { readonly reply: () => void }> {
  readonly requests: StandingRequests<M>;
  readonly ownership: LedgerOwnership;
}

export interface IngestDependencies {
  readonly supervision: ChildPolicy;
  readonly broker: Broker;
  /** The table whose partitions are owned, and the group that shares them out; without one all are ours. */
  readonly ledger: {
    readonly table: string;
    readonly partitions: number;
    readonly group: string | undefined;
  };
  readonly publisher: (
    share: IngestShare<FlushRequest>,
    giveUp: (error: unknown) => void,
  ) => ActorDefinition<PublisherMessage>;
  readonly fileWatcher: (
    publisher: Address<PublisherMessage>,
    share: IngestShare<SweepRequest>,
  ) => ActorDefinition<FileWatcherMessage>;
  readonly schedule: Scheduler;
  /** Interval of the test source in ms; undefined: off. */
  readonly sampleEvery: number | undefined;
}

/**
 * Supervises the way from the folder to the topic, and is the member of the group that shares out the
 * ledger's partitions. Watcher and publisher restart together: what one has offered and the other not
 * yet done is found again by the next scan.
 */
export function ingestActor(own: IngestDependencies): ActorDefinition<IngestMessage> {
  return {
    name: 'ingest',
    children: own.supervision,
    setup: (context) => {
      const flushes = new StandingRequests<FlushRequest>();
      const sweeps = new StandingRequests<SweepRequest>();
      const ownership = new LedgerOwnership();
      const publisher = context.spawn(
        own.publisher({ requests: flushes, ownership }, (error) => {
          context.fail(error);
        }),
      );
      const watcher = context.spawn(own.fileWatcher(publisher, { requests: sweeps, ownership }));
      ownership.onChange(() => {
        if (!context.signal.aborted) {
          context.tell(watcher, { type: 'owned' });
        }
      });
      let membership: Membership | undefined;
      let leaving = false;
      const leave = async (): Promise<void> => {
        leaving = true;
        const left = membership;
        membership = undefined;
        await left?.leave();
      };
      context.background(async (signal) => {
        membership = await join(own, ownership, context, signal);
        ownership.answered();
        if (leaving) {
          await leave();
        }
      });
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
              // Others take the files over at once.
              await leave();
              message.reply();
              return;
          }
        },
        stopped: async () => {
          sample?.stop();
          await leave();
        },
      };
    },
  };
}

async function join(
  { broker, ledger }: IngestDependencies,
  ownership: LedgerOwnership,
  context: ActorContext<IngestMessage>,
  signal: AbortSignal,
): Promise<Membership | undefined> {
  const { group, partitions, table } = ledger;
  if (group === undefined) {
    ownership.assigned(
      Array.from({ length: partitions }, (_, partition) => partition),
      undefined,
    );
    return undefined;
  }
  // An embedded store has no other replicas.
  const told = broker.kind === 'embedded' ? 'debug' : 'info';
  const joining = broker.join(group, table, {
    assigned: (gained, membership) => {
      context.log[told]({ group, partitions: gained }, 'files of these ledger partitions are ours');
      ownership.assigned(gained, membership);
      return Promise.resolve();
    },
    revoked: (lost) => {
      context.log[told]({ group, partitions: lost }, 'files of these ledger partitions go to others');
      return ownership.revoked(lost);
    },
    failed: (error) => {
      context.fail(error);
    },
  });
  return await unlessAborted(joining, signal, (late) => late.leave());
}
