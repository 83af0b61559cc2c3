import { type Command, Option } from 'commander';
import { MODEL_FORMATS, type ModelFormat } from '../clustering/model-formats.ts';
import { addStateFlags, loadSettings, type SettingFlags } from './settings.ts';
import { degreesArgument, examples, type Output, timeArgument, UsageError } from './usage.ts';

type Finish = (code: number) => void;

interface ChoiceFlags extends SettingFlags {
  readonly model?: string;
  readonly asOf?: number;
}

/** The flags by which a command chooses its model. */
function addModelFlags(command: Command): Command {
  return addStateFlags(
    command
      .addOption(
        new Option('--model <file>', 'a model.json (default: the model that was published last)').conflicts(
          'asOf',
        ),
      )
      .option(
        '--as-of <time>',
        'the model without the rows of this event time and later, as far back as it is kept',
        timeArgument,
      ),
  );
}

export function addPredict(program: Command, output: Output, finish: Finish): void {
  addModelFlags(
    program
      .command('predict')
      .description('to which cluster a position belongs, or each row of the CSV on stdin')
      .argument('[longitude]', 'degrees east, in [-180, 180]', degreesArgument('longitude', 180))
      .argument('[latitude]', 'degrees north, in [-90, 90]', degreesArgument('latitude', 90)),
  )
    .option('--json', 'print JSON, an object a row')
    .addHelpText(
      'after',
      examples([
        'geoflock predict 55 45',
        'geoflock predict 55 45 --model data/report/model.json --json',
        'geoflock predict --model data/report/model.json < positions.csv > clusters.csv',
      ]),
    )
    .action(
      async (
        longitude: number | undefined,
        latitude: number | undefined,
        flags: ChoiceFlags & { readonly json?: boolean },
      ) => {
        if (longitude !== undefined && latitude === undefined) {
          throw new UsageError('name longitude and latitude, or neither for rows on stdin');
        }
        const position =
          longitude === undefined || latitude === undefined ? undefined : { longitude, latitude };
        if (position === undefined && process.stdin.isTTY) {
          throw new UsageError('name longitude and latitude, or give rows as CSV on stdin');
        }
        const { configuration } = await loadSettings(flags);
        const { predictCommand } = await import('./predict.ts');
        const { asOf, json = false, model: file } = flags;
        finish(await predictCommand(configuration, { file, asOf, position, json }, process.stdin, output));
      },
    );
}

interface ExportFlags extends ChoiceFlags {
  readonly format: ModelFormat;
  readonly areas?: boolean;
  readonly output?: string;
}

export function addExport(program: Command, output: Output, finish: Finish): void {
  addModelFlags(
    program
      .command('export')
      .description('a model in a form that maps, notebooks and scoring engines read')
      .addOption(new Option('--format <format>', 'its form').choices(MODEL_FORMATS).makeOptionMandatory())
      .option('--areas', 'with the circle of the radius of each cluster as polygon (geojson)')
      .option('--output <file>', 'write a file, as a whole, in the place of stdout'),
  )
    .addHelpText(
      'after',
      examples([
        'geoflock export --format geojson --areas --output clusters.geojson',
        'geoflock export --format pmml --model data/report/model.json > model.pmml',
        'geoflock export --format csv --as-of 2026-01-31T09:00:00Z',
      ]),
    )
    .action(async ({ areas = false, asOf, format, model: file, output: to, ...flags }: ExportFlags) => {
      if (areas && format !== 'geojson') {
        throw new UsageError('--areas needs --format geojson');
      }
      const { configuration } = await loadSettings(flags);
      const { exportCommand } = await import('./export.ts');
      finish(await exportCommand(configuration, { file, asOf, format, areas, to }, output));
    });
}
