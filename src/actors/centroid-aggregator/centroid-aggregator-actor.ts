import type { Broker } from '../../broker/broker.ts';
import { serializeModel } from '../../clustering/geojson.ts';
import { type Model, type ModelOptions, modelSteps } from '../../clustering/model.ts';
import { finishInSlices } from '../../clustering/slices.ts';
import type { ActorContext, ActorDefinition } from '../../system/actor.ts';
import { nextTurn } from '../../system/event-loop.ts';
import type { Schedule, Scheduler } from '../../system/schedule.ts';
import { commitWhenThereIsRoom } from '../commit.ts';
import type { AggregatorStats } from '../stats.ts';
import type { TopicNames } from '../topics.ts';
import { committedSummaries } from './committed-summaries.ts';
import type { AggregatorMessage, PublishedModel } from './messages.ts';
import { writeReport } from './report-files.ts';

export interface AggregatorDependencies {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partitions: number;
  readonly model: ModelOptions;
  readonly reportDirectory: string;
  /** Time between live models; undefined: only canonical ones, when asked. */
  readonly liveEvery: number | undefined;
  readonly schedule: Scheduler;
  readonly stats: AggregatorStats;
  /** Told each model that was published, for display. */
  readonly onModel: (model: Model) => void;
}

/** The event loop is never held longer than this by the search. */
const SLICE_MS = 8;

/**
 * Merges the committed region summaries into the global clusters and publishes them, as the one
 * writer of the models topic, with the next offsets they reflect.
 */
export function centroidAggregatorActor(own: AggregatorDependencies): ActorDefinition<AggregatorMessage> {
  return {
    name: 'centroid-aggregator',
    setup: async (context) => {
      const writer = await own.broker.openWriter('models-0');
      let changed = false;
      const live: Schedule | undefined =
        own.liveEvery === undefined
          ? undefined
          : own.schedule.every(own.liveEvery, () => {
              context.tell(context.self, { type: 'publish-live' });
            });
      const publish = async (kind: 'live' | 'canonical'): Promise<PublishedModel> => {
        const begun = context.clock.monotonic();
        const published = await buildFromCommitted(own, context);
        const { clock, log, signal } = context;
        const committed = await commitWhenThereIsRoom(
          writer,
          (transaction) => {
            transaction.append(own.topics.models, 0, [
              {
                key: kind,
                value: new TextEncoder().encode(
                  JSON.stringify({
                    version: 1,
                    kind,
                    nextOffsets: published.nextOffsets,
                    model: JSON.parse(serializeModel(published.model)) as unknown,
                  }),
                ),
                timestamp: clock.now(),
              },
            ]);
          },
          { clock, log, signal },
        );
        await committed?.flushed;
        await writeReport(own.reportDirectory, published.model);
        own.stats.models++;
        own.stats.lastModelMs = context.clock.monotonic() - begun;
        own.onModel(published.model);
        return published;
      };
      return {
        receive: async (message) => {
          switch (message.type) {
            case 'committed':
              changed = true;
              return;
            case 'publish-live':
              if (changed) {
                changed = false;
                await publish('live');
              }
              return;
            case 'publish-canonical':
              message.reply(await publish('canonical'));
              return;
          }
        },
        stopped: async () => {
          live?.stop();
          await writer.close();
        },
      };
    },
  };
}

async function buildFromCommitted(
  own: AggregatorDependencies,
  context: ActorContext<AggregatorMessage>,
): Promise<PublishedModel> {
  const { sources, nextOffsets } = await committedSummaries(own.broker, own.topics.regions, own.partitions);
  const model = await finishInSlices(modelSteps(sources, own.model), {
    now: () => context.clock.monotonic(),
    pause: nextTurn,
    sliceMs: SLICE_MS,
    signal: context.signal,
  });
  return { model, nextOffsets };
}
