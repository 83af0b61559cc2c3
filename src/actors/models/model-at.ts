import type { Broker } from '../../broker/broker.ts';
import { type ModelSettings, withDrift } from '../../clustering/drift-at.ts';
import { type Model, modelSteps } from '../../clustering/model.ts';
import { type RowSpan, sourceSteps, type TimeOptions } from '../../clustering/model-time.ts';
import { formOf } from '../../clustering/region-algorithm.ts';
import type { Steps } from '../../clustering/slices.ts';
import type { Clock } from '../../system/clock.ts';
import { committedSummaries, refreshSummaries } from '../centroid-aggregator/committed-summaries.ts';
import { DecodedSummaries } from '../centroid-aggregator/decoded-summaries.ts';
import { inSlices } from '../in-slices.ts';
import type { TopicNames } from '../topics.ts';

export interface ModelPorts {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partitions: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A model, and of what it is. */
export interface MadeModel {
  readonly model: Model;
  /** Next offset of each input partition the model reflects. */
  readonly nextOffsets: readonly number[];
  readonly span: RowSpan;
}

/** Summaries of before and after a rewind cannot be in one model. */
export class RewindUnderWayError extends Error {
  override readonly name = 'RewindUnderWayError';
}

/** The rows that are kept are not told apart by event time. */
export class TimeNotKeptError extends Error {
  override readonly name = 'TimeNotKeptError';
}

/**
 * The canonical model of the rows that are committed now: of all of them, or as it was at a time, as far back
 * as panes are kept. No row is read again for it, and nothing is changed.
 * @throws RewindUnderWayError, TimeNotKeptError
 */
export async function modelAt(ports: ModelPorts, settings: ModelSettings): Promise<MadeModel> {
  const { broker, clock, partitions, signal, topics } = ports;
  await refreshSummaries(broker, topics.regions, partitions, signal);
  const read = await committedSummaries(broker, topics.regions, partitions);
  const { epochs, nextOffsets, summaries } = read;
  if (epochs.size > 1) {
    throw new RewindUnderWayError(
      'a rewind is under way: wait until all partitions have begun anew (geoflock run --once does so)',
    );
  }
  if (isTimed(settings.time) && summaries.some(({ parts }) => !formOf(parts).inTime)) {
    throw new TimeNotKeptError(
      'the rows are kept with clustering.algorithm streaming-kmeans, which does not tell them apart by event time: ' +
        'ask without --as-of, --half-life and --window (and set clustering.halfLife and clustering.window to off), ' +
        'or have all rows counted again with clustering.algorithm summary (`geoflock rewind --to-offset earliest`)',
    );
  }
  const steps = function* (): Steps<MadeModel> {
    const decoded = yield* new DecodedSummaries(0).decode(read);
    const { sources, span, time } = yield* sourceSteps(decoded, settings.time);
    const model = yield* withDrift(yield* modelSteps(sources, settings.model), decoded, settings);
    return { model: { ...model, time }, nextOffsets, span };
  };
  return await inSlices(steps(), { clock, signal });
}

function isTimed({ asOf, halfLifeMs, windowMs }: TimeOptions): boolean {
  return asOf !== undefined || halfLifeMs !== undefined || windowMs !== undefined;
}
