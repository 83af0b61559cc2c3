import { type Command, Option } from 'commander';
import { MODEL_FORMATS, type ModelFormat } from '../clustering/model-formats.ts';
import { addEitherFlags, type DoorFlags } from './admin/door.ts';
import { loadSettings, type SettingFlags } from './settings.ts';
import {
  degreesArgument,
  durationOrOffArgument,
  examples,
  type Finish,
  type Output,
  timeArgument,
  UsageError,
  wholeNumberOrAuto,
} from './usage.ts';

interface ChoiceFlags extends SettingFlags, DoorFlags {
  readonly model?: string;
  readonly asOf?: number;
}

/** The flags by which a command chooses its model. */
function addModelFlags(command: Command): Command {
  return addEitherFlags(
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
        finish(
          await predictCommand(
            configuration,
            { file, asOf, position, json, door: flags },
            process.stdin,
            output,
          ),
        );
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
      finish(await exportCommand(configuration, { file, asOf, format, areas, to, door: flags }, output));
    });
}

interface ModelFlags extends SettingFlags, DoorFlags {
  readonly asOf?: number;
  readonly halfLife?: number | 'off';
  readonly window?: number | 'off';
  readonly k?: number | 'auto';
  readonly curve?: boolean;
  readonly json?: boolean;
}

export function addModels(program: Command, output: Output, finish: Finish): void {
  const models = program
    .command('models')
    .description('the model of what is counted, at any time that is kept; models and events of before');
  addEitherFlags(
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
      finish(await showModelCommand(configuration, { time, k, curve, json, door: flags }, output));
    });
  addEitherFlags(models.command('list').description('a line a model that was published, the oldest first'))
    .option('--json', 'print JSON, an object a line')
    .action(async (flags: ModelFlags) => {
      const { configuration } = await loadSettings(flags);
      const { listModelsCommand } = await import('./models.ts');
      finish(await listModelsCommand(configuration, { json: flags.json === true, door: flags }, output));
    });
  addEitherFlags(
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
      finish(await historyCommand(configuration, { json: flags.json === true, door: flags }, output));
    });
}
