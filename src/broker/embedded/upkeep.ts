/** Work of the broker itself: retention, consumed offsets, and single entries. None is refused for room. */
import type { Group, Work } from './commit-queue.ts';
import { batchKey } from './keys.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Removal } from './retention.ts';
import { putPartitionState } from './writer.ts';

export class RemoveBatches implements Work {
  readonly bytes = 0;
  readonly bounded = false;
  readonly #removals: readonly Removal[];

  constructor(removals: readonly Removal[]) {
    this.#removals = removals;
  }

  stage(group: Group): void {
    for (const { log, count } of this.#removals) {
      for (let at = 0; at < count; at++) {
        const head = log.index.at(at);
        if (head !== undefined) {
          group.remove(batchKey(log.topicId, log.partition, head));
        }
      }
      log.stageRemoval(count);
    }
  }

  committed(): void {
    for (const { log, count } of this.#removals) {
      log.removed(count);
    }
  }

  rolledBack(): void {
    for (const { log } of this.#removals) {
      log.rollBack();
    }
  }
}

export class RecordConsumed implements Work {
  readonly bytes = 0;
  readonly bounded = false;
  readonly #log: PartitionLog;
  readonly #offset: number;
  readonly #direction: 'onwards' | 'back';

  constructor(log: PartitionLog, offset: number, direction: 'onwards' | 'back') {
    this.#log = log;
    this.#offset = offset;
    this.#direction = direction;
  }

  stage(group: Group): void {
    putPartitionState(group, this.#log, { consumed: this.#moved(this.#log.staged.consumed) });
  }

  committed(): void {
    this.#log.consumedTo(this.#moved(this.#log.consumed));
  }

  /** What is told late, or twice, moves nothing the other way. */
  #moved(consumed: number): number {
    return this.#direction === 'onwards'
      ? Math.max(consumed, this.#offset)
      : Math.min(consumed, this.#offset);
  }

  rolledBack(): void {
    this.#log.rollBack();
  }
}

export class PutEntries implements Work {
  readonly bytes = 0;
  readonly bounded = false;
  readonly #entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[];

  constructor(entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[]) {
    this.#entries = entries;
  }

  stage(group: Group): void {
    for (const [key, value] of this.#entries) {
      group.put(key, value);
    }
  }

  committed(): void {
    // The caller waits for the group and updates its own memory.
  }

  rolledBack(): void {
    // Nothing was assumed.
  }
}
