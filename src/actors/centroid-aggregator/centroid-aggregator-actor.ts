import type { Broker, Membership } from '../../broker/broker.ts';
import { type ModelSettings, withDrift } from '../../clustering/drift-at.ts';
import type { NamedModel } from '../../clustering/geojson.ts';
import { LayerCache } from '../../clustering/layer-cache.ts';
import { liveModelSteps } from '../../clustering/live-model.ts';
import { modelSteps } from '../../clustering/model.ts';
import { type ModelTime, type PlacedPane, type RowSpan, sourceSteps } from '../../clustering/model-time.ts';
import type { ModelSource } from '../../clustering/model-features.ts';
import type { Steps } from '../../clustering/slices.ts';
import type { Metrics } from '../../metrics/recorder.ts';
import type { ActorContext, ActorDefinition, Address } from '../../system/actor.ts';
import type { Gate } from '../../system/gate.ts';
import type { Schedule, Scheduler } from '../../system/schedule.ts';
import { pause } from '../commit.ts';
import { inSlices } from '../in-slices.ts';
import { lineageOf, type MadeBy } from '../models/lineage.ts';
import type { ReporterMessage } from '../reporter/messages.ts';
import { writeModelFiles } from '../reporter/model-files.ts';
import { currentEpoch } from '../rewind/epoch.ts';
import type { AggregatorStats } from '../stats.ts';
import type { TopicNames } from '../topics.ts';
import { atMost, unlessAborted } from '../unless-aborted.ts';
import { BackgroundSearch } from './background-search.ts';
import { BackgroundTurns } from './background-turns.ts';
import { committedCounts, committedSummaries, refreshSummaries } from './committed-summaries.ts';
import { DecodedSummaries } from './decoded-summaries.ts';
import { DriftWatch } from './drift-watch.ts';
import type { AggregatorMessage, PublishedModel } from './messages.ts';
import { followModels } from './model-follower.ts';
import { ModelWriter } from './model-writer.ts';

export interface AggregatorDependencies {
  /** How models are made, as things are set now: another object when that has changed. */
  readonly settings: () => ModelSettings;
  /** Holds live models; a canonical one is made because it was asked for. */
  readonly gate: Gate;
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partitions: number;
  /** The consumer group whose member with the models topic publishes. */
  readonly group: string;
  /** What else is recorded with a model of how it was made. */
  readonly made: Pick<MadeBy, 'version' | 'regions'>;
  readonly reportDirectory: string;
  /** Told each model that is served. */
  readonly reporter: Address<ReporterMessage>;
  /** Time between live models; undefined: only canonical ones, when asked. */
  readonly liveEvery: number | undefined;
  readonly schedule: Scheduler;
  readonly stats: AggregatorStats;
  readonly metrics: Metrics;
  /** Told each model that this process serves, whoever published it. */
  readonly onServed: (published: PublishedModel) => void;
  /** Told each model that was published, for display. */
  readonly onModel: (model: NamedModel) => void;
}

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

/** What was made of the committed summaries, and which those were. */
interface Built<T> {
  readonly made: T;
  readonly time: ModelTime;
  readonly of: Pick<PublishedModel, 'epoch' | 'nextOffsets' | 'lineage'>;
}

class Aggregator {
  readonly #own: AggregatorDependencies;
  readonly #context: ActorContext<AggregatorMessage>;
  readonly #writer: ModelWriter;
  readonly #turns = new BackgroundTurns();
  #settings: ModelSettings;
  #search: BackgroundSearch;
  /** Undefined: drift is not looked at. */
  #drift: DriftWatch | undefined;
  /** Most summaries are the same in the next live model. */
  #decoded = new DecodedSummaries();
  #layers = new LayerCache();
  readonly #joined: Promise<void>;
  #membership: Membership | undefined;
  #following: AbortController | undefined;
  /** A partition of this process has committed since the last model. */
  #changed = false;
  /** What the last live model was made of. */
  #published: string | undefined;
  /** One report after another: they write the same files. */
  #reporting: Promise<unknown> = Promise.resolve();

