import { BatchIndex } from './batch-index.ts';
import type { BatchHead } from './keys.ts';

/** What is stored of a partition beside its batches. */
export interface PartitionState {
  readonly next: number;
  readonly consumed: number;
}

export const PARTITION_STATE_BYTES = 16;

export function encodePartitionState(state: PartitionState, target: Buffer): void {
  target.writeDoubleLE(state.next, 0);
  target.writeDoubleLE(state.consumed, 8);
}

export function decodePartitionState(bytes: Uint8Array): PartitionState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { next: view.getFloat64(0, true), consumed: view.getFloat64(8, true) };
}

/**
 * One partition of a log as it is in memory: its index, its committed state, and what the group of
 * writes under way assumes.
 */
export class PartitionLog {
  readonly topic: string;
  readonly topicId: number;
  readonly partition: number;
  readonly index = new BatchIndex();
  #committed: PartitionState = { next: 0, consumed: 0 };
  #staged: PartitionState = { next: 0, consumed: 0 };
  #unconsumedBytes = 0;
  #removedBelow = 0;
  readonly #waiters = new Set<() => void>();

  constructor(topic: string, topicId: number, partition: number) {
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
  }

  /** Takes what the store holds at the start. */
  restore(heads: Iterable<BatchHead>, state: PartitionState | undefined): void {
    let end = 0;
    for (const head of heads) {
      this.index.push(head);
      end = head.base + head.count;
    }
    this.#committed = { next: Math.max(state?.next ?? 0, end), consumed: state?.consumed ?? 0 };
    this.#staged = this.#committed;
    this.#recount();
  }

  get first(): number {
    return this.index.at(0)?.base ?? this.end;
  }

  /** The offset that the next record will get. */
  get end(): number {
    return this.#committed.next;
  }

  get consumed(): number {
    return this.#committed.consumed;
  }

  get unconsumedBytes(): number {
    return this.#unconsumedBytes;
  }

  get unconsumedRecords(): number {
    return this.end - Math.min(Math.max(this.consumed, this.first), this.end);
  }

  get staged(): PartitionState {
    return this.#staged;
  }

  stage(change: Partial<PartitionState>): PartitionState {
    this.#staged = { ...this.#staged, ...change };
    return this.#staged;
  }

  /** The `count` oldest batches are about to be removed: the store may have forgotten them before the index does. */
  stageRemoval(count: number): void {
    const last = this.index.at(count - 1);
    this.#removedBelow = last === undefined ? 0 : last.base + last.count;
  }

  /** Batches below this offset may be gone. */
  get removedBelow(): number {
    return this.#removedBelow;
  }

  rollBack(): void {
    this.#staged = this.#committed;
    this.#removedBelow = 0;
  }

  /** Batches became visible; those that wait for records are woken. */
  appended(heads: readonly BatchHead[]): void {
    let next = this.#committed.next;
    for (const head of heads) {
      this.index.push(head);
      next = head.base + head.count;
    }
    this.#committed = { ...this.#committed, next };
    this.#recount();
    this.wake();
  }

  consumedTo(offset: number): void {
    this.#committed = { ...this.#committed, consumed: offset };
    this.#recount();
  }

  /** The `count` oldest batches were removed. */
  removed(count: number): void {
    this.#removedBelow = 0;
    for (let left = count; left > 0; left--) {
      this.index.shift();
    }
    this.#recount();
  }

  /** Calls `waiter` once at the next append; returns a function that forgets it. */
  onAppend(waiter: () => void): () => void {
    this.#waiters.add(waiter);
    return () => {
      this.#waiters.delete(waiter);
    };
  }

  wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) {
      waiter();
    }
  }

  #recount(): void {
    this.#unconsumedBytes = this.index.bytesFrom(this.consumed);
  }
}
