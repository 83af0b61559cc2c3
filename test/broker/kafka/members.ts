import type { AssignmentListener, Broker, Membership } from '../../../src/broker/broker.ts';

/** Who owns what, over all members of a group; two at the same time are a violation. */
export class Ledger {
  readonly owners = new Map<number, string>();
  readonly violations: string[] = [];

  take(member: string, partition: number): void {
    const owner = this.owners.get(partition);
    if (owner !== undefined) {
      this.violations.push(`${String(partition)} was given to ${member} while ${owner} had it`);
    }
    this.owners.set(partition, member);
  }

  release(member: string, partition: number): void {
    if (this.owners.get(partition) !== member) {
      this.violations.push(`${String(partition)} was taken from ${member}, who did not have it`);
      return;
    }
    this.owners.delete(partition);
  }
}

/** A member that remembers what it was told. */
export class Member implements AssignmentListener {
  readonly name: string;
  readonly events: string[] = [];
  readonly errors: Error[] = [];
  /** How long it takes to let go. */
  revocation: () => Promise<void> = () => Promise.resolve();
  readonly #ledger: Ledger;
  #membership: Membership | undefined;

  constructor(name: string, ledger: Ledger) {
    this.name = name;
    this.#ledger = ledger;
  }

  async join(broker: Broker, group: string, topic: string): Promise<void> {
    this.#membership = await broker.join(group, topic, this);
  }

  get membership(): Membership {
    if (this.#membership === undefined) {
      throw new Error(`${this.name} has not joined`);
    }
    return this.#membership;
  }

  /** By what it was told. */
  get owned(): readonly number[] {
    return [...this.#ledger.owners]
      .filter(([, owner]) => owner === this.name)
      .map(([partition]) => partition)
      .sort();
  }

  assigned(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) {
      this.events.push(`assigned ${String(partition)}`);
      this.#ledger.take(this.name, partition);
    }
    return Promise.resolve();
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    this.events.push(...partitions.map((partition) => `revoking ${String(partition)}`));
    await this.revocation();
    for (const partition of partitions) {
      this.events.push(`revoked ${String(partition)}`);
      this.#ledger.release(this.name, partition);
    }
  }

  failed(error: Error): void {
    this.errors.push(error);
  }
}
