/**
 * The pure parts of Geoflock, for use without its actors: they read no file, no clock and no network, and the
 * same input gives the same bytes. docs/LIBRARY.md shows them at work.
 */

// Bytes of CSV -> columns of rows.
export {
  type CsvBatch,
  CsvFormatError,
  type CsvMapping,
  type CsvOptions,
  CsvReader,
} from './rows/csv-reader.ts';
export type { RowColumns } from './rows/columns.ts';
export { ACCEPTED, reasonOf, type RejectReason } from './rows/reasons.ts';

// Positions -> points of the sphere, and the region that each is in.
export { type Latitude, latitude, type Longitude, longitude, type Position } from './geo/axes.ts';
export { regionOf } from './geo/s2.ts';
export { fillUnitVectors, greatCircleKm, type UnitVector, unitVector } from './geo/sphere.ts';

// Rows of a region -> its summary.
export { type PaneGrid, paneGrid } from './clustering/panes.ts';
export { RegionSummary, type SummaryOptions } from './clustering/region-summary.ts';

// Summaries -> a model.
export { buildModel, type Cluster, type Model, type ModelOptions } from './clustering/model.ts';
export type { ModelSource } from './clustering/model-features.ts';
export {
  byPlace,
  type ModelTime,
  type PlacedPane,
  sourcesAt,
  type TimedSources,
  type TimeOptions,
} from './clustering/model-time.ts';

// A model -> predictions.
export {
  allocatePredictions,
  predict,
  type PredictingModel,
  type Prediction,
  type PredictionColumns,
  Predictor,
} from './clustering/predict.ts';

// A model <-> files.
export { clusterAreas } from './clustering/areas.ts';
export {
  type NamedCluster,
  type NamedModel,
  serializeGeoJson,
  serializeModel,
} from './clustering/geojson.ts';
export type { Place } from './geo/place.ts';
export { serializeClustersCsv } from './clustering/model-csv.ts';
export { ModelFileError, parseModel } from './clustering/model-file.ts';
export { serializePmml } from './clustering/pmml.ts';
