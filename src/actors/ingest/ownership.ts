import type { Membership } from '../../broker/broker.ts';
import type { Claim } from '../owned-writer.ts';

/** Who works on the owned ledger partitions: the publisher's incarnation of the moment. */
export interface ClaimHolder {
  /** A partition is ours: open it, and say so by `LedgerOwnership.opened`. */
  take(claim: Claim): void;
  /** Resolves when nothing of the partition is in flight any more and its writer is closed. */
  release(partition: number): Promise<void>;
}

/**
 * Which partitions of the ledger are this process's. The group's word comes in; the publisher takes
 * and releases; the watcher asks. It outlives the publisher's incarnations, as the membership does.
 *
 * Calls of the group must not wait in a mailbox behind a file that is being read.
 */
export class LedgerOwnership {
  readonly #claims = new Map<number, Claim>();
  /** Restored and ready for files. */
  readonly #open = new Set<number>();
  #onChange: () => void = () => undefined;
  #holder: ClaimHolder | undefined;
  #answered = false;

  /** Calls `listener` when a partition can be read now, and when the group has answered for the first time. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** The group has said what is ours, and all of that is open. */
  get settled(): boolean {
    return this.#answered && [...this.#claims.keys()].every((partition) => this.#open.has(partition));
  }

  isOpen(partition: number): boolean {
    return this.#open.has(partition);
  }

  assigned(partitions: readonly number[], membership: Membership | undefined): void {
    for (const partition of partitions) {
      const claim: Claim = { partition, membership };
      this.#claims.set(partition, claim);
      this.#holder?.take(claim);
    }
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) {
      this.#claims.delete(partition);
      this.#open.delete(partition);
    }
    const holder = this.#holder;
    if (holder !== undefined) {
      await Promise.all(partitions.map((partition) => holder.release(partition)));
    }
  }

  /** The group has told what is ours, if anything. */
  answered(): void {
    this.#answered = true;
    this.#onChange();
  }

  /** A new incarnation of the publisher takes what is ours. */
  hold(holder: ClaimHolder): void {
    this.#holder = holder;
    for (const claim of this.#claims.values()) {
      holder.take(claim);
    }
  }

  /** The incarnation has ended and has nothing open any more. */
  drop(holder: ClaimHolder): void {
    if (this.#holder === holder) {
      this.#holder = undefined;
      this.#open.clear();
    }
  }

  opened(claim: Claim): void {
    if (this.#claims.get(claim.partition) === claim) {
      this.#open.add(claim.partition);
      this.#onChange();
    }
  }
}
