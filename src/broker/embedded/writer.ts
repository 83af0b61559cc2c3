import type { Committed, OutgoingRecord, Transaction, Writer } from '../broker.ts';
import { BrokerError, BrokerFullError, FencedError } from '../errors.ts';
import { encodeBatch, planBatches } from './batch.ts';
import type { CommitQueue, Group, Work } from './commit-queue.ts';
import { type BatchHead, batchKey, entryKey, MAX_KEY_BYTES, partitionKey } from './keys.ts';
import { encodePartitionState, PARTITION_STATE_BYTES, type PartitionLog } from './partition-log.ts';
import type { TableChanges } from './table-changes.ts';

/** What a writer needs to know of its broker. */
export interface WriterContext {
  readonly commits: CommitQueue;
  /** The epoch that now holds for a writer's name. */
  currentEpoch(name: string): number;
  /** @throws BrokerError when there is no such log partition. */
  log(topic: string, partition: number): PartitionLog;
  /** The id of a table. @throws BrokerError when there is no such table partition. */
  tableId(table: string, partition: number): number;
  /** What is told of the puts to a table partition; undefined where nobody asks. */
  changes(table: number, partition: number): TableChanges | undefined;
}

export class EmbeddedWriter implements Writer {
  readonly name: string;
  readonly #context: WriterContext;
  readonly #epoch: number;
  #current: EmbeddedTransaction | undefined;
  #closed = false;

  constructor(context: WriterContext, name: string, epoch: number) {
    this.#context = context;
    this.name = name;
    this.#epoch = epoch;
  }

  begin(): Transaction {
    if (this.#closed) {
      throw new BrokerError(`writer ${this.name} is closed`);
    }
    if (this.#current !== undefined) {
      throw new BrokerError(`writer ${this.name} has a transaction that is neither committed nor aborted`);
    }
    this.#current = new EmbeddedTransaction(this.#context, this);
    return this.#current;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#current?.abort();
  }

  /** @throws FencedError */
  checkEpoch(): void {
    const current = this.#context.currentEpoch(this.name);
    if (current !== this.#epoch) {
      throw new FencedError(
        `writer ${this.name} of epoch ${String(this.#epoch)} is fenced: epoch ${String(current)} was opened since; ` +
          'reopen it and restore',
      );
    }
  }

  /** Makes `transaction` the one under way, unless it was replaced by a later one. */
  claim(transaction: EmbeddedTransaction): void {
    if (this.#closed) {
      throw new BrokerError(`writer ${this.name} is closed`);
    }
    if (this.#current !== undefined && this.#current !== transaction) {
      throw new BrokerError(`writer ${this.name} has begun another transaction since`);
    }
    this.#current = transaction;
  }

  release(transaction: EmbeddedTransaction): void {
    if (this.#current === transaction) {
      this.#current = undefined;
    }
  }
}

interface TablePut {
  /** Id of the table. */
  readonly table: number;
  readonly partition: number;
  readonly name: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/**
 * ```
 * open --commit--> committing --visible--> done
 *  |                 |   |
 *  |                 |   '--BrokerFullError--> open (commit again, abort, or begin another)
 *  |                 '--any other failure----> done
 *  '----abort----> done
 * ```
 */
type State = 'open' | 'committing' | 'done';

class EmbeddedTransaction implements Transaction {
  readonly #context: WriterContext;
  readonly #writer: EmbeddedWriter;
  readonly #appends = new Map<PartitionLog, OutgoingRecord[]>();
  readonly #puts: TablePut[] = [];
  #state: State = 'open';

  constructor(context: WriterContext, writer: EmbeddedWriter) {
    this.#context = context;
    this.#writer = writer;
  }

  append(topic: string, partition: number, records: readonly OutgoingRecord[]): void {
    this.#checkOpen('append');
    const log = this.#context.log(topic, partition);
    for (const { timestamp } of records) {
      if (!Number.isFinite(timestamp)) {
        throw new BrokerError(`${topic}: a record's timestamp is ${String(timestamp)}, not milliseconds`);
      }
    }
    const appended = this.#appends.get(log);
    if (appended === undefined) {
      this.#appends.set(log, [...records]);
      return;
    }
    for (const record of records) {
      appended.push(record);
    }
  }

  put(table: string, partition: number, key: string, value: Uint8Array | null): void {
    this.#checkOpen('put');
    const id = this.#context.tableId(table, partition);
    if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
      throw new BrokerError(
        `${table}: a key of ${String(Buffer.byteLength(key))} bytes, at most ${String(MAX_KEY_BYTES)} are allowed ` +
          `(it begins with ${key.slice(0, 80)})`,
      );
    }
    this.#puts.push({ table: id, partition, name: key, key: entryKey(id, partition, key), value });
  }

