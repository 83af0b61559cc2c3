/** One epoch after another of a transactional id: its requests, and the sequence numbers they need. */
import { BrokerError } from '../errors.ts';
import { BatchSender, type PartitionRecords, type Placed } from './batch-sender.ts';
import type { Codec } from './codecs.ts';
import { errorOfCode, exchange, type KafkaConnections, type KafkaNode } from './kafkajs.ts';
import {
  addPartitionsRequest,
  endTransactionRequest,
  initProducerIdRequest,
  type ProducerIdentity,
  type TopicPartition,
} from './wire/transactions.ts';

/** Error codes of Kafka's protocol. */
const INVALID_TXN_STATE = 48;
const CONCURRENT_TRANSACTIONS = 51;
const OPERATION_NOT_ATTEMPTED = 55;

export interface ProducerSessionOptions {
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly connections: KafkaConnections;
  readonly codec: Codec;
}

/** Errors are those of kafkajs, or of `errorOfCode`: whoever calls knows what may be tried again. */
export class ProducerSession {
  readonly #options: ProducerSessionOptions;
  #identity: ProducerIdentity | undefined;
  readonly #sender: BatchSender;
  #lastCommitted = true;
  /** What an attempt has left: a transaction under way, or numbers that may have been used. */
  #left: 'nothing' | 'transaction' | 'numbers' = 'nothing';

  constructor(options: ProducerSessionOptions) {
    this.#options = options;
    this.#sender = new BatchSender(options);
  }

  get epoch(): number {
    return this.#identity?.epoch ?? -1;
  }

  /**
   * Takes a new epoch: fences every earlier session of the id, and aborts what it has not ended. `allowed` is
   * asked last: nothing that may take long lies between its answer and the request that fences.
   */
  async open(allowed: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.#initialize(undefined, allowed);
  }

  /**
   * Makes an end of what a failed attempt has left: aborts it, and takes the next epoch, because nobody
   * knows which sequence numbers were used. Only if the epoch is still ours: nobody is fenced by it.
   */
  async ready(): Promise<void> {
    await this.abortLeft();
    if (this.#left === 'numbers') {
      await this.#initialize(this.#identity);
      this.#left = 'nothing';
    }
  }

  /** Aborts what a failed attempt has left. Before the next attempt `ready` is needed all the same. */
  async abortLeft(): Promise<void> {
    if (this.#left !== 'transaction') {
      return;
    }
    const code = await this.#end(await this.coordinator(), false);
    // The epoch is compared first, so it is ours: no transaction had begun.
    if (code !== 0 && code !== INVALID_TXN_STATE) {
      throw errorOfCode(code);
    }
    this.#lastCommitted = false;
    this.#left = 'numbers';
  }

  /** Tells the coordinator what the transaction will write to. May be repeated. */
  async addPartitions(partitions: readonly TopicPartition[]): Promise<void> {
    const node = await this.coordinator();
    const { transactionalId } = this.#options;
    const wire = addPartitionsRequest({ transactionalId, identity: this.#own(), partitions });
    this.#left = 'transaction';
    const failed = (await exchange(node, wire)).filter(({ errorCode }) => errorCode !== 0);
    // Where one partition is refused, the others are not even tried; what counts is why the one was.
    const worst = failed.find(({ errorCode }) => errorCode !== OPERATION_NOT_ATTEMPTED) ?? failed[0];
    if (worst !== undefined) {
      if (worst.errorCode === CONCURRENT_TRANSACTIONS) {
        this.#left = 'nothing';
      }
      throw errorOfCode(worst.errorCode);
    }
  }

  /** Writes all records; the answer tells for each of `parts` where they went. */
  async produce(parts: readonly PartitionRecords[]): Promise<readonly (readonly Placed[])[]> {
    return await this.#sender.send(this.#own(), parts);
  }

  /** The broker that ends the transaction; apart from `commit`, so that it is known whether that was sent. */
  coordinator(): Promise<KafkaNode> {
    return this.#options.connections.coordinator('transaction', this.#options.transactionalId);
  }

  /** Ends the transaction as committed. May be repeated. */
  async commit(node: KafkaNode): Promise<void> {
    const code = await this.#end(node, true);
    if (code !== 0) {
      throw errorOfCode(code);
    }
    this.#lastCommitted = true;
    this.#left = 'nothing';
  }

  /**
   * Asks whether the epoch is still the newest, by ending once more what has ended: the coordinator
   * compares the epoch first, and then finds that nothing is to be done.
   */
  async confirm(): Promise<void> {
    const code = await this.#end(await this.coordinator(), this.#lastCommitted);
    if (code !== 0 && code !== INVALID_TXN_STATE) {
      throw errorOfCode(code);
    }
  }

  async #initialize(expected: ProducerIdentity | undefined, allowed?: () => Promise<void>): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.#options;
    const node = await this.coordinator();
    await allowed?.();
    const request = initProducerIdRequest({ transactionalId, transactionTimeoutMs, expected });
    const { errorCode, ...identity } = await exchange(node, request);
    if (errorCode !== 0) {
      throw errorOfCode(errorCode);
    }
    this.#identity = identity;
    this.#sender.reset();
  }

  async #end(node: KafkaNode, commit: boolean): Promise<number> {
    const { transactionalId } = this.#options;
    return await exchange(node, endTransactionRequest({ transactionalId, identity: this.#own(), commit }));
  }

  #own(): ProducerIdentity {
    if (this.#identity === undefined) {
      throw new BrokerError(`transactional id ${this.#options.transactionalId} was not opened`);
    }
    return this.#identity;
  }
}
