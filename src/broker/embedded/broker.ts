/**
 * The embedded broker: a partitioned durable log and its tables in one lmdb file, owned by one process.
 *
 * ```
 * writers --commit--> commit queue --one store transaction at a time--> lmdb
 *                          | visible                                     |
 * readers <---woken--- partition logs (index of batches in memory)    copies of batches
 * ```
 * A commit is visible and flushed at about the same time: lmdb-js tells of a write once it is synced.
 */
import { resolve } from 'node:path';
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
import { BrokerError, missingTopics, NotOwnerError, StoreUnusableError } from '../errors.ts';
import { firstRecordSince } from '../read-to-end.ts';
import type { Arena } from './arena.ts';
import { Catalog, formatEntry } from './catalog.ts';
import { CommitQueue } from './commit-queue.ts';
import { entryKey, entryNameOf, entryRange, writerKey } from './keys.ts';
import { type OrderedStore, openOrderedStore, type Snapshot } from './lmdb.ts';
import { EmbeddedReader } from './reader.ts';
import { planRemovals, type Removal } from './retention.ts';
import { prepareDirectory } from './store-files.ts';
import { lockStore, type StoreLock } from './store-lock.ts';
import { TableChanges } from './table-changes.ts';
import { PutEntries, RecordConsumed, RemoveBatches } from './upkeep.ts';
import { EmbeddedWriter } from './writer.ts';

export interface EmbeddedBrokerOptions {
  readonly directory: string;
  /** Ceiling of the file in bytes. A sixteenth of it is kept for removing. */
  readonly mapBytes: number;
  readonly log: Logger;
  readonly clock: Clock;
  /** Open at the last flushed transaction instead of the last committed one. */
  readonly safeRestore?: boolean;
}

export interface EmbeddedBroker extends Broker {
  readonly kind: 'embedded';
  /** Bytes of the pages that hold data, and the ceiling they are held against. */
  usage(): { readonly liveBytes: number; readonly fileBytes: number; readonly ceilingBytes: number };
}

const MIN_MAP_BYTES = 4 * 1024 * 1024;
/** Address space beyond the ceiling, so that the map need never move. */
const EXTRA_ADDRESS_BYTES = 64 * 1024 * 1024;
const UPKEEP_EVERY_MS = 1000;
const CLOSE_WITHIN_MS = 20_000;
const UPKEEP_AGAIN_MS = 5;
const REMOVALS_A_GROUP = 64;
/** Bytes of table entries handed out before other work gets a turn. */
const RESTORE_SLICE_BYTES = 256 * 1024;
const RESTORE_SLICE_ENTRIES = 256;
/** For reads that are bound to end. */
const NEVER = new AbortController().signal;

/**
 * Opens the store in `options.directory`, creating it where there is none.
 * @throws StoreLockedError another process owns it
 * @throws StoreUnusableError not writable, not a store, damaged, or of another format version
 */
export async function openEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const directory = resolve(options.directory);
  if (!(options.mapBytes >= MIN_MAP_BYTES)) {
    throw new StoreUnusableError(
      `the store in ${directory}: a ceiling of ${String(options.mapBytes)} bytes, at least ${String(MIN_MAP_BYTES)} are needed`,
    );
  }
  prepareDirectory(directory);
  const lock = await lockStore(directory);
  let store: OrderedStore | undefined;
  try {
    store = openStore(directory, options);
    const broker = new LmdbBroker(options, directory, lock, store);
    await broker.start();
    return broker;
  } catch (error) {
    await store?.close();
    await lock.release();
    throw error;
  }
}

function openStore(directory: string, options: EmbeddedBrokerOptions): OrderedStore {
  try {
    return openOrderedStore({
      directory,
      addressBytes: Math.ceil((options.mapBytes * 1.25 + EXTRA_ADDRESS_BYTES) / 65_536) * 65_536,
      safeRestore: options.safeRestore ?? false,
    });
  } catch (error) {
    throw new StoreUnusableError(
      `the store in ${directory} cannot be opened (${error instanceof Error ? error.message : String(error)}): restore ` +
        'it from a backup, or name a new directory',
      { cause: error },
    );
  }
}

