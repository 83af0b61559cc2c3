import { clusterAreas } from '../clustering/areas.ts';
import { serializeGeoJson } from '../clustering/geojson.ts';
import type { ModelFormat } from '../clustering/model-formats.ts';
import { modelText } from '../clustering/model-text.ts';
import type { Configuration } from '../config/schema.ts';
import { packageVersion } from '../version.ts';
import { chosenModel, type ModelChoice } from './chosen-model.ts';
import { EXIT_FAILURE, type Output } from './usage.ts';
import { writeResult } from './write-result.ts';

export interface ExportOptions extends ModelChoice {
  readonly format: ModelFormat;
  /** With a polygon a cluster: GeoJSON only. */
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
  const text = areas
    ? serializeGeoJson(model, clusterAreas(model))
    : modelText(model, format, packageVersion());
  if (text === undefined) {
    output.err('geoflock: the model has no clusters: PMML has no word for that\n');
    return EXIT_FAILURE;
  }
  return await writeResult(text, to, output);
}
