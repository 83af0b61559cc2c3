import type {
  AssignmentListener,
  Broker,
  Membership,
  PartitionReader,
  TopicSpec,
  Writer,
} from '../../../src/broker/broker.ts';
import type { openBroker } from '../../../src/open-broker.ts';
import { openBroker as openConfigured } from '../../../src/open-broker.ts';

type OpenBroker = typeof openBroker;

interface Member {
  readonly name: string;
  readonly listener: AssignmentListener;
  readonly membership: Membership;
  readonly owned: Set<number>;
}

interface Group {
  readonly members: Map<string, Member>;
  /** Who is to own each partition: as asked for by the test. */
  readonly wanted: Map<number, string>;
}

/**
 * One store for several replicas in one process, with the groups that an embedded store does not need:
 * each member sees it as a broker of its own, and the test says who owns what.
 */
export class SharedStore {
  #broker: Promise<Broker> | undefined;
  #users = 0;
  readonly #groups = new Map<string, Group>();

  /** The names of all transactions begun, for those who look at the order of things. */
  readonly writers: string[] = [];

  /** Says who is to own partitions of a group, before anybody has joined it. */
  want(group: string, owners: Readonly<Record<string, readonly number[]>>): void {
    const { wanted } = this.#groupOf(group);
    for (const [member, partitions] of Object.entries(owners)) {
      for (const partition of partitions) {
        wanted.set(partition, member);
      }
    }
  }

  /** How the replica `name` opens the store. */
  openAs(name: string): OpenBroker {
    return async (configuration, options) => {
      this.#broker ??= openConfigured(configuration, options);
      const broker = await this.#broker;
      this.#users++;
      return this.#viewOf(name, broker);
    };
  }

  /** Hands a partition over as Kafka's cooperative groups do: the former owner lets go first. */
  async move(group: string, partition: number, to: string): Promise<void> {
    const { members, wanted } = this.#groupOf(group);
    const from = members.get(wanted.get(partition) ?? '');
    wanted.set(partition, to);
    if (from?.owned.has(partition) === true) {
      await from.listener.revoked([partition]);
      from.owned.delete(partition);
    }
    await this.#give(group, to, [partition]);
  }

  /** Gives a partition to another while its owner sleeps, and does not know. */
  async steal(group: string, partition: number, to: string): Promise<() => Promise<void>> {
    const { members, wanted } = this.#groupOf(group);
    const from = members.get(wanted.get(partition) ?? '');
    from?.owned.delete(partition);
    wanted.set(partition, to);
    await this.#give(group, to, [partition]);
    return async () => {
      await from?.listener.revoked([partition]);
    };
  }

  #groupOf(name: string): Group {
    const group = this.#groups.get(name) ?? { members: new Map(), wanted: new Map() };
    this.#groups.set(name, group);
    return group;
  }

  async #give(group: string, to: string, partitions: readonly number[]): Promise<void> {
    const member = this.#groupOf(group).members.get(to);
    if (member !== undefined && partitions.length > 0) {
      for (const partition of partitions) {
        member.owned.add(partition);
      }
      await member.listener.assigned(partitions, member.membership);
    }
  }

  #viewOf(name: string, broker: Broker): Broker {
    const partitionsOf = new Map<string, number>();
    return {
      kind: 'kafka',
      declareTopics: (topics: readonly TopicSpec[], missing) => {
        for (const { name: topic, partitions } of topics) {
          partitionsOf.set(topic, partitions);
        }
        return broker.declareTopics(topics, missing);
      },
      openWriter: async (writer, claim): Promise<Writer> => {
        const opened = await broker.openWriter(writer, claim);
        this.writers.push(`${name} ${writer}`);
        return opened;
      },
      join: (group, topic, listener) => this.#join(name, group, partitionsOf.get(topic) ?? 0, listener),
      openReader: (topic, partition, offset): Promise<PartitionReader> =>
        broker.openReader(topic, partition, offset),
      offsets: (topic, partition) => broker.offsets(topic, partition),
      readableEnd: (topic, partition) => broker.readableEnd(topic, partition),
      offsetAt: (topic, partition, timestamp) => broker.offsetAt(topic, partition, timestamp),
      refreshTable: (table, partition) => broker.refreshTable(table, partition),
      tableEntries: (table, partition, prefix, since) => broker.tableEntries(table, partition, prefix, since),
      tableMark: (table, partition) => broker.tableMark(table, partition),
      tableGet: (table, partition, key) => broker.tableGet(table, partition, key),
      consumedUpTo: (topic, partition, offset) => broker.consumedUpTo(topic, partition, offset),
      consumeAgainFrom: (topic, partition, offset) => broker.consumeAgainFrom(topic, partition, offset),
      unconsumed: () => ({ bytes: 0, records: 0 }),
      close: async () => {
        this.#users--;
        if (this.#users === 0) {
          this.#broker = undefined;
          await broker.close();
        }
      },
    };
  }

  async #join(
    name: string,
    groupName: string,
    partitions: number,
    listener: AssignmentListener,
  ): Promise<Membership> {
    const group = this.#groupOf(groupName);
    const owned = new Set<number>();
    const membership: Membership = {
      group: groupName,
      get owned() {
        return [...owned];
      },
      leave: async () => {
        group.members.delete(name);
        const left = [...owned];
        await listener.revoked(left);
        owned.clear();
        const [heir] = group.members.keys();
        if (heir !== undefined) {
          for (const partition of left) {
            group.wanted.set(partition, heir);
          }
          await this.#give(groupName, heir, left);
        }
      },
    };
    group.members.set(name, { name, listener, membership, owned });
    // Who comes first gets what nobody is to have.
    for (let partition = 0; partition < partitions; partition++) {
      if (!group.wanted.has(partition)) {
        group.wanted.set(partition, name);
      }
    }
    const mine = [...group.wanted].filter(([, owner]) => owner === name).map(([partition]) => partition);
    await this.#give(groupName, name, mine);
    return membership;
  }
}
