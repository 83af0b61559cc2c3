import { Argument, Command, Option } from 'commander';
import { HEADERS, type HeaderForm, type Shape, SHAPES } from '../generator/rows.ts';
import { packageVersion } from '../version.ts';
import type { RejectedFilter } from '../actors/rejected/rejected-rows.ts';
import type { RewindTo } from '../actors/rewind/request-rewind.ts';
import { addExport, addPredict } from './model-commands.ts';
import {
  addSettingFlags,
  addStateFlags,
  loadSettings,
  requireInputFolder,
  type SettingFlags,
} from './settings.ts';
import {
  durationArgument,
  durationOrOffArgument,
  examples,
  offsetArgument,
  type Output,
  shareArgument,
  timeArgument,
  UsageError,
  wholeNumber,
  wholeNumberOrAuto,
} from './usage.ts';

type Finish = (code: number) => void;

interface RunFlags extends SettingFlags {
  readonly once?: boolean;
  readonly json?: boolean;
}

interface GenerateFlags {
  readonly files?: number;
  readonly every?: number;
  readonly shape: Shape;
  readonly cities?: number;
  readonly devices?: number;
  readonly noise?: number;
  readonly bad?: number;
  readonly seed?: string;
  readonly header: HeaderForm;
}

interface ReportFlags extends SettingFlags {
  readonly format: 'html' | 'md';
  readonly output?: string;
  readonly asOf?: number;
}

interface DemoFlags extends SettingFlags {
  readonly duration?: number;
  readonly rowsPerFile: number;
}

const DEFAULT_EVERY_MS = 10_000;
/** As many as fit on a terminal of 24 lines. */
const DEMO_CLUSTERS = { flag: 'geoflock demo', key: 'clustering.k', value: '12' };

/**
 * The commands and their flags. Each command's code is loaded when it runs, so that `--help` and
 * `--version` answer at once. `finish` gets the command's
 * exit code; commander's own complaints are thrown as CommanderError.
 */
export function buildProgram(output: Output, finish: Finish): Command {
  const program = new Command('geoflock')
    .description('Tells where users are gathered right now, from the positions their phones report.')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('(geoflock --help lists commands and flags)')
    .configureOutput({
      writeOut: output.out,
      writeErr: output.err,
      outputError: (text, write) => {
        write(text.replace(/^error: /, 'geoflock: '));
      },
    })
    .exitOverride();
  addRun(program, output, finish);
  addGenerate(program, output, finish);
  addFiles(program, output, finish);
  addRejected(program, output, finish);
  addRewind(program, output, finish);
  addModels(program, output, finish);
  addReport(program, output, finish);
  addPredict(program, output, finish);
  addExport(program, output, finish);
  addConfig(program, output, finish);
  addDemo(program, output, finish);
  return program.addHelpText(
    'after',
    examples(['geoflock demo', 'geoflock generate data/input 1000 --files 5', 'geoflock run --once --json']),
  );
}

function addRun(program: Command, output: Output, finish: Finish): void {
  addSettingFlags(
    program.command('run').description('read the CSV files of a folder and keep the clusters up to date'),
  )
    .option('--once', 'end when everything that is there now is counted')
    .option('--json', 'print the result as one JSON object on stdout (with --once)')
    .addHelpText(
      'after',
      examples([
        'geoflock run --input /var/tmp',
        'geoflock run --once --json > result.json',
        'geoflock run --config /etc/geoflock',
      ]),
    )
    .action(async (flags: RunFlags) => {
      if (flags.json === true && flags.once !== true) {
        throw new UsageError('--json needs --once');
      }
      const { configuration } = await loadSettings(flags);
      requireInputFolder(configuration.input.directory);
      const { runCommand } = await import('./run.ts');
      finish(
        await runCommand(configuration, { once: flags.once === true, json: flags.json === true }, output),
      );
    });
}

