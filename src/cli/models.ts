import { lineageOf, regionsOf } from '../actors/models/lineage.ts';
import { modelAt } from '../actors/models/model-at.ts';
import { type KeptModel, publishedModels } from '../actors/models/published-models.ts';
import { type NamedCluster, type NamedModel, serializeModel } from '../clustering/geojson.ts';
import type { TimeOptions } from '../clustering/model-time.ts';
import type { Configuration } from '../config/schema.ts';
import { NO_CHOICE_OF_K } from '../config/streaming-kmeans-schema.ts';
import { modelSettingsOf } from '../clustering-options.ts';
import { packageVersion } from '../version.ts';
import { lineageInShort, lineageText } from './lineage-text.ts';
import type { Place } from '../geo/place.ts';
import { nameModel } from '../places/places.ts';
import { eventInWords } from '../report/in-words.ts';
import { grouped } from '../report/text.ts';
import { choiceText, clusterTable, costText, curveTable, driftText, timeText } from './result.ts';
import { EXIT_OK, EXIT_USAGE, type Output } from './usage.ts';
import { withState } from './with-state.ts';

export interface ShowModelOptions {
  /** What is asked for otherwise than the configuration does. */
  readonly time: TimeOptions;
  readonly k: number | 'auto' | undefined;
  /** Also what each k would give. */
  readonly curve: boolean;
  readonly json: boolean;
}

/** `geoflock models show`: the model of the committed rows, at any time that is kept. */
export async function showModelCommand(
  configuration: Configuration,
  { curve, json, k, time }: ShowModelOptions,
  output: Output,
): Promise<number> {
  const { clustering } = configuration;
  if (k === 'auto' && clustering.algorithm === 'streaming-kmeans') {
    output.err(`geoflock: --k auto: expected a number, ${NO_CHOICE_OF_K}\n`);
    return EXIT_USAGE;
  }
  return await withState(configuration, output, async (state) => {
    const asked = k === undefined ? configuration : { ...configuration, clustering: { ...clustering, k } };
    const { model: options, ...rest } = modelSettingsOf(asked, time);
    const settings = {
      ...rest,
      model: k === undefined ? options : { ...options, fixedBy: `--k ${String(k)}` },
    };
    const { model: built, nextOffsets, span } = await modelAt(state, settings);
    const made = { ...settings, version: packageVersion(), regions: regionsOf(configuration) };
    const lineage = await lineageOf(state, made, span);
    const model = await nameModel(built, state.clock);
    if (json) {
      const plain = JSON.parse(serializeModel(model)) as object;
      output.out(`${JSON.stringify({ ...plain, nextOffsets, lineage }, undefined, 2)}\n`);
      return EXIT_OK;
    }
    const lines = [
      ...timeText(model),
      ...choiceText(model),
      `cost      ${costText(model)}`,
      ...driftText(model),
      ...lineageText(lineage, nextOffsets),
      '',
      ...clusterTable(model),
      ...(curve ? curveTable(model) : []),
    ];
    output.out(`${lines.join('\n')}\n`);
    return EXIT_OK;
  });
}

/** `geoflock models list`: a line a published model, the oldest first. */
export async function listModelsCommand(
  configuration: Configuration,
  { json }: { readonly json: boolean },
  output: Output,
): Promise<number> {
  return await printLines(configuration, output, 'models', ({ publishedAt, ...kept }) => {
    const { epoch, events, kind, lineage = null, nextOffsets, offset } = kept;
    const { clusters, cost, costBounds, drift, k, time, weight } = kept.model;
    if (json) {
      const of = { k, weight, cost, costBounds, time, drift, events };
      const told = { offset, publishedAt, kind, epoch, nextOffsets, lineage, ...of };
      return [JSON.stringify({ ...told, clusters: clusters.map(({ id, place }) => ({ id, place })) })];
    }
    const words = [`k ${String(k)}`, `weight ${grouped(weight)}`, `cost ${cost.toPrecision(6)}`];
    const of = [...lineageInShort(lineage), ...heaviestPlaces(clusters)];
    return [[String(offset), publishedAt, kind, ...words, ...of].join('\t')];
  });
}

/** `geoflock models history`: a line a change of k, of a cluster's life or of the drift alarm, the oldest first. */
export async function historyCommand(
  configuration: Configuration,
  { json }: { readonly json: boolean },
  output: Output,
): Promise<number> {
  // A cluster that is gone is not in the model that says so: it was last where the one before had it.
  let before = new Map<number, Place | null>();
  return await printLines(configuration, output, 'events', ({ events, kind, model, offset, publishedAt }) => {
    const watermark = model.time?.watermark ?? null;
    const places = new Map(model.clusters.map(({ id, place }) => [id, place]));
    const lines = events.map((event) => {
      const place = 'id' in event ? (places.get(event.id) ?? before.get(event.id) ?? null) : null;
      return json
        ? JSON.stringify({ model: offset, publishedAt, watermark, ...event, place })
        : [publishedAt, ...eventInWords(event), ...(place === null ? [] : [place.text])].join('\t');
    });
    if (kind === 'live') {
      before = places;
    }
    return lines;
  });
}

interface ToldModel extends Omit<KeptModel, 'publishedAt' | 'model'> {
  readonly publishedAt: string;
  readonly model: NamedModel;
}

/** How many places a line names. */
const PLACES_TOLD = 3;

function heaviestPlaces(clusters: readonly NamedCluster[]): readonly string[] {
  return clusters
    .slice(0, PLACES_TOLD)
    .flatMap(({ id, place }) => (place === null ? [] : [`${String(id)} ${place.text}`]));
}

/** Prints what is to be told of each published model, and on stderr how many lines those are. */
async function printLines(
  configuration: Configuration,
  output: Output,
  what: string,
  linesOf: (model: ToldModel) => readonly string[],
): Promise<number> {
  return await withState(configuration, output, async (state) => {
    let found = 0;
    for await (const kept of publishedModels(state)) {
      const publishedAt = new Date(kept.publishedAt).toISOString();
      const model = await nameModel(kept.model, state.clock);
      for (const line of linesOf({ ...kept, model, publishedAt })) {
        found++;
        output.out(`${line}\n`);
      }
    }
    output.err(`${grouped(found)} ${what}\n`);
    return EXIT_OK;
  });
}
