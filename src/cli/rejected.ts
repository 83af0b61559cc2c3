import { redrive, REDRIVE_BATCH, type RedriveOutcome } from '../actors/rejected/redrive.ts';
import type { RejectedRow } from '../actors/rejected/rejected-row.ts';
import {
  ledgerByFileId,
  type ListedRow,
  type RejectedFilter,
  rejectedRows,
} from '../actors/rejected/rejected-rows.ts';
import type { LedgerEntry } from '../actors/ingest/ledger.ts';
import type { Configuration } from '../config/schema.ts';
import { grouped } from '../report/text.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';
import { type OpenedState, withState } from './with-state.ts';

type Files = ReadonlyMap<string, LedgerEntry>;

export interface ListOptions {
  readonly filter: RejectedFilter;
  readonly limit: number;
  /** Also those that were redriven. */
  readonly all: boolean;
  readonly json: boolean;
}

/** `geoflock rejected list`: a line a row, the oldest first; how many there are on stderr. */
export async function listCommand(
  configuration: Configuration,
  { all, filter, json, limit }: ListOptions,
  output: Output,
): Promise<number> {
  return await withState(configuration, output, async (state) => {
    const files = await ledgerByFileId(state);
    let found = 0;
    let redriven = 0;
    let shown = 0;
    for await (const listed of rejectedRows(state, filter, state.signal)) {
      found++;
      redriven += Number(listed.redriven);
      if ((all || !listed.redriven) && shown < limit) {
        shown++;
        output.out(`${json ? asJson(listed, files) : asLine(listed, files)}\n`);
      }
    }
    const listable = all ? found : found - redriven;
    output.err(
      `${grouped(found - redriven)} rejected` +
        (redriven === 0 ? '' : `, ${grouped(redriven)} redriven${all ? '' : ' (--all shows them)'}`) +
        (shown < listable ? `; the first ${grouped(shown)} are shown (--limit)` : '') +
        '\n',
    );
    return EXIT_OK;
  });
}

/** `geoflock rejected show`: everything that is known of each row. */
export async function showCommand(
  configuration: Configuration,
  { ids, json }: { readonly ids: readonly string[]; readonly json: boolean },
  output: Output,
): Promise<number> {
  return await withState(configuration, output, async (state) => {
    const files = await ledgerByFileId(state);
    const missing = new Set(ids);
    for await (const listed of rejectedRows(state, { ids: new Set(ids) }, state.signal)) {
      missing.delete(listed.row.id);
      output.out(`${json ? asJson(listed, files) : inDetail(listed, files)}\n`);
    }
    return tellMissing(missing, output);
  });
}

export interface RedriveOptions {
  readonly filter: RejectedFilter;
  /** A line in the topic's columns to be sent in the place of the one row that is named. */
  readonly row: string | undefined;
  readonly json: boolean;
}

interface Tally {
  redriven: number;
  already: number;
  readonly stillRejected: { readonly id: string; readonly reason: string; readonly message: string }[];
}

/** `geoflock rejected redrive`: exit code 1 where a row stays rejected, or is not there. */
export async function redriveCommand(
  configuration: Configuration,
  { filter, json, row }: RedriveOptions,
  output: Output,
): Promise<number> {
  return await withState(configuration, output, async (state) => {
    const files = await ledgerByFileId(state);
    const missing = new Set(filter.ids ?? []);
    const tally: Tally = { redriven: 0, already: 0, stillRejected: [] };
    let batch: RejectedRow[] = [];
    const send = async (): Promise<void> => {
      const rows = batch;
      batch = [];
      const outcomes = await redrive(portsOf(state, configuration, files), rows, row);
      rows.forEach(({ id }, index) => {
        count(tally, id, outcomes[index] as RedriveOutcome);
      });
    };
    for await (const listed of rejectedRows(state, filter, state.signal)) {
      missing.delete(listed.row.id);
      if (listed.redriven) {
        tally.already++;
        continue;
      }
      batch.push(listed.row);
      if (batch.length === REDRIVE_BATCH) {
        await send();
      }
    }
    await send();
    output.out(json ? `${JSON.stringify(tally)}\n` : inWords(tally));
    const complete = tally.stillRejected.length === 0;
    return tellMissing(missing, output) === EXIT_OK && complete ? EXIT_OK : EXIT_FAILURE;
  });
}