function addGenerate(program: Command, output: Output, finish: Finish): void {
  program
    .command('generate')
    .description('write CSV files of made-up positions, endlessly unless --files is given')
    .argument('<dir>', 'folder for the files; made when it is missing')
    .addArgument(new Argument('[rows]', 'rows in each file').argParser(wholeNumber(0)).default(20))
    .option('--files <n>', 'number of files', wholeNumber(1))
    .option('--every <duration>', 'time from file to file (default: 10s; 0 with --files)', durationArgument)
    .addOption(
      new Option('--shape <shape>', 'how positions are distributed').choices(SHAPES).default('uniform'),
    )
    .option('--cities <n>', 'with --shape cities: the largest so many (default: 1000)', wholeNumber(1))
    .option('--devices <n>', 'with --shape cities: about so many phones (default: 100000)', wholeNumber(1))
    .option(
      '--noise <share>',
      'with --shape cities: rows from anywhere on earth (default: 2%)',
      shareArgument,
    )
    .option('--bad <share>', 'rows that are broken, of every kind (default: 0%)', shareArgument)
    .option('--seed <text>', 'the same seed gives the same names and bytes; times start at 2026-01-01T00:00Z')
    .addOption(
      new Option(
        '--header <form>',
        'true: column names in the order of the values; original: as the replaced generator, latitude and longitude swapped',
      )
        .choices(Object.keys(HEADERS))
        .default('true'),
    )
    .addHelpText(
      'after',
      examples([
        'geoflock generate /var/tmp 20',
        'geoflock generate data/input 500000 --files 4 --seed 1',
        'geoflock generate data/input --every 1s --header original',
        'geoflock generate data/input 100000 --files 10 --shape cities --bad 0.1%',
      ]),
    )
    .action(async (directory: string, rows: number, flags: GenerateFlags) => {
      const { generateCommand } = await import('./generate.ts');
      const everyMs = flags.every ?? (flags.files === undefined ? DEFAULT_EVERY_MS : 0);
      const { bad, cities, devices, files, header, noise, seed, shape } = flags;
      const asked = Object.entries({ cities, devices, noise }).filter(([, value]) => value !== undefined);
      if (shape !== 'cities' && asked.length > 0) {
        throw new UsageError(`--${asked.map(([name]) => name).join(', --')} needs --shape cities`);
      }
      const options = { directory, rows, files, everyMs, shape, seed, header, bad };
      finish(await generateCommand({ ...options, cities: Object.fromEntries(asked) }, output));
    });
}

function addFiles(program: Command, output: Output, finish: Finish): void {
  addStateFlags(
    program.command('files').description('a line a file that was read: state, and what became of its rows'),
  )
    .option('--json', 'print JSON, an object a line')
    .action(async (flags: SettingFlags & { readonly json?: boolean }) => {
      const { configuration } = await loadSettings(flags);
      const { filesCommand } = await import('./files.ts');
      finish(await filesCommand(configuration, { json: flags.json === true }, output));
    });
}

interface RejectedFlags extends SettingFlags {
  readonly reason?: string;
  readonly file?: string;
  readonly json?: boolean;
}

