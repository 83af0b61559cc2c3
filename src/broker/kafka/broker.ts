import { setMaxListeners } from 'node:events';
import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import type {
  AssignmentListener,
  Broker,
  Membership,
  OwnershipClaim,
  PartitionReader,
  TableEntry,
  TableMark,
  TopicSpec,
  Writer,
} from '../broker.ts';
import { BrokerError, NotOwnerError } from '../errors.ts';
import { firstRecordSince } from '../read-to-end.ts';
import { type Codec, codecNamed } from './codecs.ts';
import { Fetcher } from './fetcher.ts';
import { KafkaMembership } from './group.ts';
import { KafkaConnections, type KafkaSasl, type SocketFactory } from './kafkajs.ts';
import { offsetSince, partitionOffsets, stableOffset } from './offsets.ts';
import { KafkaReader } from './reader.ts';
import { persist } from './retry.ts';
import { KafkaTables } from './tables.ts';
import { declareTopics } from './topics.ts';
import { KafkaWriter } from './writer.ts';

export interface KafkaBrokerOptions {
  /** `host:port` of brokers to begin with. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Begins every transactional id, `<group>-<writer name>`. All replicas of one Geoflock have the same. */
  readonly group: string;
  readonly tls?: ConnectionOptions;
  readonly sasl?: KafkaSasl;
  readonly compression: 'none' | 'gzip' | 'lz4' | 'zstd';
  /** Of topics that are created; `auto` is three, or as many as there are brokers. */
  readonly replication: 'auto' | number;
  /** A member of a group that is not heard of for so long has lost its partitions. */
  readonly sessionTimeoutMs: number;
  /** After so long the broker aborts a transaction whose writer has gone. */
  readonly transactionTimeoutMs: number;
  /** How long to wait at the start for a broker that cannot be reached. While running it is waited out. */
  readonly waitForBrokerMs: number;
  /** What must be the same in all replicas: members of a group that differ are refused. */
  readonly fingerprint: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the wait at the start. */
  readonly signal?: AbortSignal;
  /** Stands between us and the network: a test loses replies there. */
  readonly socketFactory?: SocketFactory;
}

const CLOSED = 'the broker is closed';
/** How often a wait for the broker at the start is told of. */
const TELL_WAITING_EVERY_MS = 5_000;
/** For how long others wait for a member that neither rejoins nor leaves. */
const REBALANCE_TIMEOUT_MS = 60_000;
/** What is not left by then when the broker is closed is left to its session timeout. */
const LEAVE_WITHIN_MS = 2_000;

/**
 * Opens the adapter for a real Kafka, 3.x or 4.x.
 * @throws BrokerUnavailableError no broker could be reached within `waitForBrokerMs`.
 * @throws AccessDeniedError the credentials, or the certificate, were refused.
 */
export async function openKafkaBroker(options: KafkaBrokerOptions): Promise<Broker> {
  const broker = new KafkaBroker(options);
  try {
    await broker.start();
    return broker;
  } catch (error) {
    await broker.close();
    throw error;
  }
}

class KafkaBroker implements Broker {
  readonly kind = 'kafka';
  readonly #options: KafkaBrokerOptions;
  readonly #codec: Codec;
  readonly #closing = new AbortController();
  readonly #connections: KafkaConnections[] = [];
  readonly #admin: KafkaConnections;
  readonly #rows: Fetcher;
  readonly #tables: KafkaTables;
  readonly #tableFetcher: Fetcher;
  readonly #writers = new Map<string, KafkaConnections>();
  readonly #readers = new Set<KafkaReader>();
  readonly #memberships = new Map<KafkaMembership, string>();
  readonly #declared = new Map<string, TopicSpec>();
  #closed: Promise<void> | undefined;

