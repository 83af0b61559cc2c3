import type { Broker } from '../../broker/broker.ts';
import { decodeProgress } from '../partition/progress.ts';
import { CLOSED_PREFIX, FILE_PREFIX, PROGRESS_KEY, type TopicNames } from '../topics.ts';
import { decodeLedgerEntry, type LedgerEntry } from './ledger.ts';

export interface LedgerPorts {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partitions: number;
}

/** What has become of the rows of one file so far, wherever that was decided. */
export interface FileAccount {
  readonly entry: LedgerEntry;
  /** Read and not rejected: counted, or on its way through the log. */
  readonly accepted: number;
  /** By the publisher and by later stages, without those that were redriven. */
  readonly rejected: number;
}

/** All files of the ledger, those included that were replaced, in the order in which they were claimed. */
export async function fileAccounts(ports: LedgerPorts): Promise<readonly FileAccount[]> {
  const later = await rejectedLater(ports);
  const accounts: FileAccount[] = [];
  for await (const entry of ledgerEntries(ports)) {
    const rejected = entry.rejected + (later.get(entry.fileId) ?? 0);
    accounts.push({ entry, accepted: entry.read - rejected, rejected });
  }
  return accounts.sort((a, b) => a.entry.claimedAt - b.entry.claimedAt || a.entry.order - b.entry.order);
}

/** The file that is at this path, or was last; undefined where none ever was. */
export async function fileAccountAt(ports: LedgerPorts, path: string): Promise<FileAccount | undefined> {
  // What is at the path now comes after all that was there before.
  return (await fileAccounts(ports)).findLast(({ entry }) => entry.path === path);
}

/** Entries as committed, of all partitions. */
export async function* ledgerEntries({
  broker,
  partitions,
  topics,
}: LedgerPorts): AsyncGenerator<LedgerEntry> {
  for (let partition = 0; partition < partitions; partition++) {
    await broker.refreshTable(topics.files, partition);
    for (const prefix of [FILE_PREFIX, CLOSED_PREFIX]) {
      for await (const { value } of broker.tableEntries(topics.files, partition, prefix)) {
        yield decodeLedgerEntry(value);
      }
    }
  }
}

/** By file id: rows that the partitions rejected, less those that were redriven. */
async function rejectedLater({
  broker,
  partitions,
  topics,
}: LedgerPorts): Promise<ReadonlyMap<string, number>> {
  const later = new Map<string, number>();
  for (let partition = 0; partition < partitions; partition++) {
    await broker.refreshTable(topics.regions, partition);
    const stored = await broker.tableGet(topics.regions, partition, PROGRESS_KEY);
    if (stored === undefined) {
      continue;
    }
    const { redriven, rejectedByFile } = decodeProgress(stored);
    for (const [file, rows] of Object.entries(rejectedByFile)) {
      later.set(file, (later.get(file) ?? 0) + rows);
    }
    for (const [file, rows] of Object.entries(redriven.byFile)) {
      later.set(file, (later.get(file) ?? 0) - rows);
    }
  }
  return later;
}
