import { clusterAreas } from '../clustering/areas.ts';
import { type NamedModel, serializeGeoJson, serializeModel } from '../clustering/geojson.ts';
import { serializeClustersCsv } from '../clustering/model-csv.ts';
import { serializePmml } from '../clustering/pmml.ts';
import type { Configuration } from '../config/schema.ts';
import { replaceFile } from '../actors/reporter/replace-file.ts';
import { packageVersion } from '../version.ts';
import { chosenModel, type ModelChoice } from './chosen-model.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';

export type ExportFormat = 'geojson' | 'json' | 'csv' | 'pmml';

export interface ExportOptions extends ModelChoice {
  readonly format: ExportFormat;
  /** With a polygon a cluster, in GeoJSON. */
  readonly areas: boolean;
  /** Undefined: stdout. */
  readonly to: string | undefined;
}

/** `geoflock export`: a model in a form that other programs read. */
export async function exportCommand(
  configuration: Configuration,
  { areas, format, to, ...choice }: ExportOptions,
  output: Output,
): Promise<number> {
  const chosen = await chosenModel(configuration, choice, output);
  if (chosen.kind === 'none') {
    return chosen.code;
  }
  const { model } = chosen;
  if (format === 'pmml' && model.clusters.length === 0) {
    output.err('geoflock: the model has no clusters: PMML has no word for that\n');
    return EXIT_FAILURE;
  }
  const text = textOf(model, format, areas);
  if (to === undefined) {
    output.out(text);
    return EXIT_OK;
  }
  try {
    await replaceFile(to, text);
    return EXIT_OK;
  } catch (error) {
    output.err(
      `geoflock: ${to} cannot be written: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return EXIT_FAILURE;
  }
}

function textOf(model: NamedModel, format: ExportFormat, areas: boolean): string {
  switch (format) {
    case 'geojson':
      return serializeGeoJson(model, areas ? clusterAreas(model) : []);
    case 'json':
      return serializeModel(model);
    case 'csv':
      return serializeClustersCsv(model);
    case 'pmml':
      return serializePmml(model, packageVersion());
  }
}
