/** A fenced transactional writer on Kafka. */
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import type { Transaction, Writer } from '../broker.ts';
import { BrokerError, FencedError, UnknownOutcomeError } from '../errors.ts';
import { BatchTooLargeError, type PartitionRecords, type Placed } from './batch-sender.ts';
import type { Codec } from './codecs.ts';
import { errorType, type KafkaConnections } from './kafkajs.ts';
import { ProducerSession } from './producer-session.ts';
import { isNotNow, orAborted, type PersistOptions, persist } from './retry.ts';
import { type Content, KafkaTransaction, recordsOf, type TransactionOwner } from './transaction.ts';

/** A table entry that a commit wrote. The value's bytes are the caller's of `put`: copy what is kept. */
export interface AppliedEntry {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly offset: number;
}

export interface KafkaWriterOptions {
  readonly name: string;
  /** `<group>-<name>`. */
  readonly transactionalId: string;
  /** Of this writer's stage. */
  readonly connections: KafkaConnections;
  readonly codec: Codec;
  readonly transactionTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Throws unless `topic` was declared as such and has that partition. */
  readonly check: (topic: string, kind: 'log' | 'table', partition: number) => void;
  /** Told before `commit` resolves; in the order of the offsets. */
  readonly applied: (table: string, partition: number, entries: readonly AppliedEntry[]) => void;
  /** Confirms ownership; called before each try to open. Rejects with NotOwnerError. */
  readonly confirm?: (() => Promise<void>) | undefined;
  /** Ends the wait for a broker that cannot be reached while opening. */
  readonly signal?: AbortSignal | undefined;
}

/** Answers to the end of a transaction that surely had no effect; others may hide a success. */
const NO_EFFECT: ReadonlySet<string> = new Set(['CONCURRENT_TRANSACTIONS', 'GROUP_LOAD_IN_PROGRESS']);

/**
 * A commit is one transaction of Kafka. While brokers are away it waits; what was written before that is
 * aborted and written again. Only once the end of the transaction was asked for and nobody answered, it
 * is not known what became of it.
 */
export class KafkaWriter implements Writer {
  readonly name: string;
  readonly #options: KafkaWriterOptions;
  readonly #session: ProducerSession;
  readonly #owner: TransactionOwner;
  readonly #closing = new AbortController();
  #current: Transaction | undefined;
  /** Why no further commit can succeed. */
  #lost: string | undefined;

