import type { Command } from 'commander';
import type { RejectedFilter } from '../actors/rejected/rejected-rows.ts';
import type { RewindTo } from '../actors/rewind/request-rewind.ts';
import { addDoorFlags, addEitherFlags, type DoorFlags } from './admin/door.ts';
import { loadSettings, type SettingFlags } from './settings.ts';
import {
  examples,
  type Finish,
  offsetArgument,
  type Output,
  timeArgument,
  UsageError,
  wholeNumber,
} from './usage.ts';

type Flags = SettingFlags & DoorFlags & { readonly json?: boolean };

export function addFiles(program: Command, output: Output, finish: Finish): void {
  const files = program
    .command('files')
    .description('list and show the files that were read; try failed ones again');
  addEitherFlags(
    files
      .command('list', { isDefault: true })
      .description('a line a file that was read: state, and what became of its rows'),
  )
    .option('--json', 'print JSON, an object a line')
    .action(async (flags: Flags) => {
      const { configuration } = await loadSettings(flags);
      const { filesCommand } = await import('./files.ts');
      finish(await filesCommand(configuration, { json: flags.json === true, door: flags }, output));
    });
  addEitherFlags(files.command('show').description('everything that is known of the file at a path'))
    .argument('<path>', 'relative to the input folder')
    .option('--json', 'print JSON')
    .action(async (path: string, flags: Flags) => {
      const { configuration } = await loadSettings(flags);
      const { showFileCommand } = await import('./files.ts');
      finish(await showFileCommand(configuration, { path, json: flags.json === true, door: flags }, output));
    });
  addDoorFlags(
    files
      .command('retry')
      .description('let a running Geoflock try failed files again; one that starts does so by itself'),
  )
    .argument('[path]', 'relative to the input folder (default: all that failed)')
    .option('--config <dir>', 'folder with configuration files of your own')
    .option('--json', 'print JSON')
    .addHelpText('after', examples(['geoflock files retry', 'geoflock files retry sub/a.csv']))
    .action(async (path: string | undefined, flags: Flags) => {
      const { configuration } = await loadSettings(flags);
      const { retryFilesCommand } = await import('./files.ts');
      finish(
        await retryFilesCommand(configuration, { path, json: flags.json === true, door: flags }, output),
      );
    });
}

interface RejectedFlags extends Flags {
  readonly reason?: string;
  readonly file?: string;
}

export function addRejected(program: Command, output: Output, finish: Finish): void {
  const rejected = program
    .command('rejected')
    .description('list, show and redrive the rows that were set aside');
  const withFilter = (command: Command): Command =>
    addEitherFlags(command)
      .option('--reason <reason>', 'only those of this reason, such as future')
      .option('--file <file>', 'only those of this file: its path in the input folder, or its id')
      .option('--json', 'print JSON');
  withFilter(
    rejected.command('list').description('a line a row, the oldest first: id, reason, place and why'),
  )
    .option('--limit <n>', 'most rows to print', wholeNumber(0), 100)
    .option('--all', 'also those that were redriven')
    .addHelpText('after', examples(['geoflock rejected list --reason latitude-out-of-range --limit 10']))
    .action(async (flags: RejectedFlags & { readonly limit: number; readonly all?: boolean }) => {
      const { configuration } = await loadSettings(flags);
      const { listCommand } = await import('./rejected.ts');
      const { all = false, json = false, limit } = flags;
      finish(
        await listCommand(configuration, { filter: filterOf(flags), limit, all, json, door: flags }, output),
      );
    });
  addEitherFlags(rejected.command('show').description('everything that is known of rejected rows'))
    .argument('<ids...>', 'ids, as `geoflock rejected list` tells them')
    .option('--json', 'print JSON')
    .action(async (ids: readonly string[], flags: RejectedFlags) => {
      const { configuration } = await loadSettings(flags);
      const { showCommand } = await import('./rejected.ts');
      finish(await showCommand(configuration, { ids, json: flags.json === true, door: flags }, output));
    });
  withFilter(
    rejected
      .command('redrive')
      .description('send rejected rows that are good by the settings of now to the topic, each once'),
  )
    .argument('[ids...]', 'ids, as `geoflock rejected list` tells them')
    .option('--all', 'all rejected rows')
    .option(
      '--row <line>',
      "send this line, in the topic's columns, in the place of the one row that is named",
    )
    .addHelpText(
      'after',
      examples([
        'geoflock rejected redrive --reason future',
        'geoflock rejected redrive --file a.csv --config conf    # after source.columns was corrected',
        "geoflock rejected redrive ID --row '2026-01-01 00:00:00.000,phone,0,0,9.81,13.4,52.5,1'",
      ]),
    )
    .action(
      async (
        ids: readonly string[],
        flags: RejectedFlags & { readonly all?: boolean; readonly row?: string },
      ) => {
        const { all, json = false, row } = flags;
        const filter = filterOf(flags, ids);
        if (all === true ? Object.keys(filter).length > 0 : Object.keys(filter).length === 0) {
          throw new UsageError('name ids, or --reason, or --file; or --all alone for all rejected rows');
        }
        if (row !== undefined && ids.length !== 1) {
          throw new UsageError('--row stands in the place of one row: name its id');
        }
        const { configuration } = await loadSettings(flags);
        const { redriveCommand } = await import('./rejected.ts');
        finish(await redriveCommand(configuration, { filter, row, json, door: flags }, output));
      },
    );
}

function filterOf({ file, reason }: RejectedFlags, ids: readonly string[] = []): RejectedFilter {
  return {
    ...(ids.length === 0 ? {} : { ids: new Set(ids) }),
    ...(file === undefined ? {} : { file }),
    ...(reason === undefined ? {} : { reason }),
  };
}

interface RewindFlags extends Flags {
  readonly toOffset?: number | 'earliest';
  readonly toTime?: number;
}

export function addRewind(program: Command, output: Output, finish: Finish): void {
  addEitherFlags(
    program
      .command('rewind')
      .description('drop all summaries and count the rows of the topic again, from an offset or a time on'),
  )
    .option(
      '--to-offset <offset>',
      'first offset of each partition to be counted, or earliest',
      offsetArgument,
    )
    .option('--to-time <time>', 'rows that arrived then or later, as in 2026-01-31T12:00:00Z', timeArgument)
    .option('--json', 'print what was asked for as JSON')
    .addHelpText(
      'after',
      examples(['geoflock rewind --to-offset earliest', 'geoflock rewind --to-time "2026-01-31 12:00:00"']),
    )
    .action(async (flags: RewindFlags) => {
      const { json = false, toOffset, toTime } = flags;
      if ((toOffset === undefined) === (toTime === undefined)) {
        throw new UsageError('name either --to-offset or --to-time');
      }
      const { configuration } = await loadSettings(flags);
      const { rewindCommand } = await import('./rewind.ts');
      const to: RewindTo =
        toTime === undefined
          ? { kind: 'offset', offset: toOffset ?? 'earliest' }
          : { kind: 'time', time: toTime };
      finish(await rewindCommand(configuration, { to, json, door: flags }, output));
    });
}
