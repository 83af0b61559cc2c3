import { partitionOf } from '../../src/broker/partitioner.ts';
import { serializeModel } from '../../src/clustering/geojson.ts';
import { buildModel } from '../../src/clustering/model.ts';
import { byPlace, type PlacedPane, sourcesAt } from '../../src/clustering/model-time.ts';
import { RegionSummary } from '../../src/clustering/region-summary.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { fillRegions, regionToken } from '../../src/geo/s2.ts';
import { modelOptionsOf, paneGridOf, timeOptionsOf } from '../../src/clustering-options.ts';
import type { Rows } from './stream.ts';

/**
 * The program's own way from rows to an exported model, without its actors and brokers, which change no
 * byte of it: one summary for each region and input partition, then the canonical model of their panes.
 * All settings but k are the configuration's defaults.
 *
 * @param settings others than the defaults, by their keys.
 * @returns what the program writes to `model.json`, but for the places.
 */
export function exportedModel(
  rows: Rows,
  times: Float64Array,
  k: number,
  settings: Readonly<Record<string, string>> = {},
): string {
  const { configuration } = loadConfiguration({
    environment: {},
    flags: Object.entries({ 'clustering.k': String(k), ...settings }).map(([key, value]) => ({
      flag: 'bench',
      key,
      value,
    })),
  });
  const { clustering, regions, topics } = configuration;
  const { features, level } = regions;
  const panes: PlacedPane[] = [];
  for (const [region, { time, x, y, z }] of byRegion(rows, times, level)) {
    const summary = RegionSummary.empty(region, level, { features, grid: paneGridOf(configuration) });
    summary.fold(x, y, z, time, 0, time.length);
    // As the publisher does it, all rows of a region go to one partition.
    const partition = partitionOf(regionToken(region, level), topics.partitions);
    panes.push(...summary.panes.map((pane) => ({ region, partition, pane })));
  }
  const { sources, time } = sourcesAt(panes.sort(byPlace), timeOptionsOf(clustering));
  const model = buildModel(sources, modelOptionsOf(clustering));
  return serializeModel({ ...model, time });
}

interface Columns {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly time: Float64Array;
}

/** The rows of each region, in their order. */
function byRegion({ count, x, y, z }: Rows, time: Float64Array, level: number): Map<number, Columns> {
  const regions = new Int32Array(count);
  fillRegions(x, y, z, level, regions, 0, count);
  const lists = new Map<number, number[]>();
  regions.forEach((region, row) => {
    const list = lists.get(region);
    if (list === undefined) {
      lists.set(region, [row]);
    } else {
      list.push(row);
    }
  });
  const columns = new Map<number, Columns>();
  for (const [region, list] of lists) {
    const pick = (column: Float64Array): Float64Array =>
      Float64Array.from(list, (row) => column[row] as number);
    columns.set(region, { x: pick(x), y: pick(y), z: pick(z), time: pick(time) });
  }
  return columns;
}
