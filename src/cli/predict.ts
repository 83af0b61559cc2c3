import {
  allocatePredictions,
  type PredictingCluster,
  type PredictionColumns,
  Predictor,
} from '../clustering/predict.ts';
import type { Configuration } from '../config/schema.ts';
import { type CsvBatch, CsvFormatError, type CsvMapping, CsvReader } from '../rows/csv-reader.ts';
import { joinFields } from '../rows/fields.ts';
import { describeMapping } from '../rows/header.ts';
import { ACCEPTED } from '../rows/reasons.ts';
import { chosenModel, type ModelChoice } from './chosen-model.ts';
import { grouped } from '../report/text.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';

export interface PredictOptions extends ModelChoice {
  /** The position that is asked for, degrees; undefined: those of the rows on stdin. */
  readonly position: { readonly longitude: number; readonly latitude: number } | undefined;
  readonly json: boolean;
}

const CSV_HEADER =
  'line,longitude,latitude,cluster,clusterLongitude,clusterLatitude,place,distanceKm,marginKm\n';

/** `geoflock predict`: to which cluster of a model positions belong. */
export async function predictCommand(
  configuration: Configuration,
  options: PredictOptions,
  input: AsyncIterable<Uint8Array>,
  output: Output,
): Promise<number> {
  const chosen = await chosenModel(configuration, options, output);
  if (chosen.kind === 'none') {
    return chosen.code;
  }
  const { model } = chosen;
  if (model.clusters.length === 0) {
    output.err('geoflock: the model has no clusters: no rows are counted in it\n');
    return EXIT_FAILURE;
  }
  const predictor = new Predictor(model);
  const { json, position } = options;
  if (position === undefined) {
    return await predictRows(configuration, predictor, json, input, output);
  }
  const { distanceKm, id, marginKm, place, ...at } = predictor.predict(position.longitude, position.latitude);
  output.out(
    json
      ? `${JSON.stringify({ ...position, cluster: { id, ...at, place }, distanceKm, marginKm })}\n`
      : [
          `cluster   ${String(id)}`,
          `at        ${at.longitude.toFixed(4)} ${at.latitude.toFixed(4)}${place === null ? '' : `, ${place.text}`}`,
          `distance  ${kilometres(distanceKm)}`,
          marginKm === null
            ? 'margin    none: it is the only cluster'
            : `margin    ${kilometres(marginKm)} to the second nearest`,
          '',
        ].join('\n'),
  );
  return EXIT_OK;
}

/** A line a good row, in their order; bad ones are told on stderr. */
async function predictRows(
  { source }: Configuration,
  predictor: Predictor,
  json: boolean,
  input: AsyncIterable<Uint8Array>,
  output: Output,
): Promise<number> {
  const { columns, maxLineBytes, timezone: utcOffsetMinutes } = source;
  const reader = new CsvReader({ columns, utcOffsetMinutes, maxLineBytes });
  const writer = json ? jsonWriter(predictor) : csvWriter(predictor);
  let predictions = allocatePredictions(0);
  const rows = { predicted: 0, bad: 0 };
  /** @returns whether anybody reads on. */
  const predictAll = async (batches: Iterable<CsvBatch>): Promise<boolean> => {
    for (const batch of batches) {
      if (predictions.cluster.length < batch.columns.capacity) {
        predictions = allocatePredictions(batch.columns.capacity);
        output.err(`stdin: ${describeMapping(reader.mapping as CsvMapping)}\n`);
      }
      const { latitude, longitude, verdict } = batch.columns;
      predictor.fill(longitude, latitude, predictions, 0, batch.rows);
      let text = '';
      for (let row = 0; row < batch.rows; row++) {
        if (verdict[row] === ACCEPTED) {
          text += writer(batch, row, reader.lineOf(batch, row), predictions);
          rows.predicted++;
        } else {
          output.err(`line ${String(reader.lineOf(batch, row))}: ${reader.explain(batch, row)}\n`);
          rows.bad++;
        }
      }
      output.out(text);
      if ((await output.ready?.()) === false) {
        return false;
      }
    }
    return true;
  };
  if (!json) {
    output.out(CSV_HEADER);
  }
  try {
    for await (const bytes of input) {
      if (!(await predictAll(reader.read(bytes)))) {
        return EXIT_OK;
      }
    }
    await predictAll(reader.end());
  } catch (error) {
    if (!(error instanceof CsvFormatError)) {
      throw error;
    }
    output.err(`geoflock: stdin: ${error.message}\n`);
    return EXIT_FAILURE;
  }
  output.err(`${grouped(rows.predicted)} rows predicted, ${grouped(rows.bad)} bad\n`);
  return EXIT_OK;
}

type RowWriter = (batch: CsvBatch, row: number, line: number, predictions: PredictionColumns) => string;

/** What is said of a cluster is the same in all its rows. */
function csvWriter({ clusters }: Predictor): RowWriter {
  const of = clusters.map(({ id, latitude, longitude, place }) =>
    joinFields([String(id), String(longitude), String(latitude), place?.text ?? '']),
  );
  return ({ columns }, row, line, { cluster, distanceKm, marginKm }) => {
    const margin = marginKm[row] as number;
    return (
      `${String(line)},${String(columns.longitude[row])},${String(columns.latitude[row])},` +
      `${of[cluster[row] as number] as string},${String(distanceKm[row])},` +
      `${Number.isNaN(margin) ? '' : String(margin)}\n`
    );
  };
}

function jsonWriter({ clusters }: Predictor): RowWriter {
  const of = clusters.map(({ id, latitude, longitude, place = null }: PredictingCluster) =>
    JSON.stringify({ id, longitude, latitude, place }),
  );
  return ({ columns }, row, line, { cluster, distanceKm, marginKm }) => {
    const margin = marginKm[row] as number;
    // A finite number in text is the same in JSON.
    return (
      `{"line":${String(line)},"longitude":${String(columns.longitude[row])},` +
      `"latitude":${String(columns.latitude[row])},"cluster":${of[cluster[row] as number] as string},` +
      `"distanceKm":${String(distanceKm[row])},"marginKm":${Number.isNaN(margin) ? 'null' : String(margin)}}\n`
    );
  };
}

function kilometres(km: number): string {
  return `${km.toLocaleString('en-US', { maximumFractionDigits: 3 })} km`;
}