  constructor(options: KafkaBrokerOptions) {
    const { clock, compression, log } = options;
    this.#options = options;
    // Everything that waits listens to it; a dozen is no leak.
    setMaxListeners(0, this.#closing.signal);
    this.#codec = codecNamed(compression);
    // What waits long has connections of its own: a broker answers those of one in order.
    this.#admin = this.#connect();
    this.#rows = new Fetcher({ connections: this.#connect(), clock, log });
    const tables = this.#connect();
    this.#tableFetcher = new Fetcher({ connections: tables, clock, log });
    this.#tables = new KafkaTables({
      connections: tables,
      fetcher: this.#tableFetcher,
      clock,
      log,
      signal: this.#closing.signal,
    });
  }

  async start(): Promise<void> {
    const { brokers, clock, log, signal, waitForBrokerMs } = this.#options;
    const began = clock.monotonic();
    let tell = began;
    await persist(() => this.#admin.refresh(), {
      what: 'connecting',
      clock,
      log,
      brokers,
      signal,
      untilMs: began + waitForBrokerMs,
      onTrouble: async () => {
        const now = clock.monotonic();
        if (now >= tell) {
          tell = now + TELL_WAITING_EVERY_MS;
          const waitedSeconds = Math.round((now - began) / 1000);
          log.info({ brokers, waitedSeconds, atMostSeconds: waitForBrokerMs / 1000 }, 'waiting for Kafka');
        }
        await Promise.resolve();
      },
    });
    log.info({ brokers }, 'connected to Kafka');
  }

  async declareTopics(
    specs: readonly TopicSpec[],
    missing: 'create' | 'refuse' = 'create',
  ): Promise<readonly string[]> {
    this.#checkOpen();
    const { clock, log, replication } = this.#options;
    const created = await declareTopics(this.#admin, specs, {
      missing,
      replication,
      clock,
      log,
      signal: this.#closing.signal,
    });
    for (const spec of specs) {
      this.#declared.set(spec.name, spec);
    }
    return created;
  }

  async openWriter(name: string, claim?: OwnershipClaim): Promise<Writer> {
    this.#checkOpen();
    const { clock, group, log, transactionTimeoutMs } = this.#options;
    const { signal } = this.#closing;
    return await KafkaWriter.open({
      name,
      transactionalId: `${group}-${name}`,
      connections: this.#writerConnections(name),
      codec: this.#codec,
      transactionTimeoutMs,
      clock,
      log,
      check: (topic, kind, partition) => {
        this.#check(topic, kind, partition);
      },
      applied: (table, partition, entries) => {
        this.#tables.applied(table, partition, entries);
      },
      confirm: claim === undefined ? undefined : () => confirmed(name, claim),
      signal: claim?.signal === undefined ? signal : AbortSignal.any([signal, claim.signal]),
    });
  }

  async join(group: string, topic: string, listener: AssignmentListener): Promise<Membership> {
    this.#checkOpen();
    const { clock, fingerprint, log, sessionTimeoutMs } = this.#options;
    const partitions = this.#partitionsOf(topic);
    const membership = new KafkaMembership({
      connections: this.#connect(),
      groupId: group,
      topic,
      partitions,
      sessionTimeoutMs,
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      fingerprint,
      listener,
      clock,
      log,
    });
    this.#memberships.set(membership, topic);
    try {
      await membership.joined;
    } catch (error) {
      this.#memberships.delete(membership);
      throw error;
    }
    return membership;
  }

  async openReader(topic: string, partition: number, offset: number): Promise<PartitionReader> {
    this.#checkOpen();
    this.#check(topic, 'log', partition);
    const options = { topic, partition, offset, fetcher: this.#rows, log: this.#options.log };
    const reader = new KafkaReader(options, (closed) => {
      this.#readers.delete(closed);
    });
    this.#readers.add(reader);
    return Promise.resolve(reader);
  }

  async offsets(topic: string, partition: number): Promise<{ readonly first: number; readonly end: number }> {
    this.#checkOpen();
    this.#check(topic, 'log', partition);
    return await this.#ask('asking for the offsets of', topic, partition, () =>
      partitionOffsets(this.#admin, topic, partition),
    );
  }

  async readableEnd(topic: string, partition: number): Promise<number> {
    this.#checkOpen();
    this.#check(topic, 'log', partition);
    return await this.#ask('asking for the end of', topic, partition, () =>
      stableOffset(this.#admin, topic, partition),
    );
  }

  async offsetAt(topic: string, partition: number, timestamp: number): Promise<number | undefined> {
    this.#checkOpen();
    this.#check(topic, 'log', partition);
    const about = await this.#ask('looking for a time in', topic, partition, () =>
      offsetSince(this.#admin, topic, partition, timestamp),
    );
    if (about === undefined) {
      return undefined;
    }
    // Kafka looks at markers too, which have times of their own: the record is there or behind it.
    const { end } = await this.offsets(topic, partition);
    const reader = await this.openReader(topic, partition, about);
    return await firstRecordSince(reader, end, timestamp, this.#options.clock, this.#closing.signal);
  }

  async refreshTable(table: string, partition: number): Promise<void> {
    this.#checkOpen();
    this.#check(table, 'table', partition);
    await this.#tables.refresh(table, partition);
  }

  async *tableEntries(
    table: string,
    partition: number,
    prefix = '',
    since?: TableMark,
  ): AsyncGenerator<TableEntry> {
    this.#checkOpen();
    this.#check(table, 'table', partition);
    yield* this.#tables.entries(table, partition, prefix, since);
  }

  async tableMark(table: string, partition: number): Promise<TableMark> {
    this.#checkOpen();
    this.#check(table, 'table', partition);
    return await this.#tables.mark(table, partition);
  }

  async tableGet(table: string, partition: number, key: string): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    this.#check(table, 'table', partition);
    return await this.#tables.get(table, partition, key);
  }

  /** Only shown: what Kafka's tools tell of the group. Retention is Kafka's, and no offset is read back. */
  async consumedUpTo(topic: string, partition: number, offset: number): Promise<void> {
    this.#checkOpen();
    this.#check(topic, 'log', partition);
    for (const [membership, of] of this.#memberships) {
      if (of === topic && membership.owned.includes(partition)) {
        await membership.commitOffset(partition, offset);
      }
    }
  }

  consumeAgainFrom(topic: string, partition: number, offset: number): Promise<void> {
    return this.consumedUpTo(topic, partition, offset);
  }

  unconsumed(topic: string): { readonly bytes: number; readonly records: number } {
    this.#check(topic, 'log', 0);
    return { bytes: 0, records: 0 };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#leaveGroups();
    this.#closing.abort(new BrokerError(CLOSED));
    for (const reader of [...this.#readers]) {
      reader.end(CLOSED);
    }
    this.#tables.close(CLOSED);
    this.#rows.close();
    this.#tableFetcher.close();
    await Promise.all(this.#connections.map((connections) => connections.close()));
  }

  /** So that others need not wait for the session to run out. */
  async #leaveGroups(): Promise<void> {
    const left = Promise.all([...this.#memberships.keys()].map((membership) => membership.leave()));
    let cancel: (() => void) | undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(LEAVE_WITHIN_MS, resolve);
    });
    await Promise.race([left, late]).catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'a consumer group could not be left');
    });
    cancel?.();
  }

  #connect(): KafkaConnections {
    const { brokers, clientId, log, sasl, socketFactory, tls } = this.#options;
    const connections = new KafkaConnections({
      brokers,
      clientId,
      log,
      ...(tls === undefined ? {} : { tls }),
      ...(sasl === undefined ? {} : { sasl }),
      ...(socketFactory === undefined ? {} : { socketFactory }),
    });
    this.#connections.push(connections);
    return connections;
  }

  /** One for each stage: what stands before the first hyphen. */
  #writerConnections(name: string): KafkaConnections {
    const [stage = name] = name.split('-', 1);
    let connections = this.#writers.get(stage);
    if (connections === undefined) {
      connections = this.#connect();
      this.#writers.set(stage, connections);
    }
    return connections;
  }

  async #ask<T>(what: string, topic: string, partition: number, work: () => Promise<T>): Promise<T> {
    const { clock, log } = this.#options;
    return await persist(work, {
      what: `${what} ${topic}-${String(partition)}`,
      clock,
      log,
      signal: this.#closing.signal,
      onTrouble: (error) => this.#admin.refresh(error),
    });
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) {
      throw new BrokerError(CLOSED);
    }
  }

  #partitionsOf(topic: string): number {
    const spec = this.#declared.get(topic);
    if (spec === undefined) {
      throw new BrokerError(`topic ${topic} was not declared`);
    }
    return spec.partitions;
  }

  #check(topic: string, kind: 'log' | 'table', partition: number): void {
    const partitions = this.#partitionsOf(topic);
    const declared = this.#declared.get(topic)?.kind;
    if (declared !== kind) {
      throw new BrokerError(`topic ${topic} is a ${String(declared)}, not a ${kind}`);
    }
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
      throw new BrokerError(
        `topic ${topic} has no partition ${String(partition)}, it has ${String(partitions)}: 0 to ${String(partitions - 1)}`,
      );
    }
  }
}

async function confirmed(name: string, { membership, partition }: OwnershipClaim): Promise<void> {
  if (!(membership instanceof KafkaMembership)) {
    throw new NotOwnerError(
      `writer ${name}: the membership of ${membership.group} is not one of this broker`,
    );
  }
  try {
    await membership.confirm(partition);
  } catch (error) {
    if (error instanceof NotOwnerError) {
      throw new NotOwnerError(`writer ${name}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
