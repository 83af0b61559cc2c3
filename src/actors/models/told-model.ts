import type { ResultOf } from '../../admin/commands.ts';
import type { NamedModel } from '../../clustering/geojson.ts';
import type { KeptModel } from './published-models.ts';

export type ToldModel = ResultOf<'models.list'>['models'][number];

/** A published model as a list tells it: all but where its clusters are. `named` is its model with places. */
export function toldModel(kept: KeptModel, named: NamedModel): ToldModel {
  const { epoch, events, kind, lineage, nextOffsets, offset, publishedAt } = kept;
  const { clusters, cost, costBounds, drift, k, time, weight } = named;
  return {
    model: offset,
    kind,
    publishedAt: new Date(publishedAt).toISOString(),
    k,
    weight,
    cost,
    epoch,
    nextOffsets: [...nextOffsets],
    lineage: lineage === undefined ? null : { ...lineage },
    costBounds,
    ...(time === undefined ? {} : { time: { ...time } }),
    ...(drift === undefined ? {} : { drift: { ...drift } }),
    events: events.map((event) => ({ ...event })),
    clusters: clusters.map(({ id, place }) => ({ id, place: place === null ? null : { ...place } })),
  };
}
