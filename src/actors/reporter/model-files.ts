import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type NamedModel, serializeGeoJson, serializeModel } from '../../clustering/geojson.ts';
import type { Model } from '../../clustering/model.ts';
import { nameModel } from '../../places/places.ts';
import type { Clock } from '../../system/clock.ts';
import { replaceFile } from './replace-file.ts';

const MODEL_FILE = 'model.json';
const CLUSTERS_FILE = 'clusters.geojson';

/**
 * Names the model's clusters, and writes it for others to read: whole files under their names, never half
 * of one. Answers with what it has written.
 */
export async function writeModelFiles(
  directory: string,
  built: Model,
  clock: Pick<Clock, 'monotonic'>,
): Promise<NamedModel> {
  const model = await nameModel(built, clock);
  await mkdir(directory, { recursive: true });
  await replaceFile(join(directory, MODEL_FILE), serializeModel(model));
  await replaceFile(join(directory, CLUSTERS_FILE), serializeGeoJson(model));
  return model;
}
