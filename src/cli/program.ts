import fs from 'node:fs';
import { Argument, Command, Option } from 'commander';
import { HEADERS, type HeaderForm, type Shape, SHAPES } from '../generator/rows.ts';
import { addSettingFlags, loadSettings, requireInputFolder, type SettingFlags } from './settings.ts';
import { durationArgument, type Output, UsageError, wholeNumber } from './usage.ts';

type Finish = (code: number) => void;

interface RunFlags extends SettingFlags {
  readonly once?: boolean;
  readonly json?: boolean;
}

interface GenerateFlags {
  readonly files?: number;
  readonly every?: number;
  readonly shape: Shape;
  readonly seed?: string;
  readonly header: HeaderForm;
}

interface DemoFlags extends SettingFlags {
  readonly duration?: number;
  readonly rowsPerFile: number;
}

const DEFAULT_EVERY_MS = 10_000;

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
      ]),
    )
    .action(async (directory: string, rows: number, flags: GenerateFlags) => {
      const { generateCommand } = await import('./generate.ts');
      const everyMs = flags.every ?? (flags.files === undefined ? DEFAULT_EVERY_MS : 0);
      const { files, shape, seed, header } = flags;
      finish(await generateCommand({ directory, rows, files, everyMs, shape, seed, header }, output));
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
      const { configuration } = await loadSettings(flags);
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

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string };
  return version;
}
