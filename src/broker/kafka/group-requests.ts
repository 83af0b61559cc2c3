import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { BrokerError, BrokerUnavailableError } from '../errors.ts';
import { PROTOCOL_NAME } from './group-protocol.ts';
import {
  errorOfCode,
  errorType,
  exchange,
  isNoAnswer,
  type KafkaConnections,
  type KafkaNode,
} from './kafkajs.ts';
import { pause, persist, translate } from './retry.ts';
import { type JoinAnswer, joinGroupRequest } from './wire/join-group.ts';

export interface GroupRequestsOptions {
  readonly connections: KafkaConnections;
  readonly groupId: string;
  readonly topic: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Which member in which generation. */
export interface Identity {
  readonly memberId: string;
  readonly generation: number;
}

/**
 * The requests of one member to the coordinator of its group. Joining and syncing wait for the other
 * members and have connections of their own, so that heartbeats go on meanwhile.
 */
export class GroupRequests {
  readonly #options: GroupRequestsOptions;
  #prompt: KafkaConnections;
  #patient: KafkaConnections;
  /** The last thing asked promptly had no answer. */
  #silent = false;
  #closed = false;

  constructor(options: GroupRequestsOptions) {
    this.#options = options;
    this.#prompt = options.connections;
    this.#patient = options.connections.another();
  }

  /** Waits until all members have joined. A member without an id is given one first (`named`). */
  async join(
    memberId: string,
    metadata: Buffer,
    named: (memberId: string) => void,
    signal: AbortSignal,
  ): Promise<JoinAnswer> {
    const { groupId, rebalanceTimeoutMs, sessionTimeoutMs } = this.#options;
    let id = memberId;
    const joined = new AbortController();
    void this.#watchOver(joined.signal);
    const work = async (): Promise<JoinAnswer> => {
      const node = await this.#patient.coordinator('group', groupId);
      for (;;) {
        const request = joinGroupRequest({
          groupId,
          memberId: id,
          sessionTimeoutMs,
          rebalanceTimeoutMs,
          protocolName: PROTOCOL_NAME,
          metadata,
        });
        const answer = await exchange(node, request);
        if (answer.errorCode === 0) {
          return answer;
        }
        const error = errorOfCode(answer.errorCode);
        if (errorType(error) !== 'MEMBER_ID_REQUIRED') {
          throw this.#explained(error);
        }
        id = answer.memberId;
        named(id);
      }
    };
    try {
      return await this.#persist(`joining the consumer group ${groupId}`, signal, work);
    } finally {
      joined.abort();
    }
  }

  /** Waits until the leader has told the assignments. */
  async sync(
    { generation, memberId }: Identity,
    assignments: ReadonlyMap<string, Buffer>,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const { groupId } = this.#options;
    return await this.#persist(`being assigned partitions by the group ${groupId}`, signal, async () => {
      const node = await this.#patient.coordinator('group', groupId);
      const { memberAssignment } = await node.syncGroup({
        groupId,
        generationId: generation,
        memberId,
        groupAssignment: [...assignments].map(([id, bytes]) => ({ memberId: id, memberAssignment: bytes })),
      });
      return memberAssignment;
    });
  }

  /** One heartbeat. A connection that does not answer it in time is given up. */
  async heartbeat({ generation, memberId }: Identity): Promise<void> {
    const { groupId } = this.#options;
    await this.#promptly((node) => node.heartbeat({ groupId, groupGenerationId: generation, memberId }));
  }

  async leave(memberId: string): Promise<void> {
    const { groupId } = this.#options;
    await this.#promptly((node) => node.leaveGroup({ groupId, memberId }));
  }

  async commitOffsets(
    { generation, memberId }: Identity,
    offsets: ReadonlyMap<number, number>,
  ): Promise<void> {
    const { groupId, topic } = this.#options;
    const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }));
    await this.#promptly((node) =>
      node.offsetCommit({
        groupId,
        groupGenerationId: generation,
        memberId,
        topics: [{ topic, partitions }],
      }),
    );
  }

  /** Gives up what waits for the other members, or for an answer that was lost. */
  restartJoin(): void {
    if (!this.#closed) {
      this.#patient = this.#anew(this.#patient);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#prompt.close(), this.#patient.close()]);
  }

  /**
   * What the coordinator answers at once; if it does not, the connections are made anew.
   * @throws BrokerUnavailableError no answer in time
   */
  async #promptly<T>(request: (node: KafkaNode) => Promise<T>): Promise<T> {
    const { clock, groupId, sessionTimeoutMs } = this.#options;
    const connections = this.#prompt;
    const answered = new AbortController();
    const late = pause(sessionTimeoutMs / 3, clock, answered.signal).then(() => {
      throw new BrokerUnavailableError(`the coordinator of the consumer group ${groupId} does not answer`);
    });
    try {
      const answer = await Promise.race([connections.coordinator('group', groupId).then(request), late]);
      this.#heard();
      return answer;
    } catch (error) {
      if (error instanceof BrokerUnavailableError || isNoAnswer(error)) {
        this.#silent = true;
        this.#giveUp(connections);
        throw translate(error, `the consumer group ${groupId}`);
      }
      this.#heard();
      if (COORDINATOR_MOVED.has(errorType(error) ?? '')) {
        await connections.refresh().catch(() => undefined);
      }
      throw error;
    } finally {
      late.catch(() => undefined);
      answered.abort();
    }
  }

  /** A join may rightly wait for a minute: whether the broker is still there is asked beside it. */
  async #watchOver(joined: AbortSignal): Promise<void> {
    const { clock, groupId, sessionTimeoutMs } = this.#options;
    const asleep = (): Promise<boolean> =>
      pause(sessionTimeoutMs / 3, clock, joined).then(
        () => true,
        () => false,
      );
    while (await asleep()) {
      await this.#promptly((node) => node.findGroupCoordinator({ groupId, coordinatorType: 0 })).catch(
        () => undefined,
      );
    }
  }

  /** What was asked patiently during a silence may be lost with it, and would be waited for in vain. */
  #heard(): void {
    if (this.#silent) {
      this.#silent = false;
      this.restartJoin();
    }
  }

  /** A broker that is silent on one connection is so on the others. */
  #giveUp(silent: KafkaConnections): void {
    if (!this.#closed && this.#prompt === silent) {
      this.#prompt = this.#anew(silent);
      this.restartJoin();
    }
  }

  #explained(error: Error): Error {
    const { groupId, sessionTimeoutMs } = this.#options;
    const type = errorType(error) ?? '';
    const explanation = EXPLANATIONS[type];
    return explanation === undefined
      ? error
      : new BrokerError(
          `the consumer group ${groupId} (session timeout ${String(sessionTimeoutMs)} ms) cannot be joined, ` +
            `Kafka answers ${type}: ${explanation}`,
          { cause: error },
        );
  }

  #anew(old: KafkaConnections): KafkaConnections {
    void old.close();
    return old.another();
  }

  async #persist<T>(what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { clock, log } = this.#options;
    return await persist(work, {
      what,
      clock,
      log,
      signal,
      onTrouble: (error) => this.#patient.refresh(error),
    });
  }
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  INCONSISTENT_GROUP_PROTOCOL: 'members that are not of Geoflock are in it: end those, or take another group',
  INVALID_SESSION_TIMEOUT:
    'take a session timeout between group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers',
  GROUP_MAX_SIZE_REACHED: 'raise group.max.size of the brokers, or run fewer replicas',
};

const COORDINATOR_MOVED: ReadonlySet<string> = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
]);
