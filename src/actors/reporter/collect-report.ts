import type { Model } from '../../clustering/model.ts';
import { binsOf } from '../../report/time-bins.ts';
import type { PlacedPane } from '../../clustering/model-time.ts';
import { nameModel } from '../../places/places.ts';
import type { RegionRows, ReportData, TimedEvent } from '../../report/report-data.ts';
import { committedSummaries, refreshSummaries } from '../centroid-aggregator/committed-summaries.ts';
import { DecodedSummaries } from '../centroid-aggregator/decoded-summaries.ts';
import { inSlices } from '../in-slices.ts';
import type { ModelPorts } from '../models/model-at.ts';
import { publishedModels } from '../models/published-models.ts';
import { readTotals } from '../totals.ts';
import { lastFiles } from './last-files.ts';
import { exampleOf, lastRejected } from './last-rejected.ts';

/** Events are looked for in so many models, and so many are told. */
const LOOKED_AT_MODELS = 200;
const SHOWN_EVENTS = 30;

export interface ReportedModel {
  readonly model: Model;
  /** Level of the S2 cells that are regions. */
  readonly level: number;
  /** Version of Geoflock. */
  readonly version: string;
}

/** All that the report of a model says, from what is committed by now. */
export async function collectReport(
  ports: ModelPorts,
  { level, model, version }: ReportedModel,
): Promise<ReportData> {
  const { broker, clock, partitions, topics } = ports;
  const panes = countedPanes(model, await committedPanes(ports));
  const totals = await readTotals(broker, topics, partitions);
  const rejected = await lastRejected(ports);
  const ids = [...rejected.values()].flat().flatMap(({ file }) => (file === undefined ? [] : [file.id]));
  const files = await lastFiles(ports, new Set(ids));
  return {
    madeAt: clock.now(),
    version,
    model: await nameModel(model, clock),
    level,
    regions: rowsByRegion(panes),
    rowsOverTime: binsOf(panes.map(({ pane }) => pane)),
    rows: totals.rows,
    rejected: Object.entries(totals.rejectedByReason)
      .sort(([, a], [, b]) => b - a)
      .map(([reason, rows]) => ({
        reason,
        rows,
        examples: (rejected.get(reason) ?? []).map((row) => exampleOf(row, files.paths)),
      })),
    files: {
      ...totals.files,
      last: files.last.map(({ path, problem, read, rejected: count, state }) => ({
        path,
        state,
        read,
        rejected: count,
        problem,
      })),
    },
    events: await lastEvents(ports),
  };
}

async function committedPanes(ports: ModelPorts): Promise<readonly PlacedPane[]> {
  const { broker, clock, partitions, signal, topics } = ports;
  await refreshSummaries(broker, topics.regions, partitions, signal);
  const read = await committedSummaries(broker, topics.regions, partitions);
  return await inSlices(new DecodedSummaries(0).decode(read), { clock, signal });
}

/** Those whose rows the model is of: a pane counts as a whole or not at all. */
function countedPanes({ time }: Model, panes: readonly PlacedPane[]): readonly PlacedPane[] {
  const from = boundOf(time?.from, -Infinity);
  const to = boundOf(time?.to, Infinity);
  return panes.filter(({ pane }) => pane.earliest >= from && pane.latest < to);
}

function boundOf(time: string | null | undefined, none: number): number {
  return time === undefined || time === null ? none : Date.parse(time);
}

function rowsByRegion(panes: readonly PlacedPane[]): readonly RegionRows[] {
  const rows = new Map<number, number>();
  for (const { pane, region } of panes) {
    rows.set(region, (rows.get(region) ?? 0) + pane.rows);
  }
  return Array.from(rows, ([region, count]) => ({ region, rows: count })).filter(
    ({ rows: count }) => count > 0,
  );
}

async function lastEvents(ports: ModelPorts): Promise<readonly TimedEvent[]> {
  const told: TimedEvent[] = [];
  for await (const { events, publishedAt } of publishedModels(ports, LOOKED_AT_MODELS)) {
    told.push(...events.map((event) => ({ at: publishedAt, event })));
  }
  return told.slice(-SHOWN_EVENTS).reverse();
}
