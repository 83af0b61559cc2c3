/**
 * The only importer of lmdb. A sorted map of bytes to bytes with atomic, ordered writes.
 *
 * How lmdb-js 3.5 behaves, and what follows from it:
 * - With `overlappingSync` every commit ends in a sync on the thread that wrote it; only `batch` and the
 *   other asynchronous writes do that off the event loop (`transactionSync` syncs on the caller's).
 * - The map grows by itself when it is full, so `MDB_MAP_FULL` never limits the file: the ceiling is
 *   kept by the caller from `usage()`. The address space is reserved at once, so the map never moves.
 * - Values below 16 MiB are copied into one buffer that the next read overwrites: `get` is for a caller
 *   that copies or decodes at once.
 * - Removing or replacing a large value reads its first page from the map. A log removes what it wrote
 *   longest ago, and under a memory limit that page is no longer cached. Readahead would then read megabytes
 *   around it (the disk's setting) and drive out pages still needed: hence `noReadAhead`. Its price: a
 *   backlog that is not cached, as after a reboot, is read page by page.
 */
import { open, type RootDatabase, type Transaction } from 'lmdb';
import { BrokerError } from '../errors.ts';
import type { KeyRange } from './keys.ts';

export interface PutOrRemove {
  readonly key: Uint8Array;
  /** Undefined removes. */
  readonly value: Uint8Array | undefined;
}

/** How a write failed; `code` is an errno or lmdb's own (negative) number. */
export class StoreWriteError extends BrokerError {
  override readonly name = 'StoreWriteError';
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

export interface StoreUsage {
  /** Bytes of the pages that hold data now. */
  readonly live: number;
  /** Bytes of the file that are or were in use; free pages inside are used again. */
  readonly extent: number;
}

export interface OrderedStore {
  /** The value, valid until the next call of any method. */
  get(key: Uint8Array): Uint8Array | undefined;
  keys(range: KeyRange): Iterable<Uint8Array>;
  /** The entries at one moment; keys and values are copies. `done` must be called. */
  snapshot(range: KeyRange): Snapshot;
  /** The same of those of these keys that are there. A value is valid only until the next entry, or call of any method. */
  snapshotOf(keys: Iterable<Uint8Array>): Snapshot;
  /**
   * All or nothing. Resolves when visible; `flushed` when on stable storage. The bytes must not change
   * until then.
   * @throws StoreWriteError
   */
  write(operations: readonly PutOrRemove[]): Promise<{ readonly flushed: Promise<void> }>;
  usage(): StoreUsage;
  close(): Promise<void>;
}

export interface StoreEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface Snapshot {
  readonly entries: Iterable<StoreEntry>;
  readonly done: () => void;
}

export interface OrderedStoreOptions {
  readonly directory: string;
  /** Address space to reserve; not a limit. */
  readonly addressBytes: number;
  /** Go back to the last flushed transaction, as after a loss of power. */
  readonly safeRestore: boolean;
}

/**
 * @throws Error of lmdb, as it comes.
 */
export function openOrderedStore(options: OrderedStoreOptions): OrderedStore {
  const db = open<Uint8Array, Uint8Array>({
    path: options.directory,
    noSubdir: false,
    mapSize: options.addressBytes,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxDbs: 1,
    maxReaders: 64,
    eventTurnBatching: false,
    overlappingSync: true,
    noReadAhead: true,
    separateFlushed: true,
    ...(options.safeRestore ? { safeRestore: true } : {}),
  } as Parameters<typeof open<Uint8Array, Uint8Array>>[0]);
  let lastWriteFailed = false;
  return {
    get: (key) => exactly(db.getBinaryFast(key)),
    keys: (range) => db.getKeys({ start: range.start, end: range.end }),
    snapshot: ({ end, start }) => snapshot(db, (transaction) => db.getRange({ start, end, transaction })),
    snapshotOf: (keys) => snapshot(db, (transaction) => entriesOf(db, keys, transaction)),
    write: async (operations) => {
      lastWriteFailed = true;
      const visible = await write(db, operations);
      lastWriteFailed = false;
      return visible;
    },
    usage: () => usageOf(db),
    close: async () => {
      if (lastWriteFailed) {
        // After a failed write `close` waits for a flush that never comes; an empty one takes its place.
        await db.remove(Uint8Array.of(0)).catch(() => undefined);
      }
      await db.close();
    },
  };
}

/** lmdb-js shortens its one read buffer by overriding `length`, which typed-array methods ignore. */
function exactly(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined ? undefined : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

interface BinaryReads {
  getBinaryFast(key: Uint8Array, options: { readonly transaction: Transaction }): Uint8Array | undefined;
}

function snapshot(
  db: RootDatabase<Uint8Array, Uint8Array>,
  entries: (transaction: Transaction) => Iterable<StoreEntry>,
): Snapshot {
  const transaction = db.useReadTransaction();
  return {
    entries: entries(transaction),
    done: () => {
      transaction.done();
    },
  };
}

function* entriesOf(
  db: RootDatabase<Uint8Array, Uint8Array>,
  keys: Iterable<Uint8Array>,
  transaction: Transaction,
): Generator<StoreEntry> {
  for (const key of keys) {
    // The types know of no options; the function does.
    const value = exactly((db as unknown as BinaryReads).getBinaryFast(key, { transaction }));
    if (value !== undefined) {
      yield { key, value };
    }
  }
}

async function write(
  db: RootDatabase<Uint8Array, Uint8Array>,
  operations: readonly PutOrRemove[],
): Promise<{ readonly flushed: Promise<void> }> {
  const written = db.batch(() => {
    for (const { key, value } of operations) {
      if (value === undefined) {
        void db.remove(key);
      } else {
        void db.put(key, value);
      }
    }
  }) as Promise<boolean> & { readonly flushed?: PromiseLike<unknown> };
  const flushed = written.flushed;
  try {
    await written;
  } catch (error) {
    throw await writeErrorOf(error);
  }
  return { flushed: Promise.resolve(flushed).then(() => undefined) };
}

/** lmdb-js rejects every write of a transaction with a promise of the one cause in `commitError`. */
async function writeErrorOf(error: unknown): Promise<StoreWriteError> {
  let cause = error;
  const promised = (error as { readonly commitError?: PromiseLike<unknown> }).commitError;
  if (promised !== undefined) {
    try {
      await promised;
    } catch (thrown) {
      cause = thrown;
    }
  }
  const { message, code } = cause as { readonly message?: string; readonly code?: unknown };
  return new StoreWriteError(message ?? String(cause), typeof code === 'number' ? code : Number.NaN);
}

interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

function usageOf(db: RootDatabase<Uint8Array, Uint8Array>): StoreUsage {
  const stats = db.getStats() as TreeStats & {
    readonly pageSize: number;
    readonly lastPageNumber: number;
    readonly free: TreeStats;
  };
  const pages = (tree: TreeStats): number =>
    tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
  return {
    live: (pages(stats) + pages(stats.free) + 2) * stats.pageSize,
    extent: (stats.lastPageNumber + 1) * stats.pageSize,
  };
}
