import type { ResultOf } from '../../admin/commands.ts';
import type { FileAccount } from './file-accounts.ts';

export type ToldFile = ResultOf<'files.list'>['files'][number];

/** A file of the ledger as it is told outside. */
export function toldFile({ accepted, entry, rejected }: FileAccount): ToldFile {
  const { by, byte, changedAt, claimedAt, fileId, path, problem, read, size, source, state } = entry;
  return {
    path,
    id: fileId,
    source,
    state,
    rows: { read, accepted, rejected },
    bytes: { read: byte, size },
    claimedAt: new Date(claimedAt).toISOString(),
    changedAt: new Date(changedAt).toISOString(),
    by: by ?? null,
    problem: problem ?? null,
  };
}
