import { MOST_LISTED, type ResultOf } from '../admin/commands.ts';
import { fileAccountAt, fileAccounts } from '../actors/ingest/file-accounts.ts';
import { type ToldFile, toldFile } from '../actors/ingest/told-file.ts';
import type { Configuration } from '../config/schema.ts';
import { grouped } from '../report/text.ts';
import { clientOf, type DoorFlags, tellingRefusals } from './admin/door.ts';
import { fileText } from './admin/render.ts';
import { eitherWay } from './either-way.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';

export interface FilesOptions {
  readonly json: boolean;
  readonly door: DoorFlags;
}

/** `geoflock files`: a line a file, in the order in which they were claimed. */
export async function filesCommand(
  configuration: Configuration,
  { door, json }: FilesOptions,
  output: Output,
): Promise<number> {
  const print = (files: readonly ToldFile[], found: number): number => {
    for (const file of files) {
      output.out(`${json ? asJson(file) : asLine(file)}\n`);
    }
    const cut = files.length < found ? `; the first ${grouped(files.length)} are shown` : '';
    output.err(`${grouped(found)} files${cut}\n`);
    return EXIT_OK;
  };
  return await eitherWay(configuration, door, output, {
    state: async (state) => {
      const accounts = await fileAccounts(state);
      return print(accounts.map(toldFile), accounts.length);
    },
    door: async (client) => {
      const { files, found } = await client.ask('files.list', { limit: MOST_LISTED });
      return print(files, found);
    },
  });
}

/** `geoflock files show`: what is known of the file at a path; of its rows on the log a running process tells. */
export async function showFileCommand(
  configuration: Configuration,
  { door, json, path }: FilesOptions & { readonly path: string },
  output: Output,
): Promise<number> {
  const print = (file: ToldFile & Partial<ResultOf<'files.show'>>): number => {
    output.out(json ? `${JSON.stringify(file)}\n` : `${fileText(file).join('\n')}\n`);
    return EXIT_OK;
  };
  return await eitherWay(configuration, door, output, {
    state: async (state) => {
      const account = await fileAccountAt(state, path);
      if (account === undefined) {
        output.err(`geoflock: no file ${path} is in the ledger: \`geoflock files\` lists those that are\n`);
        return EXIT_FAILURE;
      }
      return print(toldFile(account));
    },
    door: async (client) => print(await client.ask('files.show', { path })),
  });
}

/** `geoflock files retry`: asks the running process, for the next one tries them by itself. */
export async function retryFilesCommand(
  configuration: Configuration,
  { door, json, path }: FilesOptions & { readonly path: string | undefined },
  output: Output,
): Promise<number> {
  const client = await clientOf(configuration, door);
  return await tellingRefusals(output, async () => {
    const retried = await client.ask('files.retry', path === undefined ? {} : { path });
    const { files } = retried;
    output.out(json ? `${JSON.stringify(retried)}\n` : files.map((file) => `${file}\n`).join(''));
    output.err(`${grouped(files.length)} files are tried again\n`);
    return EXIT_OK;
  });
}

/** Tab-separated: path, state, rows read, accepted and rejected, and what the problem was. */
function asLine({ path, problem, rows, state }: ToldFile): string {
  const { accepted, read, rejected } = rows;
  const counts = `${String(read)} read, ${String(accepted)} accepted, ${String(rejected)} rejected`;
  return [path, state, counts, ...(problem === null ? [] : [problem])].join('\t');
}

function asJson({
  by,
  bytes,
  changedAt,
  claimedAt,
  id,
  path,
  problem,
  rows,
  source,
  state,
}: ToldFile): string {
  return JSON.stringify({
    path,
    id,
    source,
    state,
    rows,
    bytes,
    claimedAt,
    changedAt,
    ...(by === null ? {} : { by }),
    ...(problem === null ? {} : { problem }),
  });
}
