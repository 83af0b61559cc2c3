/** What one transaction is to write, kept until its commit. */
import type { Committed, OutgoingRecord, Transaction } from '../broker.ts';
import { BrokerError } from '../errors.ts';
import type { PartitionRecords } from './batch-sender.ts';

/** Records of one log partition, or the last entry of each key of one table partition. */
export type Content =
  | { readonly kind: 'log'; topic: string; partition: number; readonly records: OutgoingRecord[] }
  | {
      readonly kind: 'table';
      topic: string;
      partition: number;
      readonly entries: Map<string, Uint8Array | null>;
    };

export interface TransactionOwner {
  readonly name: string;
  /** Throws unless `topic` was declared as such and has that partition. */
  check(topic: string, kind: 'log' | 'table', partition: number): void;
  commit(contents: readonly Content[]): Promise<void>;
  /** The transaction is under way no longer. */
  ended(transaction: Transaction): void;
}

const AT_ONCE: Committed = {
  // A commit is acknowledged when all replicas in sync have it: that is Kafka's stable storage.
  flushed: Promise.resolve(),
};

/** `open --commit--> committing --> done`, or `open --abort--> done`. */
type State = 'open' | 'committing' | 'done';

export class KafkaTransaction implements Transaction {
  readonly #owner: TransactionOwner;
  readonly #contents = new Map<string, Content>();
  #state: State = 'open';

  constructor(owner: TransactionOwner) {
    this.#owner = owner;
  }

  append(topic: string, partition: number, records: readonly OutgoingRecord[]): void {
    this.#checkOpen('append');
    this.#owner.check(topic, 'log', partition);
    for (const { timestamp } of records) {
      if (!Number.isFinite(timestamp)) {
        throw new BrokerError(`${topic}: a record's timestamp is ${String(timestamp)}, not milliseconds`);
      }
    }
    if (records.length === 0) {
      return;
    }
    const content = this.#contents.get(keyOf(topic, partition));
    if (content?.kind !== 'log') {
      this.#contents.set(keyOf(topic, partition), { kind: 'log', topic, partition, records: [...records] });
      return;
    }
    for (const record of records) {
      content.records.push(record);
    }
  }

  put(table: string, partition: number, key: string, value: Uint8Array | null): void {
    this.#checkOpen('put');
    this.#owner.check(table, 'table', partition);
    const content = this.#contents.get(keyOf(table, partition));
    if (content?.kind === 'table') {
      content.entries.set(key, value);
    } else {
      const entries = new Map([[key, value]]);
      this.#contents.set(keyOf(table, partition), { kind: 'table', topic: table, partition, entries });
    }
  }

  async commit(): Promise<Committed> {
    this.#checkOpen('commit');
    this.#state = 'committing';
    try {
      await this.#owner.commit([...this.#contents.values()]);
      return AT_ONCE;
    } finally {
      this.#end();
    }
  }

  abort(): Promise<void> {
    if (this.#state === 'open') {
      this.#end();
    }
    return Promise.resolve();
  }

  #end(): void {
    this.#state = 'done';
    this.#contents.clear();
    this.#owner.ended(this);
  }

  #checkOpen(what: string): void {
    if (this.#state !== 'open') {
      throw new BrokerError(`writer ${this.#owner.name}: ${what} on a transaction that is ${this.#state}`);
    }
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${String(partition)}`;
}

/** The records that make `content` when they are read again. */
export function recordsOf(content: Content, nowMs: number): PartitionRecords {
  const { partition, topic } = content;
  if (content.kind === 'log') {
    return { topic, partition, records: content.records };
  }
  const records = [...content.entries].map(([key, value]) => ({ key, value, timestamp: nowMs }));
  return { topic, partition, records };
}