function portsOf(
  state: OpenedState,
  { regions, source }: Configuration,
  files: Files,
): Parameters<typeof redrive>[0] {
  return {
    ...state,
    settings: {
      columns: source.columns,
      utcOffsetMinutes: source.timezone,
      maxLineBytes: source.maxLineBytes,
      maxFutureMs: source.maxFuture,
      level: regions.level,
    },
    headerOf: (fileId) => files.get(fileId)?.header,
  };
}

function count(tally: Tally, id: string, outcome: RedriveOutcome): void {
  switch (outcome.kind) {
    case 'redriven':
      tally.redriven++;
      return;
    case 'already':
      tally.already++;
      return;
    case 'rejected':
      tally.stillRejected.push({ id, reason: outcome.reason, message: outcome.message });
      return;
  }
}

function inWords({ already, redriven, stillRejected }: Tally): string {
  const lines = [
    ...stillRejected.map(({ id, message }) => `${id} stays rejected: ${message}`),
    `${grouped(redriven)} redriven` +
      (already === 0 ? '' : `, ${grouped(already)} had been redriven before`) +
      (stillRejected.length === 0 ? '' : `, ${grouped(stillRejected.length)} stay rejected`),
  ];
  if (redriven > 0) {
    lines.push('they are counted by the running replicas, or by the next run');
  }
  return `${lines.join('\n')}\n`;
}

function tellMissing(missing: ReadonlySet<string>, output: Output): number {
  for (const id of missing) {
    output.err(
      `geoflock: no rejected row ${id} is kept: \`geoflock rejected list --all\` lists those that are\n`,
    );
  }
  return missing.size === 0 ? EXIT_OK : EXIT_FAILURE;
}

/** Tab-separated: id, reason, where it stands, why. */
function asLine({ redriven, row }: ListedRow, files: Files): string {
  const message = redriven ? `${row.message} (redriven)` : row.message;
  return [row.id, row.reason, placeOf(row, files), message].join('\t');
}

function asJson({ redriven, rejectedAt, row }: ListedRow, files: Files): string {
  const path = pathOf(row, files);
  return JSON.stringify({
    ...row,
    ...(row.file === undefined ? {} : { file: { ...row.file, ...(path === undefined ? {} : { path }) } }),
    rejectedAt: new Date(rejectedAt).toISOString(),
    redriven,
  });
}

function inDetail({ redriven, rejectedAt, row }: ListedRow, files: Files): string {
  const { file, record } = row;
  const cut = row.row.encoding === 'utf8' ? row.row.text : `base64 ${row.row.text}`;
  return [
    `id        ${row.id}${redriven ? '   (redriven)' : ''}`,
    `reason    ${row.reason}: ${row.message}`,
    `rejected  ${new Date(rejectedAt).toISOString()} by the ${row.stage}`,
    ...(file === undefined
      ? []
      : [`file      ${pathOf(row, files) ?? file.id}, line ${String(file.line)}, byte ${String(file.byte)}`]),
    ...(record === undefined
      ? []
      : [
          `record    ${record.topic}, partition ${String(record.partition)}, offset ${String(record.offset)}, ` +
            `line ${String(record.line)} of the message (from 0)`,
        ]),
    `row       ${cut}`,
    '',
  ].join('\n');
}

function placeOf(row: RejectedRow, files: Files): string {
  const { file, record } = row;
  if (file !== undefined) {
    return `${pathOf(row, files) ?? file.id}:${String(file.line)}`;
  }
  return record === undefined
    ? ''
    : `${record.topic}-${String(record.partition)}@${String(record.offset)}:${String(record.line)}`;
}

/** On the log a row knows its file by the id only. */
function pathOf({ file }: RejectedRow, files: Files): string | undefined {
  return file === undefined ? undefined : (file.path ?? files.get(file.id)?.path);
}
