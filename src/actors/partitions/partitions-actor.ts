import type { Broker, Membership } from '../../broker/broker.ts';
import type { ActorContext, ActorDefinition, Address } from '../../system/actor.ts';
import type { ChildPolicy } from '../../system/supervision.ts';
import { pause } from '../commit.ts';
import type { Claim } from '../owned-writer.ts';
import type { PartitionMessage, PartitionRequest } from '../partition/messages.ts';
import { decodeProgress } from '../partition/progress.ts';
import { currentEpoch } from '../rewind/epoch.ts';
import { StandingRequests } from '../standing-requests.ts';
import { PROGRESS_KEY, type TopicNames } from '../topics.ts';
import { atMost, unlessAborted } from '../unless-aborted.ts';
import { Drain } from './drain.ts';
import type { PartitionsMessage } from './messages.ts';

/** Between two looks at how far the others' partitions are. */
const FOREIGN_PROGRESS_EVERY_MS = 300;
/** Between two looks whether a rewind was asked for. */
const EPOCH_EVERY_MS = 1_000;
/** A partition that is handed over may write one more checkpoint in this time. */
const LET_GO_MS = 8_000;

export interface PartitionsDependencies {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partitions: number;
  /** The consumer group that owns the input partitions. */
  readonly group: string;
  readonly supervision: ChildPolicy;
  /** Told when the group has answered, and when it is left. */
  readonly joined: (joined: boolean) => void;
  readonly partition: (
    claim: Claim,
    requests: StandingRequests<PartitionRequest>,
    giveUp: (error: unknown) => void,
  ) => ActorDefinition<PartitionMessage>;
}

interface Child {
  readonly claim: Claim;
  /** The epoch known when it was started: it has been restored in this one, or a later. */
  readonly epoch: number;
  readonly address: Address<PartitionMessage>;
  readonly requests: StandingRequests<PartitionRequest>;
}

/** Owns the group membership: one child for each input partition that is this process's. */
export function partitionsActor(own: PartitionsDependencies): ActorDefinition<PartitionsMessage> {
  return {
    name: 'partitions',
    children: own.supervision,
    setup: (context) => {
      const partitions = new OwnedPartitions(own, context);
      let membership: Membership | undefined;
      context.background(async (signal) => {
        await partitions.learnEpoch(signal);
        membership = await unlessAborted(join(own, context), signal, (late) => late.leave());
        own.joined(true);
        while (!signal.aborted) {
          await pause(context.clock, EPOCH_EVERY_MS, signal);
          await partitions.learnEpoch(signal);
        }
      });
      return {
        receive: async (message) => {
          switch (message.type) {
            case 'assigned':
              partitions.assigned(message.claims);
              message.done();
              return;
            case 'revoked':
              await partitions.revoked(message.partitions);
              message.done();
              return;
            case 'drain':
              context.background((signal) => partitions.drain(message.scope, message.reply, signal));
              return;
            case 'checkpoint':
              partitions.checkpoint(message.reply);
              return;
            case 'let-go':
              await partitions.letGo();
              message.reply();
              return;
            case 'rewind':
              await partitions.beginAnew();
              return;
          }
        },
        stopped: async () => {
          own.joined(false);
          await membership?.leave();
        },
      };
    },
  };
}

function join(
  { broker, group, topics }: PartitionsDependencies,
  context: ActorContext<PartitionsMessage>,
): Promise<Membership> {
  const tell = (message: (done: () => void) => PartitionsMessage): Promise<void> =>
    new Promise((resolve) => {
      const { signal } = context;
      const done = (): void => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      if (signal.aborted || !context.tell(context.self, message(done))) {
        resolve();
        return;
      }
      // What is in the mailbox when the actor is stopped is never handled.
      signal.addEventListener('abort', done, { once: true });
    });
  return broker.join(group, topics.rows, {
    assigned: (partitions, membership) =>
      tell((done) => {
        const claims = partitions.map((partition) => ({ partition, membership }));
        return { type: 'assigned', claims, done };
      }),
    revoked: (partitions) => tell((done) => ({ type: 'revoked', partitions, done })),
    failed: (error) => {
      context.fail(error);
    },
  });
}

/** The partitions that are this process's, and what was asked of all. */
class OwnedPartitions {
  readonly #own: PartitionsDependencies;
  readonly #context: ActorContext<PartitionsMessage>;
  readonly #children = new Map<number, Child>();
  readonly #drains = new Set<Drain>();
  /** Rewinds that are known of. */
  #epoch = 0;
  #ending = false;

  constructor(own: PartitionsDependencies, context: ActorContext<PartitionsMessage>) {
    this.#own = own;
    this.#context = context;
  }

