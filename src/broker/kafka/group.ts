/**
 * Membership of a consumer group: which partitions are this process's. Kafka's own protocol for classic
 * groups, with hand-over in two rounds (see `assignor.ts`); what is kept is worked on all the time.
 */
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import type { AssignmentListener, Membership } from '../broker.ts';
import { BrokerError, NotOwnerError } from '../errors.ts';
import { assign, type Assignment } from './assignor.ts';
import { canFollow, type Lifecycle } from './group-lifecycle.ts';
import { decodeAssignment, decodeMember, encodeAssignment, encodeMember } from './group-protocol.ts';
import { GroupOffsets } from './group-offsets.ts';
import { GroupRequests, type GroupRequestsOptions, type Identity } from './group-requests.ts';
import { GroupSession } from './group-session.ts';
import { errorType } from './kafkajs.ts';
import { orAborted } from './retry.ts';
import type { JoinAnswer } from './wire/join-group.ts';

export interface JoinGroupOptions extends GroupRequestsOptions {
  /** How many partitions the topic has. */
  readonly partitions: number;
  /** What must be the same in all members: those who differ from the group are refused. */
  readonly fingerprint: string;
  readonly listener: AssignmentListener;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Joins a consumer group over all partitions of a topic. Resolves when the first assignment, which may be
 * empty, was told; waits until then for a broker that cannot be reached. What cannot heal rejects; later,
 * it is told to `listener.failed`. The calls of the listener come one at a time.
 *
 * The connections are the membership's own from here on: `leave` closes them.
 */
export async function joinGroup(options: JoinGroupOptions): Promise<KafkaMembership> {
  const membership = new KafkaMembership(options);
  await membership.joined;
  return membership;
}

/** The group went on, or may have gone on, without us: nothing of what was owned is ours. */
class MembershipLost extends Error {}

export class KafkaMembership implements Membership {
  readonly group: string;
  /** Resolves when the first assignment was told. */
  readonly joined: Promise<void>;
  readonly #options: JoinGroupOptions;
  readonly #fingerprint: string;
  readonly #log: Logger;
  readonly #requests: GroupRequests;
  readonly #offsets: GroupOffsets;
  readonly #owned = new Set<number>();
  #state: Lifecycle = 'joining';
  /** One membership without interruption; aborted with the reason of its end. */
  #life = new AbortController();
  /** No further rounds: we leave, or have failed. */
  #ending = false;
  #session: GroupSession | undefined;
  #memberId = '';
  /** The generation that gave what is owned; 0 before the first. */
  #generation = 0;
  #rebalance = awaitedNews();
  /** What is told to the listener, one after another. */
  #telling: Promise<void> = Promise.resolve();
  /** Until the first assignment was told. */
  #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  #left: Promise<void> | undefined;