  private constructor(options: KafkaWriterOptions, session: ProducerSession) {
    this.name = options.name;
    this.#options = options;
    this.#session = session;
    this.#owner = {
      name: options.name,
      check: options.check,
      commit: (contents) => this.#commit(contents),
      ended: (transaction) => {
        if (this.#current === transaction) {
          this.#current = undefined;
        }
      },
    };
  }

  /**
   * Opens the writer, fencing any earlier one of its transactional id.
   * @throws NotOwnerError as `confirm` does
   */
  static async open(options: KafkaWriterOptions): Promise<KafkaWriter> {
    const session = new ProducerSession(options);
    const { confirm, name, signal } = options;
    await persist(
      async () => {
        // With each try: the wait for a broker may be longer than the partition is ours.
        await session.open(async () => {
          await confirm?.();
          signal?.throwIfAborted();
        });
      },
      { ...waiting(options, `opening writer ${name}`), signal },
    );
    return new KafkaWriter(options, session);
  }

  begin(): Transaction {
    this.#closing.signal.throwIfAborted();
    if (this.#current !== undefined) {
      throw new BrokerError(`writer ${this.name} has a transaction that is neither committed nor aborted`);
    }
    this.#current = new KafkaTransaction(this.#owner);
    return this.#current;
  }

  async close(): Promise<void> {
    this.#closing.abort(new BrokerError(`writer ${this.name} is closed`));
    await this.#current?.abort();
  }

  async #commit(contents: readonly Content[]): Promise<void> {
    const { signal } = this.#closing;
    signal.throwIfAborted();
    if (this.#lost !== undefined) {
      throw new FencedError(`${this.#lost}; reopen it and restore`);
    }
    try {
      if (contents.length === 0) {
        await this.#persist('confirming', async () => {
          await this.#session.ready();
          await this.#session.confirm();
        });
        return;
      }
      const parts = contents.map((content) => recordsOf(content, this.#options.clock.now()));
      const placed = await this.#write(parts);
      await this.#end();
      this.#tellApplied(contents, parts, placed);
    } catch (error) {
      if (error instanceof FencedError) {
        this.#lost = `writer ${this.name} is fenced`;
      } else if (error instanceof UnknownOutcomeError) {
        this.#lost = `writer ${this.name} has a commit of unknown outcome`;
      } else if (signal.aborted) {
        void this.#letGo();
      } else {
        await this.#letGo();
      }
      throw error;
    }
  }

  async #write(parts: readonly PartitionRecords[]): Promise<readonly (readonly Placed[])[]> {
    const { signal } = this.#closing;
    for (;;) {
      try {
        return await this.#persist('committing', async () => {
          await this.#session.ready();
          signal.throwIfAborted();
          await this.#session.addPartitions(parts);
          signal.throwIfAborted();
          return await this.#session.produce(parts);
        });
      } catch (error) {
        if (!(error instanceof BatchTooLargeError)) {
          throw error;
        }
        this.#options.log.debug({ writer: this.name }, error.message);
      }
    }
  }

  /**
   * @throws UnknownOutcomeError
   * @throws FencedError
   */
  async #end(): Promise<void> {
    const { signal } = this.#closing;
    let maybe = false;
    // Without the signal: from here on closing must not hide that the outcome is unknown.
    await persist(
      async () => {
        const node = await this.#session.coordinator();
        if (!maybe) {
          signal.throwIfAborted();
        }
        try {
          await orAborted(this.#session.commit(node), signal);
        } catch (error) {
          const answer = errorType(error);
          // UNKNOWN: its server failed at it, as when another is fencing us at this moment.
          const unclear = answer === undefined || answer === 'UNKNOWN';
          if (unclear || signal.aborted || (maybe && !isNotNow(error))) {
            throw this.#unknownOutcome(error);
          }
          maybe ||= isNotNow(error) && !NO_EFFECT.has(answer);
          throw error;
        }
      },
      waiting(this.#options, `committing, writer ${this.name}`),
    );
  }

  #unknownOutcome(error: unknown): UnknownOutcomeError {
    const reason = error instanceof Error ? error.message : String(error);
    return new UnknownOutcomeError(
      `writer ${this.name}: it is not known whether the commit took effect (${reason}); reopen it and restore`,
      { cause: error },
    );
  }

  #tellApplied(
    contents: readonly Content[],
    parts: readonly PartitionRecords[],
    placed: readonly (readonly Placed[])[],
  ): void {
    for (const [at, { kind, partition, topic }] of contents.entries()) {
      if (kind === 'log') {
        continue;
      }
      const records = parts[at]?.records ?? [];
      const entries = (placed[at] ?? []).flatMap(({ baseOffset, from, to }) =>
        records.slice(from, to).map(
          ({ key, value }, index): AppliedEntry => ({
            key: key ?? '',
            value,
            offset: baseOffset + index,
          }),
        ),
      );
      this.#options.applied(topic, partition, entries);
    }
  }

  /** What has failed for good must not keep readers waiting until it times out. */
  async #letGo(): Promise<void> {
    await this.#session.abortLeft().catch((error: unknown) => {
      this.#options.log.debug({ writer: this.name, error }, 'the failed transaction is left to its timeout');
    });
  }

  #persist<T>(doing: string, work: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing;
    return persist(work, { ...waiting(this.#options, `${doing}, writer ${this.name}`), signal });
  }
}

function waiting({ clock, connections, log }: KafkaWriterOptions, what: string): PersistOptions {
  return { what, clock, log, onTrouble: (error) => connections.refresh(error) };
}
