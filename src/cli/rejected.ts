import { redriveMatching, type RedriveTally } from '../actors/rejected/redrive-matching.ts';
import { ledgerByFileId, type RejectedFilter, rejectedRows } from '../actors/rejected/rejected-rows.ts';
import { type ToldRow, toldRow } from '../actors/rejected/told-row.ts';
import { MOST_LISTED } from '../admin/commands.ts';
import type { Configuration } from '../config/schema.ts';
import { grouped } from '../report/text.ts';
import { AdminClientError } from './admin/client.ts';
import type { DoorFlags } from './admin/door.ts';
import { eitherWay } from './either-way.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';

export interface ListOptions {
  readonly filter: RejectedFilter;
  readonly limit: number;
  /** Also those that were redriven. */
  readonly all: boolean;
  readonly json: boolean;
  readonly door: DoorFlags;
}

/** `geoflock rejected list`: a line a row, the oldest first; how many there are on stderr. */
export async function listCommand(
  configuration: Configuration,
  { all, door, filter, json, limit }: ListOptions,
  output: Output,
): Promise<number> {
  const printRow = (row: ToldRow): void => {
    output.out(`${json ? asJson(row) : asLine(row)}\n`);
  };
  const printCounts = (found: number, redriven: number, shown: number): number => {
    const listable = all ? found : found - redriven;
    output.err(
      `${grouped(found - redriven)} rejected` +
        (redriven === 0 ? '' : `, ${grouped(redriven)} redriven${all ? '' : ' (--all shows them)'}`) +
        (shown < listable ? `; the first ${grouped(shown)} are shown (--limit)` : '') +
        '\n',
    );
    return EXIT_OK;
  };
  return await eitherWay(configuration, door, output, {
    state: async (state) => {
      const files = await ledgerByFileId(state);
      let found = 0;
      let redriven = 0;
      let shown = 0;
      for await (const listed of rejectedRows(state, filter, state.signal)) {
        found++;
        redriven += Number(listed.redriven);
        if ((all || !listed.redriven) && shown < limit) {
          shown++;
          printRow(toldRow(listed, files));
        }
      }
      return printCounts(found, redriven, shown);
    },
    door: async (client) => {
      // At least one is asked for: the counts come with them.
      const most = Math.min(Math.max(limit, 1), MOST_LISTED);
      const { found, redriven, rows } = await client.ask('rejected.list', {
        ...parametersOf(filter),
        all,
        limit: most,
      });
      const shown = rows.slice(0, limit);
      shown.forEach(printRow);
      return printCounts(found, redriven, shown.length);
    },
  });
}

/** `geoflock rejected show`: everything that is known of each row. */
export async function showCommand(
  configuration: Configuration,
  { door, ids, json }: { readonly ids: readonly string[]; readonly json: boolean; readonly door: DoorFlags },
  output: Output,
): Promise<number> {
  const print = (row: ToldRow): void => {
    output.out(`${json ? asJson(row) : inDetail(row)}\n`);
  };
  const missing = new Set(ids);
  return await eitherWay(configuration, door, output, {
    state: async (state) => {
      const files = await ledgerByFileId(state);
      for await (const listed of rejectedRows(state, { ids: new Set(ids) }, state.signal)) {
        missing.delete(listed.row.id);
        print(toldRow(listed, files));
      }
      return tellMissing(missing, output);
    },
    door: async (client) => {
      for (const id of new Set(ids)) {
        try {
          print(await client.ask('rejected.show', { id }));
          missing.delete(id);
        } catch (error) {
          if (!(error instanceof AdminClientError) || error.code !== 'not-found') {
            throw error;
          }
        }
      }
      return tellMissing(missing, output);
    },
  });
}

export interface RedriveOptions {
  readonly filter: RejectedFilter;
  /** A line in the topic's columns to be sent in the place of the one row that is named. */
  readonly row: string | undefined;
  readonly json: boolean;
  readonly door: DoorFlags;
}

/** `geoflock rejected redrive`: exit code 1 where a row stays rejected, or is not there. */
export async function redriveCommand(
  configuration: Configuration,
  { door, filter, json, row }: RedriveOptions,
  output: Output,
): Promise<number> {
  const print = ({ missing, ...tally }: RedriveTally): number => {
    const { already, redriven, stillRejected } = tally;
    output.out(json ? `${JSON.stringify({ redriven, already, stillRejected })}\n` : inWords(tally));
    const complete = tally.stillRejectedRows === 0;
    return tellMissing(new Set(missing), output) === EXIT_OK && complete ? EXIT_OK : EXIT_FAILURE;
  };
  return await eitherWay(configuration, door, output, {
    state: async (state) =>
      print(await redriveMatching(state, configuration, filter, row, state.signal, Infinity)),
    door: async (client) => {
      const which = parametersOf(filter);
      const all = Object.keys(which).length === 0;
      const parameters = { ...which, ...(all ? { all } : {}), ...(row === undefined ? {} : { row }) };
      return print(await client.ask('rejected.redrive', parameters));
    },
  });
}

function parametersOf({ file, ids, reason }: RejectedFilter): Readonly<Record<string, unknown>> {
  return {
    ...(ids === undefined ? {} : { ids: [...ids] }),
    ...(file === undefined ? {} : { file }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function inWords({
  already,
  redriven,
  stillRejected,
  stillRejectedRows,
}: Omit<RedriveTally, 'missing'>): string {
  const lines = [
    ...stillRejected.map(({ id, message }) => `${id} stays rejected: ${message}`),
    `${grouped(redriven)} redriven` +
      (already === 0 ? '' : `, ${grouped(already)} had been redriven before`) +
      (stillRejectedRows === 0 ? '' : `, ${grouped(stillRejectedRows)} stay rejected`),
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
function asLine(row: ToldRow): string {
  const message = row.redriven ? `${row.message} (redriven)` : row.message;
  return [row.id, row.reason, placeOf(row), message].join('\t');
}

function asJson({ file, record, row, rejectedAt, redriven, ...rest }: ToldRow): string {
  const { path = null, ...where } = file ?? {};
  return JSON.stringify({
    ...rest,
    ...(file === null ? {} : { file: { ...where, ...(path === null ? {} : { path }) } }),
    ...(record === null ? {} : { record }),
    row,
    rejectedAt,
    redriven,
  });
}

function inDetail({ file, id, message, reason, record, redriven, rejectedAt, row, stage }: ToldRow): string {
  const cut = row.encoding === 'utf8' ? row.text : `base64 ${row.text}`;
  return [
    `id        ${id}${redriven ? '   (redriven)' : ''}`,
    `reason    ${reason}: ${message}`,
    `rejected  ${rejectedAt} by the ${stage}`,
    ...(file === null
      ? []
      : [`file      ${file.path ?? file.id}, line ${String(file.line)}, byte ${String(file.byte)}`]),
    ...(record === null
      ? []
      : [
          `record    ${record.topic}, partition ${String(record.partition)}, offset ${String(record.offset)}, ` +
            `line ${String(record.line)} of the message (from 0)`,
        ]),
    `row       ${cut}`,
    '',
  ].join('\n');
}

function placeOf({ file, record }: ToldRow): string {
  if (file !== null) {
    return `${file.path ?? file.id}:${String(file.line)}`;
  }
  return record === null
    ? ''
    : `${record.topic}-${String(record.partition)}@${String(record.offset)}:${String(record.line)}`;
}
