/** Cuts records into batches, numbers them and brings them to their partitions' leaders. */
import { nextTurn } from '../../system/event-loop.ts';
import type { OutgoingRecord } from '../broker.ts';
import { BrokerError, RecordTooLargeError } from '../errors.ts';
import type { Codec } from './codecs.ts';
import { errorOfCode, exchange, type KafkaConnections, type KafkaNode } from './kafkajs.ts';
import { produceRequest } from './wire/produce.ts';
import { type BatchPlan, encodeBatch, nextSequence, planBatches } from './wire/record-batch.ts';
import type { ProducerIdentity, TopicPartition } from './wire/transactions.ts';

/** Below Kafka's usual limit of 1 MiB for a batch, which counts after compression. */
const BATCH_BYTES = 900 * 1024;
/** Of one request over all its partitions; Kafka's usual limit is 100 MiB. */
const REQUEST_BYTES = 8 * 1024 * 1024;
/** The broker waits so long for its replicas; less than we wait for the broker. */
const PRODUCE_TIMEOUT_MS = 10_000;

/** What a transaction has for one partition. */
export interface PartitionRecords extends TopicPartition {
  readonly records: readonly OutgoingRecord[];
}

/** Consecutive records of one partition, and the offset of the first of them. */
export interface Placed {
  readonly from: number;
  readonly to: number;
  readonly baseOffset: number;
}

/** A batch of several records is larger than its topic takes: with smaller batches it may go. */
export class BatchTooLargeError extends BrokerError {
  override readonly name = 'BatchTooLargeError';
}

interface Pending extends BatchPlan {
  readonly part: PartitionRecords;
  readonly placed: Placed[];
  readonly batch: Buffer;
}

export interface BatchSenderOptions {
  readonly transactionalId: string;
  readonly connections: KafkaConnections;
  readonly codec: Codec;
}

export class BatchSender {
  readonly #options: BatchSenderOptions;
  /** Sequence number of the next record, by partition. */
  readonly #sequences = new Map<string, number>();
  /** Bytes of a batch, where a topic takes less than usual. */
  readonly #batchBytes = new Map<string, number>();

  constructor(options: BatchSenderOptions) {
    this.#options = options;
  }

  /** A new epoch counts from zero. */
  reset(): void {
    this.#sequences.clear();
  }

  /**
   * Writes all records; the answer tells for each of `parts` where they went. After an error nobody
   * knows which sequence numbers were used: only a new epoch goes on.
   * @throws BatchTooLargeError smaller batches are made from now on
   * @throws RecordTooLargeError one record alone is larger than its topic takes
   */
  async send(
    identity: ProducerIdentity,
    parts: readonly PartitionRecords[],
  ): Promise<readonly (readonly Placed[])[]> {
    const work = parts.map((part) => ({
      part,
      placed: [] as Placed[],
      plans: planBatches(part.records, this.#batchBytes.get(part.topic) ?? BATCH_BYTES),
    }));
    // A request has one batch a partition, so the second batches wait until the first are written.
    const rounds = Math.max(0, ...work.map(({ plans }) => plans.length));
    for (let round = 0; round < rounds; round++) {
      let pending: Pending[] = [];
      let bytes = 0;
      for (const { part, placed, plans } of work) {
        const plan = plans[round];
        if (plan === undefined) {
          continue;
        }
        const batch = this.#encode(identity, part, plan);
        await nextTurn();
        if (bytes > 0 && bytes + batch.byteLength > REQUEST_BYTES) {
          await this.#exchange(pending);
          pending = [];
          bytes = 0;
        }
        pending.push({ ...plan, part, placed, batch });
        bytes += batch.byteLength;
      }
      await this.#exchange(pending);
    }
    return work.map(({ placed }) => placed);
  }

  #encode({ epoch, producerId }: ProducerIdentity, part: PartitionRecords, { from, to }: BatchPlan): Buffer {
    const key = `${part.topic}/${String(part.partition)}`;
    const firstSequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, nextSequence(firstSequence, to - from));
    const { codec } = this.#options;
    return encodeBatch(part.records, from, to, { producerId, producerEpoch: epoch, firstSequence, codec });
  }

  /** One request to each leader, all at the same time. */
  async #exchange(pending: readonly Pending[]): Promise<void> {
    const byLeader = new Map<KafkaNode, Pending[]>();
    for (const one of pending) {
      const leader = await this.#options.connections.leader(one.part.topic, one.part.partition);
      const group = byLeader.get(leader);
      if (group === undefined) {
        byLeader.set(leader, [one]);
      } else {
        group.push(one);
      }
    }
    const exchanges = await Promise.allSettled(
      [...byLeader].map(([leader, group]) => this.#produce(leader, group)),
    );
    const errors = exchanges.filter((one) => one.status === 'rejected').map((one): unknown => one.reason);
    // What no further try can heal is told before what it can.
    const worst = errors.find((error) => error instanceof BrokerError) ?? errors[0];
    if (worst !== undefined) {
      throw worst instanceof Error ? worst : new BrokerError('producing failed', { cause: worst });
    }
  }

  async #produce(leader: KafkaNode, pending: readonly Pending[]): Promise<void> {
    const { transactionalId } = this.#options;
    const partitions = pending.map(({ batch, part: { partition, topic } }) => ({ topic, partition, batch }));
    const answers = await exchange(
      leader,
      produceRequest({ transactionalId, timeoutMs: PRODUCE_TIMEOUT_MS, partitions }),
    );
    let failure: Error | undefined;
    for (const { baseOffset, errorCode, partition, topic } of answers) {
      const one = pending.find(({ part }) => part.partition === partition && part.topic === topic);
      if (one === undefined) {
        continue;
      }
      if (errorCode === 0) {
        one.placed.push({ from: one.from, to: one.to, baseOffset });
        continue;
      }
      const error = this.#failure(one, errorOfCode(errorCode));
      if (failure === undefined || error instanceof BrokerError) {
        failure = error;
      }
    }
    if (failure !== undefined) {
      throw failure;
    }
    if (answers.length !== pending.length) {
      throw new BrokerError(
        `Kafka answers for ${String(answers.length)} of ${String(pending.length)} partitions written to`,
      );
    }
  }

  #failure({ batch, from, part, to }: Pending, error: Error & { readonly type: string }): Error {
    if (error.type !== 'MESSAGE_TOO_LARGE' && error.type !== 'RECORD_LIST_TOO_LARGE') {
      return error;
    }
    const { partition, records, topic } = part;
    if (to - from > 1) {
      const half = Math.floor((this.#batchBytes.get(topic) ?? BATCH_BYTES) / 2);
      this.#batchBytes.set(topic, half);
      return new BatchTooLargeError(
        `topic ${topic} takes no batch of ${String(batch.byteLength)} bytes: batches of ${String(half)} are next`,
      );
    }
    const key = records[from]?.key ?? null;
    return new RecordTooLargeError(
      `topic ${topic}, partition ${String(partition)}: a record of ${String(batch.byteLength)} bytes ` +
        `(${key === null ? 'without a key' : `key ${key.slice(0, 80)}`}) is larger than the topic takes: raise ` +
        `its max.message.bytes, as with kafka-configs --alter --topic ${topic} --add-config ` +
        `max.message.bytes=${String(2 ** Math.ceil(Math.log2(batch.byteLength + 1024)))}`,
      { cause: error },
    );
  }
}
