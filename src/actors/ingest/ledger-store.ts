import type { Broker, Transaction } from '../../broker/broker.ts';
import { partitionOf } from '../../broker/partitioner.ts';
import { CLOSED_PREFIX, FILE_PREFIX, TOTALS_KEY } from '../topics.ts';
import {
  decodeLedgerEntry,
  decodeTotals,
  encodeLedgerEntry,
  encodeTotals,
  type LedgerEntry,
  type LedgerTotals,
  NO_FILES,
} from './ledger.ts';

/** The ledger's place in the broker: which partition a path belongs to, and its committed entries. */
export interface LedgerStore {
  readonly table: string;
  partitionOf(path: string): number;
  entry(path: string): Promise<LedgerEntry | undefined>;
  totals(partition: number): Promise<LedgerTotals>;
}

export function ledgerStore(broker: Broker, table: string, partitions: number): LedgerStore {
  const owner = (path: string): number => partitionOf(path, partitions);
  return {
    table,
    partitionOf: owner,
    async entry(path) {
      const stored = await broker.tableGet(table, owner(path), FILE_PREFIX + path);
      return stored === undefined ? undefined : decodeLedgerEntry(stored);
    },
    async totals(partition) {
      const stored = await broker.tableGet(table, partition, TOTALS_KEY);
      return stored === undefined ? NO_FILES : decodeTotals(stored);
    },
  };
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
  transaction.put(store.table, partition, FILE_PREFIX + entry.path, encodeLedgerEntry(entry));
  putTotals(transaction, store, partition, totals);
}

export function putTotals(
  transaction: Transaction,
  store: LedgerStore,
  partition: number,
  totals: LedgerTotals,
): void {
  transaction.put(store.table, partition, TOTALS_KEY, encodeTotals(totals));
}
