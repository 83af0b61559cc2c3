/**
 * The broker port: what Geoflock needs of a partitioned durable log with transactions.
 *
 * Two adapters implement it, `embedded/` (lmdb, the default) and `kafka/`; one conformance suite runs
 * against each. Everything exactly-once stands on four promises of this file:
 *
 * 1. A transaction's records and table entries become visible together or not at all.
 * 2. Opening a writer fences every earlier writer of the same name: their commits reject with
 *    `FencedError` and leave no trace.
 * 3. Records of one partition are read in the order of their offsets; offsets only grow, and may
 *    have gaps.
 * 4. `Committed.flushed` resolves when the commit survives the loss of power. A source is settled,
 *    and a commit acknowledged outward, only after it.
 */

/** A log record as a producer hands it over. */
export interface OutgoingRecord {
  readonly key: string | null;
  readonly value: Uint8Array | null;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly headers?: RecordHeaders;
}

export type RecordHeaders = Readonly<Record<string, Uint8Array | string>>;

/** A log record as it is read back. `key` and `value` are valid only until the reader's next read. */
export interface LogRecord {
  readonly offset: number;
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
  readonly headers: Readonly<Record<string, Uint8Array>>;
}

export interface TableEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Up to where a table partition was read; of use for the broker alone that gave it, and while that is open. */
export interface TableMark {
  readonly view: object;
  readonly at: number;
}

/** Why a topic exists; decides retention (`log`) or compaction (`table`). */
export interface TopicSpec {
  readonly name: string;
  readonly kind: 'log' | 'table';
  /** Fixed for the life of the store: a mismatch with an existing topic refuses to start. */
  readonly partitions: number;
  /** Logs only. Without it nothing is ever removed. */
  readonly retention?: Retention;
}

export interface Retention {
  /** Of the whole topic, over all its partitions; `Infinity`: no limit. */
  readonly bytes: number;
  readonly ageMs: number;
  /**
   * Whether what is not consumed (see `Broker.consumedUpTo`) is kept whatever its size and age. True
   * unless said otherwise; false suits a topic that Geoflock itself never reads.
   */
  readonly retainUnconsumed?: boolean;
}

export interface Broker {
  readonly kind: 'embedded' | 'kafka';

  /**
   * Creates the topics that are missing, unless they are to be there, and checks those that exist.
   * @returns the names of those it created.
   * @throws TopicMismatchError naming topic, expected and found partitions, and the remedy; with
   * `missing: 'refuse'` also where a topic is missing.
   */
  declareTopics(topics: readonly TopicSpec[], missing?: 'create' | 'refuse'): Promise<readonly string[]>;

  /**
   * Opens the writer `name`, fencing any earlier one of that name. With `claim`, the membership is
   * confirmed with the group first: an owner that slept through its expulsion must not fence the
   * rightful one. Waits while the broker cannot be reached, until `claim.signal` aborts.
   * @throws NotOwnerError the partition is not, or no longer, this process's.
   */
  openWriter(name: string, claim?: OwnershipClaim): Promise<Writer>;

  /**
   * Joins `group` over all partitions of `topic`, a log or a table. What this process owns is told to `listener`;
   * `revoked` is awaited before the partitions can be handed to somebody else, where the broker
   * allows that.
   */
  join(group: string, topic: string, listener: AssignmentListener): Promise<Membership>;

  /** Reads one partition of a log from `offset` (the first existing offset at or after it). */
  openReader(topic: string, partition: number, offset: number): Promise<PartitionReader>;

  /** First retained offset, and the offset the next record will get. */
  offsets(topic: string, partition: number): Promise<{ readonly first: number; readonly end: number }>;

  /**
   * How far a reader comes now: up to the end, or to the first transaction that is still open, of whomever.
   */
  readableEnd(topic: string, partition: number): Promise<number>;

  /**
   * Offset of the first retained record of which the timestamp (ms since the epoch) is `timestamp` or
   * later; undefined where there is none.
   */
  offsetAt(topic: string, partition: number, timestamp: number): Promise<number | undefined>;