class LmdbBroker implements EmbeddedBroker {
  readonly kind = 'embedded';
  readonly #options: EmbeddedBrokerOptions;
  readonly #directory: string;
  readonly #lock: StoreLock;
  readonly #store: OrderedStore;
  readonly #catalog: Catalog;
  readonly #commits: CommitQueue;
  readonly #epochs = new Map<string, number>();
  readonly #members = new Set<string>();
  readonly #readers = new Set<EmbeddedReader>();
  /** Of the table partitions of which somebody has a mark. */
  readonly #changes = new Map<number, TableChanges>();
  #declaring: Promise<unknown> = Promise.resolve();
  #cancelUpkeep: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  constructor(options: EmbeddedBrokerOptions, directory: string, lock: StoreLock, store: OrderedStore) {
    this.#options = options;
    this.#directory = directory;
    this.#lock = lock;
    this.#store = store;
    this.#catalog = Catalog.read(store, directory);
    this.#commits = new CommitQueue({
      store,
      directory,
      ceilingBytes: options.mapBytes,
      clock: options.clock,
      log: options.log,
      upkeep: () => {
        const removals = this.#removals();
        return removals.length > 0 ? new RemoveBatches(removals) : undefined;
      },
    });
  }

  async start(): Promise<void> {
    const { flushed } = await this.#commits.submit(new PutEntries([formatEntry()]));
    await flushed;
    this.#scheduleUpkeep(UPKEEP_EVERY_MS);
    this.#options.log.info({ directory: this.#directory, ...this.usage() }, 'embedded store opened');
  }

  declareTopics(
    specs: readonly TopicSpec[],
    missing: 'create' | 'refuse' = 'create',
  ): Promise<readonly string[]> {
    const declared = this.#declaring.then(() => this.#declare(specs, missing));
    this.#declaring = declared.catch(() => undefined);
    return declared;
  }

  async #declare(specs: readonly TopicSpec[], missing: 'create' | 'refuse'): Promise<readonly string[]> {
    const { created, entries } = this.#catalog.check(specs);
    if (missing === 'refuse' && created.length > 0) {
      throw missingTopics(created.map(({ name }) => name));
    }
    if (entries.length > 0) {
      await this.#commits.submit(new PutEntries(entries));
    }
    this.#catalog.adopt(created, specs);
    return created.map(({ name }) => name);
  }

  async openWriter(name: string, claim?: OwnershipClaim): Promise<Writer> {
    this.#checkOpen();
    if (claim !== undefined && !claim.membership.owned.includes(claim.partition)) {
      throw new NotOwnerError(
        `writer ${name}: partition ${String(claim.partition)} is not this member's of ${claim.membership.group}`,
      );
    }
    // From here on earlier writers fail: what they queued and is not under way finds a newer epoch.
    const epoch = this.#currentEpoch(name) + 1;
    this.#epochs.set(name, epoch);
    const value = Buffer.alloc(8);
    value.writeDoubleLE(epoch);
    await this.#commits.submit(new PutEntries([[writerKey(name), value]]));
    return new EmbeddedWriter(
      {
        commits: this.#commits,
        currentEpoch: (writer) => this.#currentEpoch(writer),
        log: (topic, partition) => this.#catalog.log(topic, partition),
        tableId: (table, partition) => this.#catalog.tableId(table, partition),
        changes: (table, partition) => this.#changes.get(partitionOf(table, partition)),
      },
      name,
      epoch,
    );
  }

  #currentEpoch(name: string): number {
    let epoch = this.#epochs.get(name);
    if (epoch === undefined) {
      const stored = this.#store.get(writerKey(name));
      epoch = stored === undefined ? 0 : Buffer.from(stored).readDoubleLE(0);
      this.#epochs.set(name, epoch);
    }
    return epoch;
  }

  async join(group: string, topic: string, listener: AssignmentListener): Promise<Membership> {
    this.#checkOpen();
    const partitions = this.#catalog.partitions(topic);
    const member = JSON.stringify([group, topic]);
    if (this.#members.has(member)) {
      throw new BrokerError(
        `group ${group} over ${topic} already has its one member: leave before joining again`,
      );
    }
    this.#members.add(member);
    let owned: readonly number[] = partitions;
    const membership: Membership = {
      group,
      get owned() {
        return owned;
      },
      leave: async () => {
        if (owned.length > 0) {
          owned = [];
          await listener.revoked(partitions);
          this.#members.delete(member);
        }
      },
    };
    try {
      await listener.assigned(partitions, membership);
    } catch (error) {
      this.#members.delete(member);
      throw error;
    }
    return membership;
  }

  async openReader(topic: string, partition: number, offset: number): Promise<PartitionReader> {
    this.#checkOpen();
    const log = this.#catalog.log(topic, partition);
    const reader = new EmbeddedReader(this.#store, log, offset, (closed) => {
      this.#readers.delete(closed);
    });
    this.#readers.add(reader);
    return Promise.resolve(reader);
  }

  async offsets(topic: string, partition: number): Promise<{ readonly first: number; readonly end: number }> {
    const { first, end } = this.#catalog.log(topic, partition);
    return Promise.resolve({ first, end });
  }

  /** No transaction is open in the log: what is there is committed. */
  async readableEnd(topic: string, partition: number): Promise<number> {
    return Promise.resolve(this.#catalog.log(topic, partition).end);
  }

  async offsetAt(topic: string, partition: number, timestamp: number): Promise<number | undefined> {
    const { end, index } = this.#catalog.log(topic, partition);
    const batch = index.firstSince(timestamp);
    if (batch === undefined) {
      return undefined;
    }
    const reader = await this.openReader(topic, partition, batch.base);
    return await firstRecordSince(reader, end, timestamp, this.#options.clock, NEVER);
  }

  refreshTable(table: string, partition: number): Promise<void> {
    this.#checkOpen();
    // Every commit is this process's own.
    this.#catalog.tableId(table, partition);
    return Promise.resolve();
  }

  async *tableEntries(
    table: string,
    partition: number,
    prefix = '',
    since?: TableMark,
  ): AsyncGenerator<TableEntry> {
    this.#checkOpen();
    const id = this.#catalog.tableId(table, partition);
    const { done, entries } =
      this.#changedEntries(id, partition, prefix, since) ??
      this.#store.snapshot(entryRange(id, partition, prefix));
    try {
      let bytes = 0;
      let count = 0;
      for (const { key, value } of entries) {
        const size = value.byteLength;
        yield { key: entryNameOf(key), value };
        bytes += size;
        count++;
        if (bytes >= RESTORE_SLICE_BYTES || count >= RESTORE_SLICE_ENTRIES) {
          await new Promise((next) => setImmediate(next));
          this.#checkOpen();
          bytes = 0;
          count = 0;
        }
      }
    } finally {
      if (this.#closing === undefined) {
        done();
      }
    }
  }

  tableMark(table: string, partition: number): Promise<TableMark> {
    this.#checkOpen();
    const of = partitionOf(this.#catalog.tableId(table, partition), partition);
    let view = this.#changes.get(of);
    if (view === undefined) {
      view = new TableChanges(this.#commits.staged);
      this.#changes.set(of, view);
    }
    return Promise.resolve({ view, at: this.#commits.visible });
  }

  /** What was put since the mark; undefined where that is not known. */
  #changedEntries(
    table: number,
    partition: number,
    prefix: string,
    since: TableMark | undefined,
  ): Snapshot | undefined {
    const changes = this.#changes.get(partitionOf(table, partition));
    if (changes === undefined || since?.view !== changes) {
      return undefined;
    }
    const changed = changes.since(since.at, prefix);
    if (changed === undefined) {
      return undefined;
    }
    const keys = changed.map((name) => entryKey(table, partition, name)).sort((a, b) => Buffer.compare(a, b));
    const { done, entries } = this.#store.snapshotOf(keys);
    changes.arena.reset();
    return { done, entries: copies(entries, changes.arena) };
  }

  async tableGet(table: string, partition: number, key: string): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    const value = this.#store.get(entryKey(this.#catalog.tableId(table, partition), partition, key));
    return Promise.resolve(value?.slice());
  }

  async consumedUpTo(topic: string, partition: number, offset: number): Promise<void> {
    const log = this.#catalog.log(topic, partition);
    if (!(offset <= log.end)) {
      throw new BrokerError(
        `${topic}-${String(partition)}: consumed up to ${String(offset)}, but it ends at ${String(log.end)}`,
      );
    }
    if (offset > log.consumed) {
      await this.#commits.submit(new RecordConsumed(log, offset, 'onwards'));
      if (this.#removals().length > 0) {
        this.#commits.upkeep();
      }
    }
  }

  async consumeAgainFrom(topic: string, partition: number, offset: number): Promise<void> {
    const log = this.#catalog.log(topic, partition);
    if (offset < log.consumed) {
      await this.#commits.submit(new RecordConsumed(log, offset, 'back'));
    }
  }

  unconsumed(topic: string): { readonly bytes: number; readonly records: number } {
    let bytes = 0;
    let records = 0;
    for (const log of this.#catalog.topic(topic, 'log').logs) {
      bytes += log.unconsumedBytes;
      records += log.unconsumedRecords;
    }
    return { bytes, records };
  }

  usage(): { readonly liveBytes: number; readonly fileBytes: number; readonly ceilingBytes: number } {
    const { live, extent } = this.#store.usage();
    return { liveBytes: live, fileBytes: extent, ceilingBytes: this.#options.mapBytes };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#cancelUpkeep();
    for (const reader of [...this.#readers]) {
      reader.end('the broker is closed');
    }
    await this.#commits.close();
    await this.#withinTime(this.#store.close());
    await this.#lock.release();
  }

  /** A disk that hangs must not keep the process from ending. */
  async #withinTime(closed: Promise<void>): Promise<void> {
    let cancel: (() => void) | undefined;
    const late = new Promise<void>((next) => {
      cancel = this.#options.clock.after(CLOSE_WITHIN_MS, () => {
        this.#options.log.error({ directory: this.#directory }, 'the embedded store did not close in time');
        next();
      });
    });
    await Promise.race([closed, late]);
    cancel?.();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) {
      throw new BrokerError('the broker is closed');
    }
  }

  #removals(): readonly Removal[] {
    const now = this.#options.clock.now();
    const removals: Removal[] = [];
    for (const { logs, retention } of this.#catalog.topics) {
      if (retention !== undefined) {
        removals.push(...planRemovals(logs, retention, now, REMOVALS_A_GROUP));
      }
    }
    return removals;
  }

  #scheduleUpkeep(afterMs: number): void {
    this.#cancelUpkeep = this.#options.clock.after(afterMs, () => {
      const more = this.#removals().length > 0 && this.#commits.upkeep();
      this.#scheduleUpkeep(more ? UPKEEP_AGAIN_MS : UPKEEP_EVERY_MS);
    });
  }
}

/** One number for both: each has 16 bits in the store's keys. */
function partitionOf(table: number, partition: number): number {
  return table * 2 ** 16 + partition;
}

function* copies(entries: Snapshot['entries'], arena: Arena): Snapshot['entries'] {
  for (const { key, value } of entries) {
    const copy = arena.allocate(value.byteLength);
    copy.set(value);
    yield { key, value: copy };
  }
}
