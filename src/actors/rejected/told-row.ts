import type { ResultOf } from '../../admin/commands.ts';
import type { LedgerEntry } from '../ingest/ledger.ts';
import type { ListedRow } from './rejected-rows.ts';

export type ToldRow = ResultOf<'rejected.show'>;

/** A rejected row as it is told outside. On the log it knows its file by the id only: `files` has the path. */
export function toldRow(
  { redriven, rejectedAt, row }: ListedRow,
  files: ReadonlyMap<string, LedgerEntry>,
): ToldRow {
  const { file, id, message, reason, record, row: bytes, stage } = row;
  return {
    id,
    reason,
    message,
    stage,
    file: file === undefined ? null : { ...file, path: file.path ?? files.get(file.id)?.path ?? null },
    record: record ?? null,
    row: bytes,
    rejectedAt: new Date(rejectedAt).toISOString(),
    redriven,
  };
}
