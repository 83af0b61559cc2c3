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
  /** Entries of files that were begun and not finished: being read, or being deleted or moved. */
  unfinished(): AsyncIterable<LedgerEntry>;
  partitionOf(path: string): number;
  entry(path: string): Promise<LedgerEntry | undefined>;
  totals(partition: number): Promise<LedgerTotals>;
}

/** @param source `source.name`: another name means other files */
export function ledgerStore(broker: Broker, table: string, partitions: number, source: string): LedgerStore {
  const owner = (path: string): number => partitionOf(path, partitions);
  return {
    table,
    partitionOf: owner,
    async entry(path) {
      const stored = await broker.tableGet(table, owner(path), entryKey(source, path));
      return stored === undefined ? undefined : decodeLedgerEntry(stored);
    },
    async *unfinished() {
      for (let partition = 0; partition < partitions; partition++) {
        for await (const { value } of broker.tableEntries(table, partition, FILE_PREFIX)) {
          const entry = decodeLedgerEntry(value);
          if (entry.source === source && (entry.state === 'reading' || isSettling(entry))) {
            yield entry;
          }
        }
      }
    },
    totals: (partition) => ledgerTotals(broker, table, partition),
  };
}

export async function ledgerTotals(broker: Broker, table: string, partition: number): Promise<LedgerTotals> {
  const stored = await broker.tableGet(table, partition, TOTALS_KEY);
  return stored === undefined ? NO_FILES : decodeTotals(stored);
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
  transaction.put(store.table, partition, TOTALS_KEY, encodeTotals(totals));
}