  assigned(claims: readonly Claim[]): void {
    if (this.#ending) {
      return;
    }
    const { group } = this.#own;
    this.#context.log.debug({ group, partitions: claims.map(({ partition }) => partition) }, 'assigned');
    for (const claim of claims) {
      const requests = new StandingRequests<PartitionRequest>();
      const definition = this.#own.partition(claim, requests, (error) => {
        this.#context.fail(error);
      });
      const child = { claim, epoch: this.#epoch, address: this.#context.spawn(definition), requests };
      this.#children.set(claim.partition, child);
      for (const drain of this.#drains) {
        this.#askToDrain(drain, claim.partition, child);
      }
    }
  }

  /** Each writes what it has, if it can in time, so that the next owner need not do it again. */
  async revoked(partitions: readonly number[]): Promise<void> {
    const { group } = this.#own;
    this.#context.log.debug({ group, partitions }, 'revoked: handed over after a last checkpoint');
    await Promise.all(
      partitions.map(async (partition) => {
        const child = this.#children.get(partition);
        if (child === undefined) {
          return;
        }
        this.#children.delete(partition);
        const letGo = new Promise<void>((reply) => {
          this.#context.tell(child.address, child.requests.keep({ type: 'let-go', reply }));
        });
        await atMost(this.#context.clock, LET_GO_MS, unlessAborted(letGo, this.#context.signal));
        await this.#context.stop(child.address);
        // It has nothing more to write; what is to be drained is the next owner's.
        for (const request of child.requests.open()) {
          if (request.type === 'checkpoint') {
            request.reply();
          }
        }
      }),
    );
  }

  async letGo(): Promise<void> {
    this.#ending = true;
    await this.revoked([...this.#children.keys()]);
  }

  /** Looks whether a rewind was asked for. */
  async learnEpoch(signal: AbortSignal): Promise<void> {
    const { broker, topics } = this.#own;
    const { number } = await unlessAborted(currentEpoch(broker, topics.settings), signal);
    this.#epoch = Math.max(this.#epoch, number);
    if (this.#former().length > 0) {
      this.#context.tell(this.#context.self, { type: 'rewind' });
    }
  }

  /** Restores anew what was restored before the last rewind: it is applied then. */
  async beginAnew(): Promise<void> {
    const former = this.#former();
    await this.revoked(former.map(({ claim }) => claim.partition));
    this.assigned(former.map(({ claim }) => claim));
  }

  /** Those that may have been restored before the last rewind that is known of. */
  #former(): readonly Child[] {
    return [...this.#children.values()].filter(({ epoch }) => epoch < this.#epoch);
  }

  /** Replies when every partition has, also when one restarts meanwhile. */
  checkpoint(reply: () => void): void {
    const children = [...this.#children.values()];
    let open = children.length;
    if (open === 0) {
      reply();
    }
    const one = (): void => {
      open--;
      if (open === 0) {
        reply();
      }
    };
    for (const { address, requests } of children) {
      this.#context.tell(address, requests.keep({ type: 'checkpoint', reply: one }));
    }
  }

  /** Own partitions say themselves when they are done; how far others' are is read from what they commit. */
  async drain(scope: 'own' | 'group', reply: () => void, signal: AbortSignal): Promise<void> {
    const { broker, partitions, topics } = this.#own;
    // What had been counted before a rewind is to be counted again.
    await this.learnEpoch(signal);
    const ends = new Map<number, number>();
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    for (const partition of scope === 'group' ? all : [...this.#children.keys()]) {
      const { end } = await unlessAborted(broker.offsets(topics.rows, partition), signal);
      ends.set(partition, end);
    }
    const drain = new Drain(ends, reply);
    this.#drains.add(drain);
    for (const [partition, child] of this.#children) {
      this.#askToDrain(drain, partition, child);
    }
    while (!drain.done && !signal.aborted) {
      for (const partition of drain.open.filter((open) => !this.#children.has(open))) {
        if (scope === 'own') {
          drain.leaveOut(partition);
        } else {
          drain.reached(partition, await this.#progressOf(partition, signal));
        }
      }
      await pause(this.#context.clock, FOREIGN_PROGRESS_EVERY_MS, signal);
    }
    this.#drains.delete(drain);
  }

  /** A partition that is to begin anew is asked when it has. */
  #askToDrain(drain: Drain, partition: number, { address, epoch, requests }: Child): void {
    const end = drain.endOf(partition);
    if (end !== undefined && epoch === this.#epoch) {
      const reply = (): void => {
        drain.reached(partition, end);
      };
      this.#context.tell(address, requests.keep({ type: 'drain', end, reply }));
    }
  }

  async #progressOf(partition: number, signal: AbortSignal): Promise<number> {
    const { broker, topics } = this.#own;
    await unlessAborted(broker.refreshTable(topics.regions, partition), signal);
    const stored = await broker.tableGet(topics.regions, partition, PROGRESS_KEY);
    const progress = stored === undefined ? undefined : decodeProgress(stored);
    // One that is still to be rewound has come to nothing yet.
    return progress === undefined || progress.epoch < this.#epoch ? 0 : progress.nextOffset;
  }
}
