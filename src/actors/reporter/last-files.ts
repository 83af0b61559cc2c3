import type { LedgerEntry } from '../ingest/ledger.ts';
import { ledgerEntries, type LedgerPorts } from '../ingest/file-accounts.ts';

/** Most files that a report names. */
const SHOWN = 20;

export interface LastFiles {
  /** Those that changed last, the newest first. */
  readonly last: readonly LedgerEntry[];
  /** Paths of the files that were asked for, by their ids. */
  readonly paths: ReadonlyMap<string, string>;
}

/** Goes through the ledger once and keeps little of it: there may be many files. */
export async function lastFiles(ports: LedgerPorts, wanted: ReadonlySet<string>): Promise<LastFiles> {
  let last: LedgerEntry[] = [];
  const paths = new Map<string, string>();
  for await (const entry of ledgerEntries(ports)) {
    if (wanted.has(entry.fileId)) {
      paths.set(entry.fileId, entry.path);
    }
    last.push(entry);
    if (last.length >= 2 * SHOWN) {
      last = newest(last);
    }
  }
  return { last: newest(last), paths };
}

function newest(entries: readonly LedgerEntry[]): LedgerEntry[] {
  return entries.toSorted((a, b) => b.changedAt - a.changedAt || b.order - a.order).slice(0, SHOWN);
}
