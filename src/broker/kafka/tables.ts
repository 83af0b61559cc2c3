import type { Clock } from '../../system/clock.ts';
import { nextTurn } from '../../system/event-loop.ts';
import type { Logger } from '../../system/logger.ts';
import type { TableEntry, TableMark } from '../broker.ts';
import { type FeedFetcher, PartitionFeed } from './feed.ts';
import type { KafkaConnections } from './kafkajs.ts';
import { endOffset } from './offsets.ts';
import { persist } from './retry.ts';
import { HeldBack, TableView } from './table-view.ts';
import type { AppliedEntry } from './writer.ts';

/**
 * A view that was not read for so long is read anew: compaction keeps the removal of an entry only for the
 * topic's `delete.retention.ms`, and who comes later would keep the entry for ever.
 */
const ANEW_AFTER_MS = 3_600_000;
/** Decoded between two turns of the event loop while a table is read. */
const PIECE_BYTES = 256 * 1024;
/** Handed out between two turns of the event loop. */
const SLICE_BYTES = 256 * 1024;
const SLICE_ENTRIES = 256;

export interface KafkaTablesOptions {
  readonly connections: Pick<KafkaConnections, 'leader' | 'refresh'>;
  readonly fetcher: FeedFetcher;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
}

interface TablePartition {
  readonly view: TableView;
  readonly feed: PartitionFeed;
  /** What was read behind the view's position, and is shown when all of its transactions are there. */
  readonly heldBack: HeldBack;
  /** All of the log below it was read. */
  readTo: number;
  /** Where the view is whole next: no transaction lies on both sides of it. */
  whole: number;
  /** Somebody may have looked at the view. */
  shown: boolean;
  /** By the wall clock: the brokers' goes on too while a machine sleeps. */
  readAt: number;
  /** Up to where it is to be read. */
  target: number;
  reading: Promise<void> | undefined;
  refreshed: Promise<void> | undefined;
}

/** The table partitions that this process looks at, each in memory. */
export class KafkaTables {
  readonly #options: KafkaTablesOptions;
  readonly #partitions = new Map<string, TablePartition>();

  constructor(options: KafkaTablesOptions) {
    this.#options = options;
  }

  /**
   * Reads up to everything committed before the call: up to the end as it is now, also behind transactions
   * that are open; they end by their timeout.
   */
  async refresh(table: string, partition: number): Promise<void> {
    const { clock, connections, log, signal } = this.#options;
    const known = this.#current(table, partition);
    const before = known.view.position;
    const end = await persist(() => endOffset(connections, table, partition), {
      what: `refreshing ${table}-${String(partition)}`,
      clock,
      log,
      signal,
      onTrouble: (error) => connections.refresh(error),
    });
    // The answer may have been long in coming.
    const held = this.#current(table, partition);
    if (held === known && end < before) {
      held.feed.outOfRange(0, end);
    }
    held.target = Math.max(held.target, end);
    held.feed.fetchUpTo(Math.max(held.target, held.whole));
    throwFailure(held.feed);
    while (held.view.position < end) {
      // Who comes while it is read joins in: the loop goes on to the later target.
      held.reading ??= this.#read(held).finally(() => {
        held.reading = undefined;
        held.readAt = clock.now();
      });
      await held.reading;
    }
    held.readAt = clock.now();
    held.shown = true;
    held.refreshed = Promise.resolve();
  }

  /** Told of each own commit, in the order of the offsets. */
  applied(table: string, partition: number, entries: readonly AppliedEntry[]): void {
    // What nobody has looked at is read from the log when somebody does.
    this.#partitions.get(keyOf(table, partition))?.view.applied(entries);
  }

  async get(table: string, partition: number, key: string): Promise<Uint8Array | undefined> {
    const view = await this.#refreshedOnce(table, partition);
    const value = view.get(key);
    return value === undefined ? undefined : new Uint8Array(value);
  }

  async mark(table: string, partition: number): Promise<TableMark> {
    const view = await this.#refreshedOnce(table, partition);
    return { view, at: view.version };
  }

  async *entries(
    table: string,
    partition: number,
    prefix: string,
    since?: TableMark,
  ): AsyncGenerator<TableEntry> {
    const view = await this.#refreshedOnce(table, partition);
    let bytes = 0;
    let count = 0;
    // A mark of a view that was read anew tells nothing of this one.
    for (const entry of view.entries(prefix, since?.view === view ? since.at : 0)) {
      yield entry;
      bytes += entry.value.byteLength;
      count++;
      if (bytes >= SLICE_BYTES || count >= SLICE_ENTRIES) {
        await nextTurn();
        this.#options.signal.throwIfAborted();
        bytes = 0;
        count = 0;
      }
    }
  }

  close(reason: string): void {
    for (const { feed } of this.#partitions.values()) {
      feed.end(reason);
    }
  }

  /** The view as it is, or an empty one in place of one that has seen nothing for too long. */
  #current(table: string, partition: number): TablePartition {
    const held = this.#held(table, partition);
    const idle = held.reading === undefined && this.#options.clock.now() - held.readAt >= ANEW_AFTER_MS;
    // Before the first record an own commit may stand alone in the view: it too may be out of date.
    if (!idle || (held.view.position === 0 && held.view.size === 0)) {
      return held;
    }
    held.feed.end('the table is read anew');
    this.#partitions.delete(keyOf(table, partition));
    this.#options.log.debug({ table, partition }, 'table not read for long: read anew');
    return this.#held(table, partition);
  }

  #held(table: string, partition: number): TablePartition {
    const key = keyOf(table, partition);
    let held = this.#partitions.get(key);
    if (held === undefined) {
      const { fetcher, log } = this.#options;
      held = {
        view: new TableView(),
        feed: new PartitionFeed({ topic: table, partition, offset: 0, fetcher, log }),
        heldBack: new HeldBack(),
        readTo: 0,
        whole: 0,
        shown: false,
        readAt: this.#options.clock.now(),
        target: 0,
        reading: undefined,
        refreshed: undefined,
      };
      this.#partitions.set(key, held);
    }
    return held;
  }

  async #refreshedOnce(table: string, partition: number): Promise<TableView> {
    for (;;) {
      const held = this.#held(table, partition);
      held.refreshed ??= this.refresh(table, partition).catch((error: unknown) => {
        held.refreshed = undefined;
        throw error;
      });
      await held.refreshed;
      // Unless it was read anew meanwhile.
      if (held === this.#held(table, partition)) {
        return held.view;
      }
    }
  }

  /**
   * Reads on until the view has come to the target. It moves from one place to another that no transaction
   * lies across: a writer's transaction is seen as a whole or not at all.
   */
  async #read(held: TablePartition): Promise<void> {
    const { feed, view } = held;
    while (view.position < held.target) {
      if (feed.ready) {
        await nextTurn();
      } else if (feed.position <= held.readTo) {
        await feed.moved();
      }
      throwFailure(feed);
      if (held.whole < held.target && held.whole < feed.stable) {
        held.whole = feed.stable;
        feed.fetchUpTo(Math.max(held.target, held.whole));
      }
      const records = feed.take(PIECE_BYTES, held.whole);
      held.readTo = feed.position;
      if (held.shown) {
        held.heldBack.add(records);
      } else {
        view.read(records, view.position);
      }
      if (held.readTo >= held.whole) {
        view.read(held.heldBack.takeAll(), held.readTo);
      }
    }
  }
}

function throwFailure({ failure }: PartitionFeed): void {
  if (failure !== undefined) {
    throw failure;
  }
}

function keyOf(table: string, partition: number): string {
  return `${table}-${String(partition)}`;
}
