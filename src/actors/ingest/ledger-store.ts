import { createHash } from 'node:crypto';
import type { Broker, Transaction } from '../../broker/broker.ts';
import { partitionOf } from '../../broker/partitioner.ts';
import { CLOSED_PREFIX, FILE_PREFIX, TOTALS_KEY } from '../topics.ts';
import {
  decodeLedgerEntry,
  decodeTotals,
  encodeLedgerEntry,
  encodeTotals,
  isSettling,
  type LedgerEntry,
  type LedgerTotals,
  NO_FILES,
} from './ledger.ts';

const LONGEST_PATH_KEY = 1024;

/** The ledger's place in the broker: which partition a path belongs to, and its committed entries. */
export interface LedgerStore {
  readonly table: string;
  readonly partitions: number;
  /** Key of the sums over the files of one partition. */
  readonly totalsKey: string;
  /** Name of the writer of a partition: whoever opens it fences all others of the same name. */
  writerName(partition: number): string;
  /** Entries of files of a partition that were begun and not finished: being read, or being deleted or moved. */
  unfinished(partition: number): AsyncIterable<LedgerEntry>;
  partitionOf(path: string): number;
  entry(path: string): Promise<LedgerEntry | undefined>;
  totals(partition: number): Promise<LedgerTotals>;
  /** Brings the answers up to what others have committed. */
  refresh(partition: number): Promise<void>;
}

export interface LedgerPlace {
  readonly table: string;
  readonly partitions: number;
  /** `source.name`: another name means other files. */
  readonly source: string;
  /**
   * `shared`: each partition has one writer among all replicas. `local`: each replica, known by its
   * source's name, writes about its own files to every partition, beside the others.
   */
  readonly ownership: 'shared' | 'local';
}

export function ledgerStore(
  broker: Broker,
  { ownership, partitions, source, table }: LedgerPlace,
): LedgerStore {
  const owner = (path: string): number => partitionOf(path, partitions);
  const shared = ownership === 'shared';
  const totalsKey = shared ? TOTALS_KEY : `${TOTALS_KEY}/${source}`;
  return {
    table,
    partitions,
    totalsKey,
    writerName: (partition) => `publisher-${shared ? '' : `${source}-`}${String(partition)}`,
    partitionOf: owner,
    async entry(path) {
      const stored = await broker.tableGet(table, owner(path), entryKey(source, path));
      return stored === undefined ? undefined : decodeLedgerEntry(stored);
    },
    async *unfinished(partition) {
      for await (const { value } of broker.tableEntries(table, partition, FILE_PREFIX)) {
        const entry = decodeLedgerEntry(value);
        if (entry.source === source && (entry.state === 'reading' || isSettling(entry))) {
          yield entry;
        }
      }
    },
    async totals(partition) {
      const stored = await broker.tableGet(table, partition, totalsKey);
      return stored === undefined ? NO_FILES : decodeTotals(stored);
    },
    refresh: (partition) => broker.refreshTable(table, partition),
  };
}

/** The sums of one partition, of each replica that keeps its own. */
export async function* ledgerTotals(
  broker: Broker,
  table: string,
  partition: number,
): AsyncGenerator<LedgerTotals> {
  for await (const { key, value } of broker.tableEntries(table, partition, TOTALS_KEY)) {
    if (key === TOTALS_KEY || key.startsWith(`${TOTALS_KEY}/`)) {
      yield decodeTotals(value);
    }
  }
}

/** A path may be longer than a key: then its hash stands for it. No source has an empty name. */
function entryKey(source: string, path: string): string {
  return Buffer.byteLength(path) <= LONGEST_PATH_KEY
    ? `${FILE_PREFIX}${source}/${path}`
    : `${FILE_PREFIX}/${createHash('sha256').update(`${source}/${path}`).digest('hex')}`;
}

/** Puts an entry and its partition's totals; an entry of another file that it replaces is archived. */
export function putEntry(
  transaction: Transaction,
  store: LedgerStore,
  entry: LedgerEntry,
  totals: LedgerTotals,
  replaced?: LedgerEntry,
): void {
  const partition = store.partitionOf(entry.path);
  const keep = replaced !== undefined && (replaced.byte > 0 || replaced.state !== 'failed');
  if (keep && replaced.fileId !== entry.fileId) {
    transaction.put(store.table, partition, CLOSED_PREFIX + replaced.fileId, encodeLedgerEntry(replaced));
  }
  transaction.put(store.table, partition, entryKey(entry.source, entry.path), encodeLedgerEntry(entry));
  putTotals(transaction, store, partition, totals);
}

export function putTotals(
  transaction: Transaction,
  store: LedgerStore,
  partition: number,
  totals: LedgerTotals,
): void {
  transaction.put(store.table, partition, store.totalsKey, encodeTotals(totals));
}
