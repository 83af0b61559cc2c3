import type { Broker, Membership } from '../../broker/broker.ts';
import type { ActorContext, ActorDefinition, Address } from '../../system/actor.ts';
import type { ChildPolicy } from '../../system/supervision.ts';
import type { PartitionMessage } from '../partition/messages.ts';
import type { PartitionsMessage } from './messages.ts';
import { StandingRequests } from '../standing-requests.ts';

/** The consumer group that owns the input partitions. */
const PARTITIONS_GROUP = 'geoflock';

export interface PartitionsDependencies {
  readonly broker: Broker;
  readonly rowsTopic: string;
  readonly supervision: ChildPolicy;
  readonly partition: (
    partition: number,
    requests: StandingRequests<PartitionMessage>,
  ) => ActorDefinition<PartitionMessage>;
}

/** Owns the group membership: one child for each input partition that is this process's. */
export function partitionsActor(own: PartitionsDependencies): ActorDefinition<PartitionsMessage> {
  return {
    name: 'partitions',
    children: own.supervision,
    setup: (context) => {
      const children = new Map<number, Child>();
      let membership: Membership | undefined;
      context.background(async () => {
        membership = await join(own, context);
      });
      return {
        receive: async (message) => {
          switch (message.type) {
            case 'assigned':
              for (const partition of message.partitions) {
                const requests = new StandingRequests<PartitionMessage>();
                const address = context.spawn(own.partition(partition, requests));
                children.set(partition, { address, requests });
              }
              message.done();
              return;
            case 'revoked':
              for (const partition of message.partitions) {
                const child = children.get(partition);
                children.delete(partition);
                if (child !== undefined) {
                  await context.stop(child.address);
                }
              }
              message.done();
              return;
            case 'drain':
            case 'checkpoint':
              askAll(context, [...children.values()], message.type, message.reply);
              return;
          }
        },
        stopped: async () => {
          await membership?.leave();
        },
      };
    },
  };
}

interface Child {
  readonly address: Address<PartitionMessage>;
  readonly requests: StandingRequests<PartitionMessage>;
}

function join(
  { broker, rowsTopic }: PartitionsDependencies,
  context: ActorContext<PartitionsMessage>,
): Promise<Membership> {
  const tell = (type: 'assigned' | 'revoked', partitions: readonly number[]): Promise<void> =>
    new Promise((resolve) => {
      const { signal } = context;
      const done = (): void => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      if (signal.aborted || !context.tell(context.self, { type, partitions, done })) {
        resolve();
        return;
      }
      // What is in the mailbox when the actor is stopped is never handled.
      signal.addEventListener('abort', done, { once: true });
    });
  return broker.join(PARTITIONS_GROUP, rowsTopic, {
    assigned: (partitions) => tell('assigned', partitions),
    revoked: (partitions) => tell('revoked', partitions),
    failed: (error) => {
      context.fail(error);
    },
  });
}

/** Replies when every partition has, also when one restarts meanwhile. */
function askAll(
  context: ActorContext<PartitionsMessage>,
  partitions: readonly Child[],
  type: 'drain' | 'checkpoint',
  reply: () => void,
): void {
  let open = partitions.length;
  if (open === 0) {
    reply();
  }
  for (const { address, requests } of partitions) {
    const request = requests.keep({
      type,
      reply: () => {
        open--;
        if (open === 0) {
          reply();
        }
      },
    });
    context.tell(address, request);
  }
}
