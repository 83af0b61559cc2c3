import type { Broker, Membership } from '../../broker/broker.ts';
import { type Model, type ModelOptions, modelSteps } from '../../clustering/model.ts';
import { finishInSlices } from '../../clustering/slices.ts';
import type { ActorContext, ActorDefinition } from '../../system/actor.ts';
import { nextTurn } from '../../system/event-loop.ts';
import type { Schedule, Scheduler } from '../../system/schedule.ts';
import { pause } from '../commit.ts';
import { currentEpoch } from '../rewind/epoch.ts';
import type { AggregatorStats } from '../stats.ts';
import type { TopicNames } from '../topics.ts';
import { atMost, unlessAborted } from '../unless-aborted.ts';
import { committedCounts, committedSummaries, refreshSummaries } from './committed-summaries.ts';
import type { AggregatorMessage, PublishedModel } from './messages.ts';
import { followModels } from './model-follower.ts';
import { ModelWriter } from './model-writer.ts';
import type { ModelKind } from './published-model.ts';
import { writeReport } from './report-files.ts';

export interface AggregatorDependencies {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partitions: number;
  /** The consumer group whose member with the models topic publishes. */
  readonly group: string;
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
/** Who is asked for a canonical model before the group has answered waits for its word so long. */
const JOIN_PATIENCE_MS = 10_000;
/** A canonical model is tried to be published so often. */
const CANONICAL_TRIES = 5;
const RETRY_MS = 500;

/**
 * Merges the committed region summaries into the global clusters. The owner of the models topic is the
 * one who publishes them there, with the next offsets they reflect; the others serve what it published.
 */
export function centroidAggregatorActor(own: AggregatorDependencies): ActorDefinition<AggregatorMessage> {
  return {
    name: 'centroid-aggregator',
    setup: (context) => {
      const aggregator = new Aggregator(own, context);
      const live: Schedule | undefined =
        own.liveEvery === undefined
          ? undefined
          : own.schedule.every(own.liveEvery, () => {
              context.tell(context.self, { type: 'publish-live' });
            });
      return {
        receive: async (message) => {
          switch (message.type) {
            case 'committed':
              aggregator.committed();
              return;
            case 'publish-live':
              await aggregator.publishLive();
              return;
            case 'publish-canonical':
              message.reply(await aggregator.publishCanonical());
              return;
          }
        },
        stopped: async () => {
          live?.stop();
          await aggregator.close();
        },
      };
    },
  };
}

class Aggregator {
  readonly #own: AggregatorDependencies;
  readonly #context: ActorContext<AggregatorMessage>;
  readonly #writer: ModelWriter;
  readonly #joined: Promise<void>;
  #membership: Membership | undefined;
  #following: AbortController | undefined;
  /** A partition of this process has committed since the last model. */
  #changed = false;
  /** What the last live model was made of. */
  #published: string | undefined;
  /** One report after another: they write the same files. */
  #reporting: Promise<void> = Promise.resolve();

