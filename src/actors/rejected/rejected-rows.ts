import { readToEnd } from '../../broker/read-to-end.ts';
import type { Clock } from '../../system/clock.ts';
import type { LedgerEntry } from '../ingest/ledger.ts';
import { ledgerEntries, type LedgerPorts } from '../ingest/file-accounts.ts';
import { RedrivenMarks } from './redriven.ts';
import { parseRejectedRow, type RejectedRow } from './rejected-row.ts';

export interface RejectedPorts extends LedgerPorts {
  readonly clock: Clock;
}

/** A row as it was set aside, and what has become of it since. */
export interface ListedRow {
  readonly row: RejectedRow;
  /** Wall-clock ms at which it was rejected. */
  readonly rejectedAt: number;
  readonly redriven: boolean;
}

/** Which rows are meant; what is not given matches all. */
export interface RejectedFilter {
  readonly ids?: ReadonlySet<string>;
  readonly reason?: string;
  /** Path relative to the input folder, or file id. */
  readonly file?: string;
}

const REJECTED_PARTITION = 0;

/**
 * The rejected rows that are kept, the oldest first, each once: a rewind rejects a row of the log again,
 * under the same id.
 * @param last so many of the last records are looked at.
 */
export async function* rejectedRows(
  ports: RejectedPorts,
  filter: RejectedFilter,
  signal: AbortSignal,
  last = Infinity,
): AsyncGenerator<ListedRow> {
  const { broker, clock, partitions, topics } = ports;
  const marks = new RedrivenMarks(broker, topics.files, partitions);
  await marks.refresh();
  const files = filter.file === undefined ? undefined : await fileIds(ports, filter.file);
  const { end, first } = await broker.offsets(topics.rejected, REJECTED_PARTITION);
  const from = Math.max(first, end - last);
  const reader = await broker.openReader(topics.rejected, REJECTED_PARTITION, from);
  // Only what was rejected from the log can be rejected from there again.
  const seen = new Set<string>();
  try {
    for await (const records of readToEnd(reader, end, clock, signal)) {
      for (const { timestamp, value } of records) {
        const row = value === null ? undefined : parseRejectedRow(value);
        if (row === undefined || !matches(row, filter, files) || seen.has(row.id)) {
          continue;
        }
        if (row.record !== undefined) {
          seen.add(row.id);
        }
        yield { row, rejectedAt: timestamp, redriven: (await marks.of(row.id)) !== undefined };
      }
    }
  } finally {
    await reader.close();
  }
}

function matches(
  { file, id, reason }: RejectedRow,
  filter: RejectedFilter,
  files: ReadonlySet<string> | undefined,
): boolean {
  return (
    (filter.ids?.has(id) ?? true) &&
    (filter.reason === undefined || filter.reason === reason) &&
    (files === undefined || (file !== undefined && files.has(file.id)))
  );
}

/** All files that were ever at this path, and the one of this id. */
async function fileIds(ports: RejectedPorts, file: string): Promise<ReadonlySet<string>> {
  const ids = new Set([file]);
  for await (const entry of ledgerEntries(ports)) {
    if (entry.path === file) {
      ids.add(entry.fileId);
    }
  }
  return ids;
}

/** The ledger's entries by file id, those included that were replaced. */
export async function ledgerByFileId(ports: RejectedPorts): Promise<ReadonlyMap<string, LedgerEntry>> {
  const entries = new Map<string, LedgerEntry>();
  for await (const entry of ledgerEntries(ports)) {
    entries.set(entry.fileId, entry);
  }
  return entries;
}