  constructor(options: JoinGroupOptions) {
    const { fingerprint, groupId, log, partitions, topic } = options;
    this.#options = options;
    this.group = groupId;
    this.#fingerprint = `${String(partitions)} partitions, ${fingerprint}`;
    this.#log = log.child({ group: groupId, topic });
    this.#requests = new GroupRequests({ ...options, log: this.#log });
    this.#offsets = new GroupOffsets(this.#requests, this.#log);
    this.joined = new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#takePart().catch((error: unknown) => {
      this.#fail(error);
    });
  }

  get owned(): readonly number[] {
    return [...this.#owned].sort((a, b) => a - b);
  }

  get state(): Lifecycle {
    return this.#state;
  }

  /**
   * Asks the coordinator, now, whether we are a member, so that `partition` is ours. A rebalance in
   * progress does not matter: what we own nobody else gets before we let go.
   * @throws NotOwnerError
   */
  async confirm(partition: number): Promise<void> {
    const session = this.#session;
    const confirmed = this.#owned.has(partition) && session !== undefined && (await session.confirm());
    if (!confirmed || session !== this.#session || !this.#owned.has(partition)) {
      throw new NotOwnerError(
        `partition ${String(partition)} of ${this.#options.topic} is not this member's of the consumer group ` +
          `${this.group}: whoever owns it goes on`,
      );
    }
  }

  /** Shows Kafka's tools how far this partition is. Nothing is read back of it; failures are passed over. */
  async commitOffset(partition: number, offset: number): Promise<void> {
    if (this.#session !== undefined) {
      await this.#offsets.commit(partition, offset, () => this.#session?.identity);
    }
  }

  /** Lets go of everything, then leaves, so that the others need not wait for the session to run out. */
  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  /** Takes part in rounds until we leave or fail. */
  async #takePart(): Promise<void> {
    for (;;) {
      const { signal } = this.#life;
      try {
        const assignment = await this.#round(signal);
        if (assignment !== undefined && !(await this.#apply(assignment, signal))) {
          this.#enter('stable');
          await orAborted(this.#rebalance.come, signal);
          this.#enter('joining');
        }
      } catch (error) {
        if (this.#ending) {
          return;
        }
        if (!(error instanceof MembershipLost)) {
          throw error;
        }
        await this.#startAnew(error);
      }
    }
  }

  /** One round. Undefined: another one has begun meanwhile. */
  async #round(signal: AbortSignal): Promise<Assignment | undefined> {
    const { topic } = this.#options;
    const metadata = encodeMember(topic, {
      owned: this.owned,
      generation: this.#generation,
      fingerprint: this.#fingerprint,
    });
    const named = (memberId: string): void => {
      this.#memberId = memberId;
    };
    this.#session?.joining();
    try {
      const joined = await this.#requests.join(this.#memberId, metadata, named, signal);
      const identity = { memberId: joined.memberId, generation: joined.generation };
      this.#memberId = joined.memberId;
      // What is heard of a rebalance from here on is news.
      this.#rebalance = awaitedNews();
      this.#session ??= this.#newSession(identity);
      this.#session.joined(identity);
      const isLeader = joined.leaderId === joined.memberId;
      const assignments = isLeader ? this.#lead(joined) : new Map<string, Buffer>();
      const assignment = decodeAssignment(topic, await this.#requests.sync(identity, assignments, signal));
      if (this.#session.over) {
        throw new MembershipLost('the session ran out while partitions were assigned');
      }
      this.#generation = joined.generation;
      return assignment;
    } catch (error) {
      signal.throwIfAborted();
      const answer = errorType(error) ?? '';
      if (answer === 'REBALANCE_IN_PROGRESS') {
        return undefined;
      }
      if (answer === 'UNKNOWN_MEMBER_ID' || answer === 'ILLEGAL_GENERATION') {
        this.#memberId = '';
        throw new MembershipLost('the group went on without this member');
      }
      throw error;
    }
  }

  #newSession(identity: Identity): GroupSession {
    const life = this.#life;
    return new GroupSession(this.#requests, identity, this.#options, {
      rebalance: () => {
        this.#rebalance.tell();
      },
      lost: (reason, expelled) => {
        if (expelled) {
          this.#memberId = '';
        }
        life.abort(new MembershipLost(reason));
      },
      refused: (error) => {
        this.#fail(error);
      },
    });
  }

  #lead({ members }: JoinAnswer): Map<string, Buffer> {
    const { partitions, topic } = this.#options;
    const states = members.map(({ id, metadata }) => decodeMember(id, topic, metadata));
    const encoded = new Map<string, Buffer>();
    for (const [id, assignment] of assign(partitions, states)) {
      if (assignment.refusal !== undefined) {
        this.#log.warn({ member: id }, `a member of the consumer group is refused: ${assignment.refusal}`);
      }
      encoded.set(id, encodeAssignment(topic, assignment));
    }
    return encoded;
  }

  /** Lets go, then takes. Says whether to join again: what we let go of waits to be given away. */
  async #apply({ partitions, refusal }: Assignment, signal: AbortSignal): Promise<boolean> {
    if (refusal !== undefined) {
      throw new BrokerError(
        `the consumer group ${this.group} over ${this.#options.topic} refuses this replica: ${refusal}: ` +
          'give all replicas the same configuration, or this one another group',
      );
    }
    const gone = this.owned.filter((partition) => !partitions.includes(partition));
    const added = partitions.filter((partition) => !this.#owned.has(partition));
    this.#log.debug({ generation: this.#generation, partitions, gone, added }, 'assigned by the group');
    if (gone.length > 0) {
      this.#enter('revoking');
      await orAborted(this.#letGo(gone), signal);
    }
    signal.throwIfAborted();
    this.#take(added);
    if (gone.length > 0) {
      this.#enter('joining');
    }
    return gone.length > 0;
  }

  async #startAnew(lost: MembershipLost): Promise<void> {
    this.#enter('lost');
    this.#session?.end();
    this.#session = undefined;
    this.#life = new AbortController();
    if (this.#owned.size > 0) {
      this.#log.warn({ owned: this.owned, reason: lost.message }, 'membership lost: joining as a new member');
    }
    await this.#letGo(this.owned);
    if (!this.#ending) {
      this.#enter('joining');
    }
  }

  #take(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#owned.add(partition);
    }
    if (partitions.length > 0) {
      this.#log.info({ partitions }, 'partitions assigned');
      void this.#tell(() => this.#options.listener.assigned(partitions, this));
    }
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      void this.#tell(() => {
        this.#waiting = undefined;
        waiting.resolve();
        return Promise.resolve();
      });
    }
  }

  /** Resolves when the listener has let go of these, and of all before them. */
  async #letGo(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) {
      this.#owned.delete(partition);
    }
    if (partitions.length > 0) {
      this.#log.info({ partitions }, 'partitions revoked');
      void this.#tell(() => this.#options.listener.revoked(partitions));
    }
    await this.#telling;
  }

  #tell(call: () => Promise<void>): Promise<void> {
    this.#telling = this.#telling.then(call).catch((error: unknown) => {
      this.#fail(error);
    });
    return this.#telling;
  }

  #fail(cause: unknown): void {
    const error = cause instanceof Error ? cause : new BrokerError(String(cause));
    if (this.#ending) {
      this.#log.error({ err: error }, 'failure while leaving the consumer group');
      return;
    }
    this.#enter('failed');
    this.#end(error);
    this.#session?.end();
    void this.#letGo(this.owned);
    void this.#leaveGroup().finally(() => this.#requests.close());
    if (this.#waiting === undefined) {
      this.#options.listener.failed(error);
    } else {
      this.#waiting.reject(error);
    }
  }

  async #leave(): Promise<void> {
    this.#enter('leaving');
    this.#end(new BrokerError(`the consumer group ${this.group} is being left`));
    // Heartbeats go on: what is let go here must not be given to others meanwhile.
    await this.#letGo(this.owned);
    this.#session?.end();
    await this.#leaveGroup();
    await this.#requests.close();
    this.#enter('left');
  }

  #end(reason: Error): void {
    this.#ending = true;
    this.#life.abort(reason);
  }

  async #leaveGroup(): Promise<void> {
    const memberId = this.#memberId;
    this.#memberId = '';
    if (memberId !== '') {
      await this.#requests.leave(memberId).catch((error: unknown) => {
        this.#log.debug({ err: error }, 'the consumer group could not be told that we leave');
      });
    }
  }

  #enter(next: Lifecycle): void {
    if (!canFollow(this.#state, next)) {
      throw new BrokerError(`a membership that is ${this.#state} cannot become ${next}`);
    }
    this.#state = next;
  }
}

interface News {
  readonly come: Promise<void>;
  tell(): void;
}

function awaitedNews(): News {
  let tell = (): void => undefined;
  const come = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { come, tell };
}
