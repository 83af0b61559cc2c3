import { type NamedModel, serializeGeoJson, serializeModel } from './geojson.ts';
import { serializeClustersCsv } from './model-csv.ts';
import type { ModelFormat } from './model-formats.ts';
import { serializePmml } from './pmml.ts';

/**
 * A model in one of its forms.
 * @param version of the program.
 * @returns undefined for a model without clusters as PMML, which has no word for that.
 */
export function modelText(model: NamedModel, format: ModelFormat, version: string): string | undefined {
  switch (format) {
    case 'geojson':
      return serializeGeoJson(model);
    case 'json':
      return serializeModel(model);
    case 'csv':
      return serializeClustersCsv(model);
    case 'pmml':
      return model.clusters.length === 0 ? undefined : serializePmml(model, version);
  }
}