  constructor(own: AggregatorDependencies, context: ActorContext<AggregatorMessage>) {
    this.#own = own;
    this.#context = context;
    const { broker, topics } = own;
    const { clock, log, signal } = context;
    this.#writer = new ModelWriter({ broker, topic: topics.models, clock, log, signal });
    this.#joined = new Promise((resolve) => {
      context.background(async () => {
        this.#membership = await this.#join();
        resolve();
        this.#followUnlessOwner();
      });
    });
  }

  committed(): void {
    this.#changed = true;
  }

  async publishLive(): Promise<void> {
    const { broker, partitions, topics } = this.#own;
    if (!this.#writer.owned) {
      return;
    }
    // What others have counted is news too, and only the tables tell.
    if (broker.kind === 'embedded') {
      if (!this.#changed) {
        return;
      }
    } else {
      await refreshSummaries(broker, topics.regions, partitions, this.#context.signal);
      const counts = await committedCounts(broker, topics.regions, partitions);
      if (counts === this.#published) {
        return;
      }
      this.#published = counts;
    }
    this.#changed = false;
    const begun = this.#context.clock.monotonic();
    const published = await this.#build();
    if (published !== undefined && (await this.#writer.publish('live', published))) {
      await this.#serve(published, begun);
    } else {
      this.#changed = true;
      this.#published = undefined;
    }
  }

  /** It is a pure function of what is committed: who may not publish it still knows and serves it. */
  async publishCanonical(): Promise<PublishedModel> {
    const { clock, log, signal } = this.#context;
    await atMost(clock, JOIN_PATIENCE_MS, unlessAborted(this.#joined, signal));
    const begun = clock.monotonic();
    const published = await this.#buildOfOneEpoch();
    let done = await this.#publishIfOwner('canonical', published);
    for (let tries = 1; !done && this.#writer.owned && tries < CANONICAL_TRIES; tries++) {
      await pause(clock, RETRY_MS, signal);
      done = await this.#publishIfOwner('canonical', published);
    }
    if (!done) {
      log.info({}, 'the model is served here and not published: another replica owns the models topic');
    }
    await this.#serve(published, begun);
    return published;
  }

  async close(): Promise<void> {
    this.#following?.abort();
    await this.#membership?.leave();
    await this.#writer.revoked();
  }

  async #publishIfOwner(kind: ModelKind, published: PublishedModel): Promise<boolean> {
    return this.#writer.owned && (await this.#writer.publish(kind, published));
  }

  #join(): Promise<Membership> {
    const { broker, group, topics } = this.#own;
    const { log, signal } = this.#context;
    const told = broker.kind === 'embedded' ? 'debug' : 'info';
    const joining = broker.join(group, topics.models, {
      assigned: (partitions, membership) => {
        if (partitions.includes(0)) {
          log[told]({ group }, 'models are published here');
          this.#following?.abort();
          this.#following = undefined;
          this.#writer.assigned(membership);
        }
        return Promise.resolve();
      },
      revoked: async (partitions) => {
        if (partitions.includes(0)) {
          log[told]({ group }, 'models are published by another replica');
          await this.#writer.revoked();
          this.#followUnlessOwner();
        }
      },
      failed: (error) => {
        this.#context.fail(error);
      },
    });
    return unlessAborted(joining, signal, (late) => late.leave());
  }

  #followUnlessOwner(): void {
    const { broker, liveEvery, topics } = this.#own;
    if (this.#writer.owned || this.#following !== undefined || liveEvery === undefined) {
      return;
    }
    const stop = new AbortController();
    this.#following = stop;
    this.#context.background(async (signal) => {
      const abort = (): void => {
        stop.abort();
      };
      signal.addEventListener('abort', abort, { once: true });
      const take = (published: PublishedModel): Promise<void> =>
        this.#serve(published, this.#context.clock.monotonic());
      await followModels(broker, topics.models, take, stop.signal);
      signal.removeEventListener('abort', abort);
    });
  }

  /** Waits until every partition has been rewound, by whomever, where a rewind is under way. */
  async #buildOfOneEpoch(): Promise<PublishedModel> {
    const { clock, log, signal } = this.#context;
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted();
      const published = await this.#build();
      if (published !== undefined) {
        return published;
      }
      if (tries === 0) {
        log.info({}, 'a rewind is under way: the model waits until all partitions have begun anew');
      }
      await pause(clock, RETRY_MS, signal);
    }
  }

  /** Undefined while not all partitions are of the current epoch. */
  async #build(): Promise<PublishedModel | undefined> {
    const { broker, model: options, partitions, topics } = this.#own;
    const { clock, signal } = this.#context;
    const epoch = (await unlessAborted(currentEpoch(broker, topics.settings), signal)).number;
    await refreshSummaries(broker, topics.regions, partitions, signal);
    const { epochs, sources, nextOffsets } = await committedSummaries(broker, topics.regions, partitions);
    if ([...epochs].some((one) => one !== epoch)) {
      return undefined;
    }
    const model = await finishInSlices(modelSteps(sources, options), {
      now: () => clock.monotonic(),
      pause: nextTurn,
      sliceMs: SLICE_MS,
      signal,
    });
    return { model, nextOffsets, epoch };
  }

  async #serve({ model }: PublishedModel, begun: number): Promise<void> {
    const { onModel, reportDirectory, stats } = this.#own;
    const written = this.#reporting.then(() => writeReport(reportDirectory, model));
    this.#reporting = written.catch(() => undefined);
    await written;
    stats.models++;
    stats.lastModelMs = this.#context.clock.monotonic() - begun;
    onModel(model);
  }
}
