import { Argument, Command, Option } from 'commander';
import { HEADERS, type HeaderForm, type Shape, SHAPES } from '../generator/rows.ts';
import { packageVersion } from '../version.ts';
import { addAdmin } from './admin/commands.ts';
import { addDoorFlags, type DoorFlags } from './admin/door.ts';
import { addExport, addModels, addPredict } from './model-commands.ts';
import { addFiles, addRejected, addRewind } from './row-commands.ts';
import {
  addSettingFlags,
  addStateFlags,
  loadSettings,
  requireInputFolder,
  type SettingFlags,
} from './settings.ts';
import {
  durationArgument,
  examples,
  type Finish,
  type Output,
  shareArgument,
  timeArgument,
  UsageError,
  wholeNumber,
} from './usage.ts';

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
  addAdmin(program, output, finish);
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
  addDoorFlags(
    addSettingFlags(
      program
        .command('config')
        .description(
          'print the effective configuration, with what was set while it runs, and the source of each value',
        ),
    ),
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
    .action(async (flags: SettingFlags & DoorFlags & { readonly json?: boolean }) => {
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