  /**
   * Brings what `tableEntries` and `tableGet` answer for a table partition up to everything that was
   * committed before the call, by whomever. What this process commits itself they show at once.
   */
  refreshTable(table: string, partition: number): Promise<void>;

  /**
   * All live entries of one table partition as last refreshed, in ascending order of their keys.
   * @param since a mark of the partition: only entries that were put since it was made need be told, with others or
   * without; of entries that were removed nothing is told. Their bytes are valid until the next call with a mark of
   * the partition.
   */
  tableEntries(
    table: string,
    partition: number,
    prefix?: string,
    since?: TableMark,
  ): AsyncIterable<TableEntry>;

  /** `tableEntries` tells all that was put before the mark to whoever asks from now on. */
  tableMark(table: string, partition: number): Promise<TableMark>;

  /** One live entry as last refreshed; the bytes are the caller's own. */
  tableGet(table: string, partition: number, key: string): Promise<Uint8Array | undefined>;

  /**
   * Tells that everything below `offset` is durably reflected in committed state: retention may
   * remove it, and it no longer counts as unconsumed.
   */
  consumedUpTo(topic: string, partition: number, offset: number): Promise<void>;

  /**
   * Takes back what `consumedUpTo` told: from `offset` on everything is to be consumed again, and
   * retention keeps what is there of it.
   */
  consumeAgainFrom(topic: string, partition: number, offset: number): Promise<void>;

  /** Unconsumed part of a log, over all its partitions. Kafka's is not bounded by us: zero there. */
  unconsumed(topic: string): { readonly bytes: number; readonly records: number };

  close(): Promise<void>;
}

export interface AssignmentListener {
  assigned(partitions: readonly number[], membership: Membership): Promise<void>;
  revoked(partitions: readonly number[]): Promise<void>;
  /** Membership was lost for good (not a rebalance): the owner must fail loudly. */
  failed(error: Error): void;
}

/** Why this process may write as the owner of a partition. */
export interface OwnershipClaim {
  readonly membership: Membership;
  readonly partition: number;
  /** Ends the wait for a broker that cannot be reached. */
  readonly signal?: AbortSignal;
}

export interface Membership {
  readonly group: string;
  /** Partitions that were told to `assigned` and not yet to `revoked`. */
  readonly owned: readonly number[];
  leave(): Promise<void>;
}

export interface Writer {
  readonly name: string;
  /** One transaction at a time; a second `begin` before commit or abort throws. */
  begin(): Transaction;
  close(): Promise<void>;
}

export interface Transaction {
  /** Appends records to one partition of a log, in order. The value bytes are copied or written before `commit` resolves; do not change them until then. */
  append(topic: string, partition: number, records: readonly OutgoingRecord[]): void;
  /** Sets a table entry, or removes it (`null`). */
  put(table: string, partition: number, key: string, value: Uint8Array | null): void;
  /**
   * Makes everything visible at once.
   * @throws FencedError another writer of this name was opened since.
   * @throws BrokerFullError no room on disk or in the map; nothing was written, may be tried again.
   * @throws UnknownOutcomeError it is not known whether it took effect: reopen and restore.
   */
  commit(): Promise<Committed>;
  abort(): Promise<void>;
}

export interface Committed {
  /** Resolves when the commit is on stable storage. */
  readonly flushed: Promise<void>;
}

export interface PartitionReader {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the next record that `read` will return. */
  readonly position: number;
  /** Whether `read` has something to return without waiting. */
  readonly ready: boolean;
  /**
   * The next records, together about `maxBytes` of values but at least one record. Waits at the end
   * of the partition until there is something; resolves with an empty list when `signal` aborts.
   * The bytes of a batch are valid until the next call.
   */
  read(maxBytes: number, signal: AbortSignal): Promise<readonly LogRecord[]>;
  close(): Promise<void>;
}
