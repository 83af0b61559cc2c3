import { serializeGeoJson, serializeModel } from '../../clustering/geojson.ts';
import { serializeClustersCsv } from '../../clustering/model-csv.ts';
import { serializePmml } from '../../clustering/pmml.ts';
import { reportHtml } from '../../report/html.ts';
import { reportMarkdown } from '../../report/markdown.ts';
import type { ReportData } from '../../report/report-data.ts';

/** Each form in which a report or its model is written, by the extension of its file. */
export const FORMATS = {
  html: reportHtml,
  md: reportMarkdown,
  json: ({ model }: ReportData) => serializeModel(model),
  geojson: ({ model }: ReportData) => serializeGeoJson(model),
  csv: ({ model }: ReportData) => serializeClustersCsv(model),
  pmml: ({ model, version }: ReportData) => serializePmml(model, version),
} as const satisfies Record<string, (data: ReportData) => string>;

export type Format = keyof typeof FORMATS;
