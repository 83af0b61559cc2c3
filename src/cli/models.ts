import { MOST_LISTED } from '../admin/commands.ts';
import type { ModelEvent } from '../actors/centroid-aggregator/messages.ts';
import { lineageOf, type ModelLineage, regionsOf } from '../actors/models/lineage.ts';
import { modelAt } from '../actors/models/model-at.ts';
import { publishedModels } from '../actors/models/published-models.ts';
import { type ToldModel, toldModel } from '../actors/models/told-model.ts';
import { type NamedModel, serializeModel } from '../clustering/geojson.ts';
import type { ModelTime, TimeOptions } from '../clustering/model-time.ts';
import type { Configuration } from '../config/schema.ts';
import { NO_CHOICE_OF_K } from '../config/streaming-kmeans-schema.ts';
import { modelSettingsOf } from '../clustering-options.ts';
import { packageVersion } from '../version.ts';
import type { DoorFlags } from './admin/door.ts';
import { ONLY_PUBLISHED, publishedThere } from './chosen-model.ts';
import { eitherWay } from './either-way.ts';
import { lineageInShort, lineageText } from './lineage-text.ts';
import type { Place } from '../geo/place.ts';
import { nameModel } from '../places/places.ts';
import { eventInWords } from '../report/in-words.ts';
import { grouped } from '../report/text.ts';
import { choiceText, clusterTable, costText, curveTable, driftText, timeText } from './result.ts';
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE, type Output } from './usage.ts';

export interface ShowModelOptions {
  /** What is asked for otherwise than the configuration does. */
  readonly time: TimeOptions;
  readonly k: number | 'auto' | undefined;
  /** Also what each k would give. */
  readonly curve: boolean;
  readonly json: boolean;
  readonly door: DoorFlags;
}

/**
 * `geoflock models show`: the model of the committed rows, at any time that is kept; from a running process the
 * one it published last.
 */
export async function showModelCommand(
  configuration: Configuration,
  { curve, door, json, k, time }: ShowModelOptions,
  output: Output,
): Promise<number> {
  const { clustering } = configuration;
  if (k === 'auto' && clustering.algorithm === 'streaming-kmeans') {
    output.err(`geoflock: --k auto: expected a number, ${NO_CHOICE_OF_K}\n`);
    return EXIT_USAGE;
  }
  const print = (model: NamedModel, nextOffsets: readonly number[], lineage: ModelLineage | null): number => {
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
      ...(lineage === null ? [] : lineageText(lineage, nextOffsets)),
      '',
      ...clusterTable(model),
      ...(curve ? curveTable(model) : []),
    ];
    output.out(`${lines.join('\n')}\n`);
    return EXIT_OK;
  };
  return await eitherWay(configuration, door, output, {
    state: async (state) => {
      const asked = k === undefined ? configuration : { ...configuration, clustering: { ...clustering, k } };
      const { model: options, ...rest } = modelSettingsOf(asked, time);
      const settings = {
        ...rest,
        model: k === undefined ? options : { ...options, fixedBy: `--k ${String(k)}` },
      };
      const { model: built, nextOffsets, span } = await modelAt(state, settings);
      const made = { ...settings, version: packageVersion(), regions: regionsOf(configuration) };
      const lineage = await lineageOf(state, made, span);
      return print(await nameModel(built, state.clock), nextOffsets, lineage);
    },
    door: async (client) => {
      if (k !== undefined || Object.keys(time).length > 0) {
        output.err(`geoflock: --as-of, --half-life, --window, --k: ${ONLY_PUBLISHED}\n`);
        return EXIT_FAILURE;
      }
      const { model, told } = await publishedThere(client);
      output.err(`model ${String(told.model)}, ${told.kind}, published ${told.publishedAt}\n`);
      return print(model, told.nextOffsets, told.lineage as ModelLineage | null);
    },
  });
}

interface LinesOptions {
  readonly json: boolean;
  readonly door: DoorFlags;
}

/** `geoflock models list`: a line a published model, the oldest first. */
export async function listModelsCommand(
  configuration: Configuration,
  options: LinesOptions,
  output: Output,
): Promise<number> {
  return await printLines(configuration, options, output, 'models', (told) => {
    const { clusters, cost, costBounds, drift, epoch, k, kind, lineage, nextOffsets, publishedAt, weight } =
      told;
    const { events, model: offset, time } = told;
    if (options.json) {
      const of = { k, weight, cost, costBounds, time, drift, events };
      return [JSON.stringify({ offset, publishedAt, kind, epoch, nextOffsets, lineage, ...of, clusters })];
    }
    const words = [`k ${String(k)}`, `weight ${grouped(weight)}`, `cost ${cost.toPrecision(6)}`];
    const of = [...lineageInShort(lineage), ...heaviestPlaces(clusters)];
    return [[String(offset), publishedAt, kind, ...words, ...of].join('\t')];
  });
}

/** `geoflock models history`: a line a change of k, of a cluster's life or of the drift alarm, the oldest first. */
export async function historyCommand(
  configuration: Configuration,
  options: LinesOptions,
  output: Output,
): Promise<number> {
  // A cluster that is gone is not in the model that says so: it was last where the one before had it.
  let before = new Map<number, Place | null>();
  return await printLines(configuration, options, output, 'events', (told) => {
    const { clusters, events, kind, model, publishedAt, time } = told;
    const watermark = time?.watermark ?? null;
    const places = new Map(clusters.map(({ id, place }) => [id, place]));
    const lines = events.map((event) => {
      const place = 'id' in event ? (places.get(event.id) ?? before.get(event.id) ?? null) : null;
      return options.json
        ? JSON.stringify({ model, publishedAt, watermark, ...event, place })
        : [publishedAt, ...eventInWords(event), ...(place === null ? [] : [place.text])].join('\t');
    });
    if (kind === 'live') {
      before = places;
    }
    return lines;
  });
}

/** A model of a list with the types that its parts have among ourselves. */
interface ListedModel extends Omit<ToldModel, 'clusters' | 'events' | 'lineage' | 'time'> {
  readonly lineage: ModelLineage | null;
  readonly time?: ModelTime;
  readonly events: readonly ModelEvent[];
  readonly clusters: readonly { readonly id: number; readonly place: Place | null }[];
}

/** How many places a line names. */
const PLACES_TOLD = 3;

function heaviestPlaces(clusters: ListedModel['clusters']): readonly string[] {
  return clusters
    .slice(0, PLACES_TOLD)
    .flatMap(({ id, place }) => (place === null ? [] : [`${String(id)} ${place.text}`]));
}

/** Prints what is to be told of each published model, and on stderr how many lines those are. */
async function printLines(
  configuration: Configuration,
  { door }: LinesOptions,
  output: Output,
  what: string,
  linesOf: (model: ListedModel) => readonly string[],
): Promise<number> {
  let found = 0;
  const print = (model: ToldModel): void => {
    for (const line of linesOf(model as ToldModel & ListedModel)) {
      found++;
      output.out(`${line}\n`);
    }
  };
  const printCount = (): number => {
    output.err(`${grouped(found)} ${what}\n`);
    return EXIT_OK;
  };
  return await eitherWay(configuration, door, output, {
    state: async (state) => {
      for await (const kept of publishedModels(state)) {
        print(toldModel(kept, await nameModel(kept.model, state.clock)));
      }
      return printCount();
    },
    door: async (client) => {
      const { models } = await client.ask('models.list', { limit: MOST_LISTED });
      models.toReversed().forEach(print);
      return printCount();
    },
  });
}