  async commit(): Promise<Committed> {
    this.#checkOpen('commit');
    this.#writer.claim(this);
    this.#state = 'committing';
    try {
      const visible = await this.#context.commits.submit(
        new TransactionWork(this.#context, this.#writer, this.#appends, this.#puts),
      );
      this.#state = 'done';
      return visible;
    } catch (error) {
      this.#state = error instanceof BrokerFullError ? 'open' : 'done';
      throw error;
    } finally {
      this.#writer.release(this);
    }
  }

  abort(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'done';
      this.#writer.release(this);
    }
    return Promise.resolve();
  }

  #checkOpen(what: string): void {
    if (this.#state !== 'open') {
      throw new BrokerError(`writer ${this.#writer.name}: ${what} on a transaction that is ${this.#state}`);
    }
  }
}

interface PlannedBatch {
  readonly key: Uint8Array;
  readonly head: BatchHead;
  readonly value: Uint8Array;
}

class TransactionWork implements Work {
  readonly bytes: number;
  readonly bounded: boolean;
  readonly #context: WriterContext;
  readonly #writer: EmbeddedWriter;
  readonly #puts: readonly TablePut[];
  readonly #appends: {
    readonly log: PartitionLog;
    readonly records: readonly OutgoingRecord[];
    readonly plans: ReturnType<typeof planBatches>;
  }[] = [];
  readonly #staged = new Map<PartitionLog, BatchHead[]>();
  /** That were told of the puts. */
  readonly #changes = new Set<TableChanges>();

  constructor(
    context: WriterContext,
    writer: EmbeddedWriter,
    appends: ReadonlyMap<PartitionLog, readonly OutgoingRecord[]>,
    puts: readonly TablePut[],
  ) {
    this.#context = context;
    this.#writer = writer;
    this.#puts = puts;
    let bytes = 0;
    for (const [log, records] of appends) {
      const plans = planBatches(records);
      this.#appends.push({ log, records, plans });
      bytes = plans.reduce((sum, plan) => sum + plan.bytes, bytes);
    }
    let grows = appends.size > 0;
    for (const { key, value } of puts) {
      bytes += key.byteLength + (value?.byteLength ?? 0);
      grows ||= value !== null;
    }
    this.bytes = bytes;
    // What only removes may use the pages that are kept for making room.
    this.bounded = grows;
  }

  stage(group: Group): void {
    this.#writer.checkEpoch();
    // What can fail comes first: encoding.
    const batches = this.#appends.map(({ log, records, plans }) => {
      let base = log.staged.next;
      return plans.map((plan): PlannedBatch => {
        const value = group.allocate(plan.bytes);
        encodeBatch(records, plan, value);
        const head = { base, count: plan.to - plan.from, bytes: plan.bytes, timestamp: plan.timestamp };
        base += head.count;
        return { key: batchKey(log.topicId, log.partition, head), head, value };
      });
    });
    const entries = this.#puts.map(({ key, value }) => ({ key, value: value && copyOf(value, group) }));
    for (const { name, partition, table, value } of this.#puts) {
      const changes = this.#context.changes(table, partition);
      if (changes !== undefined) {
        this.#changes.add(changes);
        if (value === null) {
          changes.remove(name, group.commit);
        } else {
          changes.put(name, group.commit);
        }
      }
    }
    for (const [at, { log }] of this.#appends.entries()) {
      const planned = batches[at] ?? [];
      const last = planned.at(-1)?.head;
      if (last === undefined) {
        continue;
      }
      for (const { key, value } of planned) {
        group.put(key, value);
      }
      putPartitionState(group, log, { next: last.base + last.count });
      this.#staged.set(
        log,
        planned.map((batch) => batch.head),
      );
    }
    for (const { key, value } of entries) {
      if (value === null) {
        group.remove(key);
      } else {
        group.put(key, value);
      }
    }
  }

  committed(): void {
    for (const [log, heads] of this.#staged) {
      log.appended(heads);
    }
    for (const changes of this.#changes) {
      changes.committed();
    }
  }

  rolledBack(): void {
    for (const log of this.#staged.keys()) {
      log.rollBack();
    }
    this.#staged.clear();
    for (const changes of this.#changes) {
      changes.rolledBack();
    }
    this.#changes.clear();
  }
}

function copyOf(value: Uint8Array, group: Group): Uint8Array {
  const copy = group.allocate(value.byteLength);
  copy.set(value);
  return copy;
}

export function putPartitionState(
  group: Group,
  log: PartitionLog,
  change: { readonly next?: number; readonly consumed?: number },
): void {
  const bytes = group.allocate(PARTITION_STATE_BYTES);
  encodePartitionState(log.stage(change), bytes);
  group.put(partitionKey(log.topicId, log.partition), bytes);
}
