import type { ResultOf } from '../../admin/commands.ts';
import { CommandError } from '../../admin/outcome.ts';
import { readToEnd } from '../../broker/read-to-end.ts';
import { decodeOrigin } from '../../rows/origin.ts';
import { fileAccountAt, fileAccounts } from '../ingest/file-accounts.ts';
import { toldFile } from '../ingest/told-file.ts';
import type { LedgerEntry } from '../ingest/ledger.ts';
import type { ModelPorts } from '../models/model-at.ts';
import { putRetry } from '../settings/run-time-settings.ts';
import { readTotals } from '../totals.ts';
import type { CommandPorts, Handler, SharedHandler } from './command-ports.ts';
import { modelPorts } from './model-commands.ts';

export function fileCommands(ports: CommandPorts): {
  readonly 'files.list': Handler<'files.list'>;
  readonly 'files.show': Handler<'files.show'>;
} {
  return {
    'files.list': async ({ limit, state }, call) => {
      const accounts = await fileAccounts(modelPorts(ports, call));
      const found = accounts.filter(({ entry }) => state === undefined || entry.state === state);
      return { found: found.length, files: found.slice(0, limit).map(toldFile) };
    },
    'files.show': async ({ path }, call) => {
      const own = modelPorts(ports, call);
      const account = await fileAccountAt(own, path);
      if (account === undefined) {
        throw new CommandError(
          'not-found',
          `no file ${path} is in the ledger: name it relative to the input folder, as files list does`,
        );
      }
      return { ...toldFile(account), offsets: await offsetsOf(own, account.entry) };
    },
  };
}

/** Which replica the file falls to finds it by what is committed here. */
export function retryFiles(ports: CommandPorts): SharedHandler<'files.retry'> {
  return async ({ path }, call, transaction) => {
    const accounts = await fileAccounts(modelPorts(ports, call));
    const failed = accounts.filter(({ entry }) => entry.state === 'failed').map(({ entry }) => entry.path);
    const files = failed.filter((each) => path === undefined || each === path);
    if (path !== undefined && files.length === 0) {
      throw new CommandError('not-found', `${path} is not among the files that failed: ${inWords(failed)}`);
    }
    const { settings, topics } = ports;
    for (const each of [...settings.set.retries.keys()].filter((asked) => !failed.includes(asked))) {
      putRetry(transaction, topics.settings, each, null);
    }
    for (const each of files) {
      putRetry(transaction, topics.settings, each, call.context.clock.now());
    }
    return { result: { files } };
  };
}

const MOST_NAMED = 10;

function inWords(paths: readonly string[]): string {
  if (paths.length === 0) {
    return 'none has';
  }
  const more = paths.length > MOST_NAMED ? `, and ${String(paths.length - MOST_NAMED)} more` : '';
  return `${paths.slice(0, MOST_NAMED).join(', ')}${more}`;
}

/** Records before the first and behind the last one of a file: clocks of replicas and broker differ. */
const MARGIN_MS = 60_000;

/** Looks through the part of the log that was written while the file was read. */
async function offsetsOf(
  { broker, clock, partitions, signal, topics }: ModelPorts,
  entry: LedgerEntry,
): Promise<ResultOf<'files.show'>['offsets']> {
  const { nextOffsets } = await readTotals(broker, topics, partitions);
  const found: ResultOf<'files.show'>['offsets'] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const { end } = await broker.offsets(topics.rows, partition);
    const from = await broker.offsetAt(topics.rows, partition, entry.claimedAt - MARGIN_MS);
    if (from === undefined) {
      continue;
    }
    const done = nextOffsets[partition] ?? 0;
    const of = { partition, first: -1, last: -1, rows: 0, done: 0 };
    const reader = await broker.openReader(topics.rows, partition, from);
    try {
      const last = entry.state === 'reading' ? Infinity : entry.changedAt + MARGIN_MS;
      search: for await (const records of readToEnd(reader, end, clock, signal)) {
        for (const { headers, offset, timestamp } of records) {
          if (timestamp > last) {
            break search;
          }
          const header = headers[topics.originHeader];
          const origin = header === undefined ? undefined : decodeOrigin(header);
          if (origin?.fileId === entry.fileId) {
            of.first = of.first < 0 ? offset : of.first;
            of.last = offset;
            of.rows += origin.lines.length;
            of.done += offset < done ? origin.lines.length : 0;
          }
        }
      }
    } finally {
      await reader.close();
    }
    if (of.first >= 0) {
      found.push(of);
    }
  }
  return found;
}