  constructor(own: AggregatorDependencies, context: ActorContext<AggregatorMessage>) {
    this.#own = own;
    this.#context = context;
    const { broker, topics } = own;
    const { clock, log, signal } = context;
    this.#writer = new ModelWriter({
      broker,
      topic: topics.models,
      settings: topics.settings,
      clock,
      log,
      metrics: own.metrics,
      signal,
    });
    // What a former incarnation was told of is not known here.
    this.#changed = context.incarnation > 1;
    this.#settings = own.settings();
    this.#search = this.#newSearch();
    this.#drift = this.#newDriftWatch();
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
    const turn = this.#own.gate.enter();
    if (turn !== undefined) {
      await this.#publishNews().finally(turn.done);
    }
  }

  async #publishNews(): Promise<void> {
    this.#adoptSettings();
    if (!this.#writer.owned || !(await this.#takeNews())) {
      return;
    }
    const begun = this.#context.clock.monotonic();
    const published = await this.#turns.goFirst(() => this.#publishNext());
    if (published === undefined) {
      this.#publishAgain();
    } else {
      await this.#serve(published, begun);
    }
  }

  /** It is a pure function of what is committed: who may not publish it still knows and serves it. */
  async publishCanonical(): Promise<PublishedModel> {
    const { clock, log, signal } = this.#context;
    await atMost(clock, JOIN_PATIENCE_MS, unlessAborted(this.#joined, signal));
    const begun = clock.monotonic();
    this.#adoptSettings();
    // It stands until there are more rows: what is found beside live models makes no other of these.
    await this.#takeNews();
    this.#search.cancel();
    this.#drift?.cancel();
    const published = await this.#turns.goFirst(() => this.#buildOfOneEpoch());
    let done = await this.#writer.publishCanonical(published);
    for (let tries = 1; !done && this.#writer.owned && tries < CANONICAL_TRIES; tries++) {
      await pause(clock, RETRY_MS, signal);
      done = await this.#writer.publishCanonical(published);
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

  /** What was found and kept for models that are made in another way is of no use. */
  #adoptSettings(): void {
    const settings = this.#own.settings();
    if (settings === this.#settings) {
      return;
    }
    this.#settings = settings;
    this.#search.cancel();
    this.#drift?.cancel();
    this.#search = this.#newSearch();
    this.#drift = this.#newDriftWatch();
    this.#layers = new LayerCache();
    this.#publishAgain();
  }

  #newSearch(): BackgroundSearch {
    return new BackgroundSearch({
      context: this.#context,
      model: this.#settings.model,
      turns: this.#turns,
      onBetter: () => {
        this.#publishAgain();
      },
    });
  }

  #newDriftWatch(): DriftWatch | undefined {
    const { broker, topics } = this.#own;
    const { drift, model, time } = this.#settings;
    if (drift === undefined) {
      return undefined;
    }
    return new DriftWatch({
      context: this.#context,
      broker,
      rows: topics.rows,
      models: { model, time, drift },
      turns: this.#turns,
      onJudged: () => {
        this.#publishAgain();
      },
    });
  }

  /** Whether there is anything to make a model of that was not there when this was asked last: it is taken for seen. */
  async #takeNews(): Promise<boolean> {
    const { broker, partitions, topics } = this.#own;
    if (broker.kind === 'embedded') {
      const changed = this.#changed;
      this.#changed = false;
      return changed;
    }
    // What others have counted is news too, and only the tables tell.
    await refreshSummaries(broker, topics.regions, partitions, this.#context.signal);
    const counts = await committedCounts(broker, topics.regions, partitions);
    const news = counts !== this.#published;
    this.#published = counts;
    return news;
  }

  /** The next live model is made also if nothing is committed until then. */
  #publishAgain(): void {
    this.#changed = true;
    this.#published = undefined;
  }

  /** The model that follows the last live one; undefined when it could not be published now. */
  async #publishNext(): Promise<PublishedModel | undefined> {
    const { model: options } = this.#settings;
    const before = await this.#writer.lineage();
    if (before === undefined) {
      return undefined;
    }
    const candidate = this.#search.found;
    let panes: readonly PlacedPane[] = [];
    const next = await this.#build((sources, placed) => {
      panes = placed;
      return liveModelSteps(sources, options, before.state?.clusters, candidate, this.#layers);
    }, this.#decoded);
    if (next === undefined) {
      return undefined;
    }
    const { live: clusters, model, unsearched } = next.made;
    const news = this.#drift?.newsAfter(before.state?.drift, next.of.epoch);
    const events = [...next.made.events, ...(news?.events ?? [])];
    const published = { ...next.of, model: { ...model, time: next.time, ...news?.told }, events };
    if (!(await this.#writer.publishLive(published, before, { clusters, drift: news?.drift }))) {
      return undefined;
    }
    if (news !== undefined && this.#writer.owned) {
      this.#drift?.published(news);
      if (this.#drift?.look({ panes, nextOffsets: next.of.nextOffsets, k: model.k }, news.drift) === true) {
        this.#decoded.lend();
      }
    }
    if (candidate !== undefined) {
      this.#search.judged();
    }
    if (unsearched !== undefined && this.#writer.owned) {
      this.#search.begin(unsearched);
    }
    for (const event of next.made.events) {
      this.#context.log.debug(event, 'cluster');
    }
    return published;
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
          this.#search.cancel();
          this.#drift?.cancel();
          this.#decoded = new DecodedSummaries();
          this.#layers = new LayerCache();
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
    const settings = this.#settings;
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted();
      const built = await this.#build(function* (sources, panes) {
        return yield* withDrift(yield* modelSteps(sources, settings.model), panes, settings);
      });
      if (built !== undefined) {
        return { ...built.of, model: { ...built.made, time: built.time }, events: [] };
      }
      if (tries === 0) {
        log.info({}, 'a rewind is under way: the model waits until all partitions have begun anew');
      }
      await pause(clock, RETRY_MS, signal);
    }
  }

  /** Undefined while not all partitions are of the current epoch. */
  async #build<T>(
    make: (sources: readonly ModelSource[], panes: readonly PlacedPane[]) => Steps<T>,
    decoded = new DecodedSummaries(0),
  ): Promise<Built<T> | undefined> {
    const { broker, made, partitions, topics } = this.#own;
    const { model, time: asked } = this.#settings;
    const { clock, signal } = this.#context;
    const epoch = (await unlessAborted(currentEpoch(broker, topics.settings), signal)).number;
    await refreshSummaries(broker, topics.regions, partitions, signal);
    const read = await committedSummaries(broker, topics.regions, partitions, decoded.since(epoch));
    if ([...read.epochs].some((one) => one !== epoch)) {
      return undefined;
    }
    const steps = function* (): Steps<Pick<Built<T>, 'made' | 'time'> & { readonly span: RowSpan }> {
      const panes = yield* decoded.decode(read, epoch);
      const { sources, span, time } = yield* sourceSteps(panes, asked);
      return { made: yield* make(sources, panes), time, span };
    };
    const { span, ...built } = await inSlices(steps(), { clock, signal });
    const lineage = await unlessAborted(
      lineageOf({ broker, topics, partitions }, { ...made, model, time: asked }, span),
      signal,
    );
    return { ...built, of: { nextOffsets: read.nextOffsets, epoch, lineage } };
  }

  async #serve(published: PublishedModel, begun: number): Promise<void> {
    const { metrics, onModel, onServed, reportDirectory, reporter, stats } = this.#own;
    const { model } = published;
    const written = this.#reporting.then(() => writeModelFiles(reportDirectory, model, this.#context.clock));
    this.#reporting = written.catch(() => undefined);
    const named = await written;
    stats.models++;
    stats.lastModelMs = this.#context.clock.monotonic() - begun;
    stats.busyMs += stats.lastModelMs;
    metrics.time('aggregator.model.time', stats.lastModelMs);
    onServed(published);
    onModel(named);
    this.#context.tell(reporter, { type: 'served', published });
  }
}
