import { readFile } from 'node:fs/promises';
import type { ResultOf } from '../admin/commands.ts';
import { modelAt } from '../actors/models/model-at.ts';
import { lastPublishedModel } from '../actors/models/published-models.ts';
import type { NamedModel } from '../clustering/geojson.ts';
import { ModelFileError, parseModel } from '../clustering/model-file.ts';
import { modelSettingsOf } from '../clustering-options.ts';
import type { Configuration } from '../config/schema.ts';
import { nameModel } from '../places/places.ts';
import type { AdminClient } from './admin/client.ts';
import type { DoorFlags } from './admin/door.ts';
import { eitherWay } from './either-way.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';

/** Which model a command is to use: of a file, as it was at a time, or else the last that was published. */
export interface ModelChoice {
  /** A `model.json`. */
  readonly file: string | undefined;
  /** Event time, ms since the epoch: the model of the rows before it. */
  readonly asOf: number | undefined;
  readonly door?: DoorFlags;
}

/** The model, or what the command ends with: why there is none has been told. */
export type ChosenModel =
  | { readonly kind: 'model'; readonly model: NamedModel }
  | { readonly kind: 'none'; readonly code: number };

/** The state is closed again when this resolves: a model of a file needs none. */
export async function chosenModel(
  configuration: Configuration,
  { asOf, door = {}, file }: ModelChoice,
  output: Output,
): Promise<ChosenModel> {
  let model: NamedModel | undefined;
  const code =
    file === undefined
      ? await eitherWay(configuration, door, output, {
          state: async (state) => {
            const built =
              asOf === undefined
                ? (await lastPublishedModel(state))?.model
                : (await modelAt(state, modelSettingsOf(configuration, { asOf }))).model;
            if (built === undefined) {
              const remedy = '`geoflock run` publishes them, also with --once';
              return failed(output, `no model is published yet: ${remedy}`);
            }
            model = await nameModel(built, state.clock);
            return EXIT_OK;
          },
          door: async (client) => {
            if (asOf !== undefined) {
              return failed(output, `--as-of: ${ONLY_PUBLISHED}`);
            }
            ({ model } = await publishedThere(client));
            return EXIT_OK;
          },
        })
      : await readModelFile(file, output, (read) => {
          model = read;
        });
  return model === undefined || code !== EXIT_OK ? { kind: 'none', code } : { kind: 'model', model };
}

/** Why not every model can be had from a running process. */
export const ONLY_PUBLISHED =
  'a running process tells the models that it has published; stop it to make another of its state';

/** The model that a running process published last. */
export async function publishedThere(
  client: AdminClient,
): Promise<{ readonly model: NamedModel; readonly told: ResultOf<'models.show'> }> {
  const told = await client.ask('models.show', { model: 'latest' });
  return { model: parseModel(JSON.stringify(told.detail)), told };
}

async function readModelFile(
  file: string,
  output: Output,
  take: (model: NamedModel) => void,
): Promise<number> {
  try {
    take(parseModel(await readFile(file, 'utf8')));
    return EXIT_OK;
  } catch (error) {
    const isSystemError = error instanceof Error && 'code' in error;
    if (!(isSystemError || error instanceof ModelFileError)) {
      throw error;
    }
    return failed(output, `the model ${file} cannot be used: ${error.message}`);
  }
}

function failed(output: Output, why: string): number {
  output.err(`geoflock: ${why}\n`);
  return EXIT_FAILURE;
}
