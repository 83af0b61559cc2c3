/** The topics of a store: their specs, ids and partitions, as stored and as declared. */
import { z } from 'zod';
import type { Retention, TopicSpec } from '../broker.ts';
import { BrokerError, StoreUnusableError, TopicMismatchError } from '../errors.ts';
import {
  batchHeadOf,
  batchRange,
  formatKey,
  type KeyRange,
  partitionKey,
  topicKey,
  topicNameOf,
  topicRange,
} from './keys.ts';
import type { OrderedStore } from './lmdb.ts';
import { decodePartitionState, PartitionLog } from './partition-log.ts';

const STORE_FORMAT = 1;
const PRODUCT = 'geoflock';
const MAX_PARTITIONS = 65_536;

const storedFormat = z.object({ product: z.literal(PRODUCT), format: z.number() });
const storedTopic = z.object({
  id: z.number().int().nonnegative(),
  kind: z.enum(['log', 'table']),
  partitions: z.number().int().positive(),
});

export interface Topic {
  readonly name: string;
  readonly id: number;
  readonly kind: 'log' | 'table';
  readonly partitions: number;
  /** One a partition; empty for a table. */
  readonly logs: readonly PartitionLog[];
  retention: Retention | undefined;
}

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

export class Catalog {
  readonly #topics = new Map<string, Topic>();

  /**
   * Reads the catalog of an open store.
   * @throws StoreUnusableError when the store is not one of this format version.
   */
  static read(store: OrderedStore, directory: string): Catalog {
    checkFormat(store, directory);
    const catalog = new Catalog();
    for (const { key, value } of collect(store, topicRange())) {
      const name = topicNameOf(key);
      const spec = parse(storedTopic, value, directory);
      catalog.#topics.set(name, openTopic(store, name, spec));
    }
    return catalog;
  }

  get topics(): Iterable<Topic> {
    return this.#topics.values();
  }

