import { randomUUID } from 'node:crypto';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Model } from '../../clustering/model.ts';
import { nameModel } from '../../places/places.ts';
import type { Clock } from '../../system/clock.ts';
import { type NamedModel, serializeGeoJson, serializeModel } from '../../clustering/geojson.ts';

const MODEL_FILE = 'model.json';
const CLUSTERS_FILE = 'clusters.geojson';

/**
 * Names the model's clusters, and writes it for others to read: whole files under their names, never half
 * of one. Answers with what it has written.
 */
export async function writeReport(
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

async function replaceFile(path: string, text: string): Promise<void> {
  // Replicas in containers have equal process ids, and may share the folder.
  const temporary = `${path}.${randomUUID()}.tmp`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
