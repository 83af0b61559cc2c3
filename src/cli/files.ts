import { type FileAccount, fileAccounts } from '../actors/ingest/file-accounts.ts';
import type { Configuration } from '../config/schema.ts';
import { grouped } from '../report/text.ts';
import { EXIT_OK, type Output } from './usage.ts';
import { withState } from './with-state.ts';

/** `geoflock files`: a line a file, in the order in which they were claimed. */
export async function filesCommand(
  configuration: Configuration,
  { json }: { readonly json: boolean },
  output: Output,
): Promise<number> {
  return await withState(configuration, output, async (state) => {
    const accounts = await fileAccounts(state);
    for (const account of accounts) {
      output.out(`${json ? asJson(account) : asLine(account)}\n`);
    }
    output.err(`${grouped(accounts.length)} files\n`);
    return EXIT_OK;
  });
}

/** Tab-separated: path, state, rows read, accepted and rejected, and what the problem was. */
function asLine({ accepted, entry, rejected }: FileAccount): string {
  const { path, problem, read, state } = entry;
  const rows = `${String(read)} read, ${String(accepted)} accepted, ${String(rejected)} rejected`;
  return [path, state, rows, ...(problem === undefined ? [] : [problem])].join('\t');
}

function asJson({ accepted, entry, rejected }: FileAccount): string {
  const { byte, changedAt, claimedAt, fileId, path, problem, read, size, source, state } = entry;
  return JSON.stringify({
    path,
    id: fileId,
    source,
    state,
    rows: { read, accepted, rejected },
    bytes: { read: byte, size },
    claimedAt: new Date(claimedAt).toISOString(),
    changedAt: new Date(changedAt).toISOString(),
    ...(problem === undefined ? {} : { problem }),
  });
}
