import type { ResultOf } from '../../admin/commands.ts';
import { grouped } from '../../report/text.ts';

/** Results of commands for people: lines, and tables whose first column is a name. */

type Cell = string | number;

/** Columns as wide as they need; numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly Cell[])[]): readonly string[] {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? grouped(cell) : cell)));
  const widths = head.map((name, column) =>
    Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const isNumber = head.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        isNumber[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(head), ...cells.map(line)];
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

type Connection = ResultOf<'connections.list'>['connections'][number];

function connectionTable(connections: readonly Connection[]): readonly string[] {
  return table(
    ['connection', 'rows', 'of', 'bytes', 'queued', 'waiting', 'waits'],
    connections.map(({ depth, name, paused, queued, thresholds, waiting, waits }) => [
      paused ? `${name} (paused)` : name,
      depth.rows,
      thresholds.rows ?? '-',
      mebibytes(depth.bytes),
      queued,
      waiting,
      waits,
    ]),
  );
}

export function statusText(status: ResultOf<'status'>): readonly string[] {
  const {
    connections,
    health,
    model,
    partitions,
    replica,
    settings,
    stages,
    startedAt,
    state,
    totals,
    version,
  } = status;
  const { files, rejectedByReason, rows } = totals;
  const owned = partitions.filter((one) => one.owned);
  const reasons = Object.entries(rejectedByReason).map(([reason, count]) => `${reason} ${grouped(count)}`);
  return [
    `replica   ${replica}, ${state} since ${startedAt}, Geoflock ${version}`,
    `health    ${[health.status, ...health.reasons].join('; ')}${health.ready ? '' : '; not ready'}`,
    `files     ${grouped(files.done)} done, ${grouped(files.failed)} failed`,
    `rows      ${grouped(rows.read)} read, ${grouped(rows.counted)} counted, ${grouped(rows.rejected)} rejected` +
      (reasons.length === 0 ? '' : ` (${reasons.join(', ')})`),
    model === null
      ? 'model     none yet'
      : `model     k ${String(model.k)}, weight ${grouped(model.weight)}, cost ${model.cost.toPrecision(6)}, ` +
        `published ${model.publishedAt}${model.drift === true ? ', ALARM of drift' : ''}`,
    `log       ${String(owned.length)} of ${String(partitions.length)} partitions here, ` +
      `${grouped(owned.reduce((sum, { lag }) => sum + lag, 0))} records behind`,
    ...Object.entries(settings).map(([key, value]) => `set       ${key} ${value}`),
    '',
    ...table(
      ['stage', 'state', 'actors', 'restarts', 'mailbox', 'last error'],
      stages.map(({ actors, lastError, mailbox, paused, restarts, running, stage }) => [
        stage,
        paused ? 'paused' : running === actors ? 'running' : `${grouped(running)} of ${grouped(actors)} run`,
        actors,
        restarts,
        mailbox,
        lastError ?? '',
      ]),
    ),
    '',
    ...connectionTable(connections),
    ...bulletinLines(stages),
  ];
}

function bulletinLines(stages: ResultOf<'status'>['stages']): readonly string[] {
  const lines = stages
    .flatMap(({ bulletins, stage }) => bulletins.map((one) => ({ ...one, stage })))
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .map(({ at, count, level, message, stage }) => {
      const times = count > 1 ? ` (${grouped(count)} times)` : '';
      return `${at}  ${level.padEnd(5)}  ${stage}: ${message}${times}`;
    });
  return lines.length === 0 ? [] : ['', ...lines];
}

export function topologyText({
  actors,
  deadLetters,
  links,
  replica,
}: ResultOf<'topology'>): readonly string[] {
  return [
    ...table(
      [replica, 'state', 'incarnation', 'restarts', 'mailbox', 'last error'],
      actors.map(({ incarnation, lastError, mailbox, path, restarts, state }) => [
        `${'  '.repeat(path.split('/').length - 1)}${path.split('/').at(-1) ?? path}`,
        state,
        incarnation,
        restarts,
        mailbox,
        lastError ?? '',
      ]),
    ),
    '',
    ...links.map(({ by, from, to }) => `${from} -> ${to}  (${by})`),
    `${grouped(deadLetters)} dead letters`,
  ];
}

type File = ResultOf<'files.list'>['files'][number];

export function fileText(file: File & Partial<ResultOf<'files.show'>>): readonly string[] {
  const { by, bytes, changedAt, claimedAt, id, offsets = [], path, problem, rows, source, state } = file;
  return [
    `path      ${path}`,
    `id        ${id}, source ${source}`,
    `state     ${state}${by === null ? '' : `, written by ${by}`}`,
    ...(problem === null ? [] : [`problem   ${problem}`]),
    `rows      ${grouped(rows.read)} read, ${grouped(rows.accepted)} accepted, ${grouped(rows.rejected)} rejected`,
    `bytes     ${grouped(bytes.read)} read of ${grouped(bytes.size)}`,
    `claimed   ${claimedAt}, changed ${changedAt}`,
    ...offsets.map(
      ({ done, first, last, partition, rows: there }) =>
        `log       partition ${String(partition)}, offsets ${grouped(first)} to ${grouped(last)}: ` +
        `${grouped(there)} rows, ${grouped(done)} of them counted or rejected`,
    ),
  ];
}

export function stageText({ paused, stage }: ResultOf<'pause'>): readonly string[] {
  return [`${stage} is ${paused ? 'paused' : 'running'}`];
}

export function ranOnceText({ ended, stage, units }: ResultOf<'run-once'>): readonly string[] {
  return [
    ended
      ? `${stage} has done ${grouped(units)} ${units === 1 ? 'unit' : 'units'} of work`
      : `${stage} has nothing to do yet: what comes next is let through`,
  ];
}

export function restartedText({ actors }: ResultOf<'restart'>): readonly string[] {
  return actors.map((path) => `${path} is started anew`);
}

export function connectionsText({ connections }: ResultOf<'connections.list'>): readonly string[] {
  return connectionTable(connections);
}

export function queueText({ connection, items }: ResultOf<'connections.peek'>): readonly string[] {
  return [
    ...connectionTable([connection]),
    '',
    ...(items.length === 0
      ? ['nothing waits in it']
      : table(
          ['item', 'rows', 'bytes'],
          items.map(({ bytes, label, rows }) => [label, rows, bytes]),
        )),
  ];
}

export function emptiedText({
  connection,
  items,
  rejected,
  rows,
}: ResultOf<'connections.empty'>): readonly string[] {
  return [
    `${connection}: ${grouped(items)} items of ${grouped(rows)} rows are dropped, ` +
      `${grouped(rejected)} rows set aside as rejected`,
  ];
}

export function drainedText({ model, rows }: ResultOf<'drain'>): readonly string[] {
  return [
    `rows      ${grouped(rows.read)} read, ${grouped(rows.counted)} counted, ${grouped(rows.rejected)} rejected`,
    `model     k ${String(model.k)}, cost ${model.cost.toPrecision(6)}, is published`,
  ];
}

export function checkpointedText({ nextOffsets }: ResultOf<'checkpoint'>): readonly string[] {
  const next = Object.entries(nextOffsets).map(([partition, offset]) => [`partition ${partition}`, offset]);
  return next.length === 0 ? ['no partition is owned here'] : table(['committed', 'next offset'], next);
}

export function settingsText({ settings }: ResultOf<'settings.list'>): readonly string[] {
  return table(
    ['key', 'value', 'from', 'takes effect'],
    settings.map(({ key, source, takesEffect, value }) => [key, value, source, takesEffect]),
  );
}

export function settingText({ key, source, takesEffect, value }: ResultOf<'set'>): readonly string[] {
  return [`${key} is ${value}, from ${source}; ${takesEffect}`];
}

export function endingText({ replica }: ResultOf<'shutdown'>): readonly string[] {
  return [`${replica} drains, commits and ends`];
}