function addRejected(program: Command, output: Output, finish: Finish): void {
  const rejected = program
    .command('rejected')
    .description('list, show and redrive the rows that were set aside');
  const withFilter = (command: Command): Command =>
    addStateFlags(command)
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
      finish(await listCommand(configuration, { filter: filterOf(flags), limit, all, json }, output));
    });
  addStateFlags(rejected.command('show').description('everything that is known of rejected rows'))
    .argument('<ids...>', 'ids, as `geoflock rejected list` tells them')
    .option('--json', 'print JSON')
    .action(async (ids: readonly string[], flags: RejectedFlags) => {
      const { configuration } = await loadSettings(flags);
      const { showCommand } = await import('./rejected.ts');
      finish(await showCommand(configuration, { ids, json: flags.json === true }, output));
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
        finish(await redriveCommand(configuration, { filter, row, json }, output));
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

interface RewindFlags extends SettingFlags {
  readonly toOffset?: number | 'earliest';
  readonly toTime?: number;
  readonly json?: boolean;
}

function addRewind(program: Command, output: Output, finish: Finish): void {
  addStateFlags(
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
      finish(await rewindCommand(configuration, { to, json }, output));
    });
}

interface ModelFlags extends SettingFlags {
  readonly asOf?: number;
  readonly halfLife?: number | 'off';
  readonly window?: number | 'off';
  readonly k?: number | 'auto';
  readonly curve?: boolean;
  readonly json?: boolean;
}

function addModels(program: Command, output: Output, finish: Finish): void {
  const models = program
    .command('models')
    .description('the model of what is counted, at any time that is kept; models and events of before');
  addStateFlags(
    models.command('show').description('the model of all that is counted; no row is read again for it'),
  )
    .option('--as-of <time>', 'without the rows of this event time and later', timeArgument)
    .option('--half-life <duration>', 'age at which a row counts half, or off', durationOrOffArgument)
    .option('--window <duration>', 'age from which on a row does not count, or off', durationOrOffArgument)
    .option('--k <n>', 'number of clusters, or auto', wholeNumberOrAuto(1))
    .option('--curve', 'also print what each number of clusters would give, where it is chosen')
    .option('--json', 'print it as model.json, with next offsets and lineage')
    .addHelpText(
      'after',
      examples([
        'geoflock models show --as-of 2026-01-31T09:00:00Z',
        'geoflock models show --half-life 2h --window 1d --k 20',
        'geoflock models show --k auto --curve',
      ]),
    )
    .action(async (flags: ModelFlags) => {
      const { asOf, curve = false, halfLife, json = false, k, window } = flags;
      const { configuration } = await loadSettings(flags);
      const { showModelCommand } = await import('./models.ts');
      const time = {
        ...(asOf === undefined ? {} : { asOf }),
        ...(halfLife === undefined ? {} : { halfLifeMs: halfLife === 'off' ? undefined : halfLife }),
        ...(window === undefined ? {} : { windowMs: window === 'off' ? undefined : window }),
      };
      finish(await showModelCommand(configuration, { time, k, curve, json }, output));
    });
  addStateFlags(models.command('list').description('a line a model that was published, the oldest first'))
    .option('--json', 'print JSON, an object a line')
    .action(async (flags: ModelFlags) => {
      const { configuration } = await loadSettings(flags);
      const { listModelsCommand } = await import('./models.ts');
      finish(await listModelsCommand(configuration, { json: flags.json === true }, output));
    });
  addStateFlags(
    models
      .command('history')
      .description(
        'a line an event: changes of k, births, deaths, splits, merges and moves of clusters, alarms of drift',
      ),
  )
    .option('--json', 'print JSON, an object a line')
    .action(async (flags: ModelFlags) => {
      const { configuration } = await loadSettings(flags);
      const { historyCommand } = await import('./models.ts');
      finish(await historyCommand(configuration, { json: flags.json === true }, output));
    });
}

function addReport(program: Command, output: Output, finish: Finish): void {
  addStateFlags(program.command('report').description('the report of all that is counted, as one page'))
    .addOption(
      new Option('--format <format>', 'html, or md: Markdown for a terminal or a mail')
        .choices(['html', 'md'])
        .default('md'),
    )
    .option('--output <file>', 'write it to this file instead of stdout')
    .option('--as-of <time>', 'without the rows of this event time and later', timeArgument)
    .addHelpText('after', examples(['geoflock report', 'geoflock report --format html --output report.html']))
    .action(async (flags: ReportFlags) => {
      const { asOf, format, output: to } = flags;
      const { configuration } = await loadSettings(flags);
      const { reportCommand } = await import('./report.ts');
      const time = asOf === undefined ? {} : { asOf };
      finish(await reportCommand(configuration, { format, to, time }, output));
    });
}

function addConfig(program: Command, output: Output, finish: Finish): void {
  addSettingFlags(
    program.command('config').description('print the effective configuration and the source of each value'),
  )
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      examples([
        'geoflock config',
        'geoflock config --config /etc/geoflock --json',
        'GEOFLOCK_LOG_LEVEL=debug geoflock config',
      ]),
    )
    .action(async (flags: SettingFlags & { readonly json?: boolean }) => {
      const { configCommand } = await import('./config.ts');
      finish(await configCommand(flags, output));
    });
}

function addDemo(program: Command, output: Output, finish: Finish): void {
  addSettingFlags(program.command('demo').description('generate files and watch them become clusters'))
    .option('--duration <duration>', 'end after this time (default: run until Ctrl-C)', durationArgument)
    .option('--rows-per-file <n>', 'rows in each generated file', wholeNumber(1), 20_000)
    .addHelpText('after', examples(['geoflock demo', 'geoflock demo --duration 20s']))
    .action(async (flags: DemoFlags) => {
      const { configuration } = await loadSettings(flags, [DEMO_CLUSTERS]);
      const { demoCommand } = await import('./demo.ts');
      finish(
        await demoCommand(
          configuration,
          { durationMs: flags.duration, rowsPerFile: flags.rowsPerFile },
          output,
        ),
      );
    });
}