  /**
   * Checks `specs` against what exists.
   * @returns the topics to be created, with the entries that record them
   * @throws TopicMismatchError
   */
  check(specs: readonly TopicSpec[]): {
    readonly created: readonly Topic[];
    readonly entries: readonly Entry[];
  } {
    const created = new Map<string, Topic>();
    let id = Math.max(-1, ...[...this.#topics.values()].map((topic) => topic.id)) + 1;
    for (const spec of specs) {
      if (!Number.isInteger(spec.partitions) || spec.partitions < 1 || spec.partitions > MAX_PARTITIONS) {
        throw new TopicMismatchError(
          `topic ${spec.name}: ${String(spec.partitions)} partitions asked for, 1 to ${String(MAX_PARTITIONS)} are possible`,
        );
      }
      const existing = this.#topics.get(spec.name) ?? created.get(spec.name);
      if (existing === undefined) {
        created.set(spec.name, newTopic(spec.name, { ...spec, id: id++ }));
      } else {
        checkSame(spec, existing);
      }
    }
    const entries = [...created.values()].map(
      ({ name, id: topicId, kind, partitions }): Entry => [
        topicKey(name),
        Buffer.from(JSON.stringify({ id: topicId, kind, partitions })),
      ],
    );
    return { created: [...created.values()], entries };
  }

  /** Takes over the created topics and the retention of all `specs`. */
  adopt(created: readonly Topic[], specs: readonly TopicSpec[]): void {
    for (const topic of created) {
      this.#topics.set(topic.name, topic);
    }
    for (const spec of specs) {
      const topic = this.#topics.get(spec.name);
      if (topic !== undefined) {
        topic.retention = spec.retention;
      }
    }
  }

  /** Numbers of all partitions of a log or a table. @throws BrokerError when it was not declared */
  partitions(name: string): readonly number[] {
    const topic = this.#topics.get(name);
    if (topic === undefined) {
      throw new BrokerError(`topic ${name} was not declared`);
    }
    return Array.from({ length: topic.partitions }, (_, partition) => partition);
  }

  /** @throws BrokerError when it was not declared, or is of the other kind */
  topic(name: string, kind: 'log' | 'table'): Topic {
    const topic = this.#topics.get(name);
    if (topic?.kind !== kind) {
      throw new BrokerError(
        topic === undefined
          ? `topic ${name} was not declared`
          : `topic ${name} is a ${topic.kind}, not a ${kind}`,
      );
    }
    return topic;
  }

  log(name: string, partition: number): PartitionLog {
    const topic = this.topic(name, 'log');
    const log = topic.logs[partition];
    if (log === undefined) {
      throw noPartition(topic, partition);
    }
    return log;
  }

  tableId(name: string, partition: number): number {
    const topic = this.topic(name, 'table');
    if (!Number.isInteger(partition) || partition < 0 || partition >= topic.partitions) {
      throw noPartition(topic, partition);
    }
    return topic.id;
  }
}

/** The entry that makes an empty store one of ours. */
export function formatEntry(): Entry {
  return [formatKey, Buffer.from(JSON.stringify({ product: PRODUCT, format: STORE_FORMAT }))];
}

function checkFormat(store: OrderedStore, directory: string): void {
  const format = store.get(formatKey);
  if (format === undefined) {
    if (collect(store, { start: Uint8Array.of(0), end: Uint8Array.of(255) }, 1).length > 0) {
      throw new StoreUnusableError(
        `the store in ${directory} was not written by Geoflock: name an empty or new directory`,
      );
    }
    return;
  }
  const found = parse(storedFormat, format, directory).format;
  if (found !== STORE_FORMAT) {
    throw new StoreUnusableError(
      `the store in ${directory} has format version ${String(found)}, this program knows ${String(STORE_FORMAT)}: use ` +
        'the version of Geoflock that wrote it, or name a new directory',
    );
  }
}

function checkSame(spec: TopicSpec, existing: Topic): void {
  if (spec.kind !== existing.kind) {
    throw new TopicMismatchError(
      `topic ${spec.name} is a ${existing.kind} in this store and a ${spec.kind} is expected: correct the ` +
        'configuration, or start with a new directory',
    );
  }
  if (spec.partitions !== existing.partitions) {
    throw new TopicMismatchError(
      `topic ${spec.name} has ${String(existing.partitions)} partitions in this store and ${String(spec.partitions)} are ` +
        `expected: set the number to ${String(existing.partitions)}, or start with a new directory`,
    );
  }
}

function parse<T>(schema: z.ZodType<T>, value: Uint8Array, directory: string): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(value).toString('utf8')));
  } catch (error) {
    throw new StoreUnusableError(
      `the store in ${directory} is damaged or was not written by Geoflock: restore it from a backup, or name a new directory`,
      { cause: error },
    );
  }
}

function newTopic(name: string, spec: z.infer<typeof storedTopic>): Topic {
  const logs =
    spec.kind === 'table'
      ? []
      : Array.from({ length: spec.partitions }, (_, partition) => new PartitionLog(name, spec.id, partition));
  return { name, id: spec.id, kind: spec.kind, partitions: spec.partitions, logs, retention: undefined };
}

function openTopic(store: OrderedStore, name: string, spec: z.infer<typeof storedTopic>): Topic {
  const topic = newTopic(name, spec);
  for (const log of topic.logs) {
    const state = store.get(partitionKey(log.topicId, log.partition));
    const decoded = state === undefined ? undefined : decodePartitionState(state);
    log.restore(batchHeads(store, batchRange(log.topicId, log.partition)), decoded);
  }
  return topic;
}

function* batchHeads(store: OrderedStore, range: KeyRange): Iterable<ReturnType<typeof batchHeadOf>> {
  for (const key of store.keys(range)) {
    yield batchHeadOf(key);
  }
}

function collect(
  store: OrderedStore,
  range: KeyRange,
  limit = Number.POSITIVE_INFINITY,
): { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  const found: { readonly key: Uint8Array; readonly value: Uint8Array }[] = [];
  const { entries, done } = store.snapshot(range);
  try {
    for (const entry of entries) {
      found.push(entry);
      if (found.length >= limit) {
        break;
      }
    }
  } finally {
    done();
  }
  return found;
}

function noPartition(topic: Topic, partition: number): BrokerError {
  return new BrokerError(
    `topic ${topic.name} has partitions 0 to ${String(topic.partitions - 1)}, not ${String(partition)}`,
  );
}
