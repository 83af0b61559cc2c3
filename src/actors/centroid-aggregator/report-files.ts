import { randomUUID } from 'node:crypto';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { serializeGeoJson, serializeModel } from '../../clustering/geojson.ts';
import type { Model } from '../../clustering/model.ts';

const MODEL_FILE = 'model.json';
const CLUSTERS_FILE = 'clusters.geojson';

/** Writes the model for others to read: whole files under their names, never half of one. */
export async function writeReport(directory: string, model: Model): Promise<void> {
  await mkdir(directory, { recursive: true });
  await replaceFile(join(directory, MODEL_FILE), serializeModel(model));
  await replaceFile(join(directory, CLUSTERS_FILE), serializeGeoJson(model));
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
