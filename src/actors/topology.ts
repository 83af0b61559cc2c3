/**
 * The whole tree, its supervision, its wiring and the limits of every connection. Start reading here.
 *
 * ```
 * admin                  every command
 * watchdog               health, and partitions that are stuck
 * ingest                 all-for-one
 * ├── publisher          bytes -> rows -> messages -> topic, progress in the same transaction
 * └── file-watcher       finds files that have come to rest
 * partitions             one-for-one; owns the group membership
 * └── partition-<n>      restarts together with its regions
 *     └── region-<cell>  streaming clustering of one region
 * centroid-aggregator    committed summaries -> the global clusters
 * reporter               the served model -> report, exports
 * ```
 *
 * folder -> file-watcher =files=> publisher =publisher=> [log: topic] -> partition =rows=> region
 *        -> [table: summaries] -> centroid-aggregator -> models -> reporter -> report, exports
 *
 * `=name=>` is a connection with credit. The log is bounded too: while its unconsumed part is at the
 * limit the publisher waits, so the watcher's connection fills, so the watcher waits.
 *
 * The tree starts from the sink upwards and stops in the opposite order, sources first.
 */
import type { Broker } from '../broker/broker.ts';
import type { NamedModel } from '../clustering/geojson.ts';
import type { Configuration } from '../config/schema.ts';
import { regionAlgorithmOf } from '../region-algorithm.ts';
import { TOPIC_LAYOUT } from '../rows/kernel.ts';
import { maxTopicLineBytes } from '../rows/topic-line.ts';
import type { Health } from '../health/judge.ts';
import { HealthMonitor } from '../health/monitor.ts';
import { createTypeScriptKernel } from '../rows/typescript-kernel.ts';
import { noMetrics, type Metrics } from '../metrics/recorder.ts';
import { type Address, addressOf } from '../system/actor.ts';
import type { ActorSystem } from '../system/actor-system.ts';
import { ByteBudget } from '../system/budget.ts';
import { Connection, type Cost } from '../system/connection.ts';
import { ConnectionRegistry } from '../system/connection-registry.ts';
import type { Clock } from '../system/clock.ts';
import type { Logger } from '../system/logger.ts';
import type { Scheduler } from '../system/schedule.ts';
import type { ChildPolicy } from '../system/supervision.ts';
import { packageVersion } from '../version.ts';
import { Arrivals } from './arrivals.ts';
import { adminActor } from './admin/admin-actor.ts';
import type { CommandPorts } from './admin/command-ports.ts';
import type { AdminMessage } from './admin/messages.ts';
import { ServedModel } from './admin/served-model.ts';
import { ownedPartitions } from './admin/stage-actors.ts';
import { StageControl } from './admin/stage-control.ts';
import { centroidAggregatorActor } from './centroid-aggregator/centroid-aggregator-actor.ts';
import type { PublishedModel } from './centroid-aggregator/messages.ts';
import { fileWatcherActor } from './file-watcher/file-watcher-actor.ts';
import { ingestActor } from './ingest/ingest-actor.ts';
import { ledgerStore } from './ingest/ledger-store.ts';
import { regionsOf } from './models/lineage.ts';
import { createDiscardRegister } from './partition/discards.ts';
import { partitionActor } from './partition/partition-actor.ts';
import type { PartitionSettings } from './partition/partition-task.ts';
import { createPoisonRegister } from './partition/poison.ts';
import { ROW_BYTES } from './partition/row-buffer.ts';
import { allocateScratch } from './partition/row-intake.ts';
import { partitionsActor } from './partitions/partitions-actor.ts';
import { allocateReadBuffers } from './publisher/file-reader.ts';
import { publisherActor } from './publisher/publisher-actor.ts';
import type { AfterReading } from './publisher/settle.ts';
import { packing, RowPacker } from './publisher/row-packer.ts';
import { type Fold, fold } from './region/region-actor.ts';
import { reporterActor, type ReporterDependencies } from './reporter/reporter-actor.ts';
import { EffectiveSettings } from './settings/effective-settings.ts';
import type { RunTimeSettings } from './settings/run-time-settings.ts';
import { emptyStats, type PipelineStats } from './stats.ts';
import { watchdogActor } from './watchdog/watchdog-actor.ts';
import { groupNames, type TopicNames, topicNames } from './topics.ts';
import { UndecidedCommits } from './undecided-commits.ts';

/** Rows of one publish transaction, and of one parse slice of a partition. */
const TRANSACTION_ROWS = 65_536;
const SLICE_ROWS = 4_096;
/** A row whose fold failed this often is set aside. */
const POISON_ATTEMPTS = 2;

export interface TopologyPorts {
  readonly system: ActorSystem;
  readonly broker: Broker;
  readonly schedule: Scheduler;
  readonly clock: Clock;
  /** What stages record in beside their stats. Default: nothing is recorded. */
  readonly metrics?: Metrics;
  readonly arrivals?: Arrivals;
  /** Told each model that this process serves. */
  readonly onServed?: (published: PublishedModel) => void;
}

export interface TopologyOptions {
  /** Publish live models while running. */
  readonly live: boolean;
  /** Version of Geoflock. */
  readonly version: string;
  /** Wall-clock ms of the start: files that failed before are tried again once. */
  readonly startedAt: number;
  readonly onModel?: (model: NamedModel) => void;
  /** Told of the configuration that is in effect whenever a setting makes it another. */
  readonly onConfiguration?: (now: Configuration) => void;
  readonly fold?: Fold;
  readonly log: Logger;
  /** What was set while it ran before: the first row is judged by it. */
  readonly set: RunTimeSettings;
  /** Name of this replica: commands are addressed to it. */
  readonly replica: string;
  readonly bulletins: CommandPorts['bulletins'];
  /** Begins an orderly end of the process. */
  readonly shutdown: () => void;
}

export interface Topology {
  readonly admin: Address<AdminMessage>;
  readonly health: Health;
  readonly topics: TopicNames;
  readonly connections: ConnectionRegistry;
  readonly budget: ByteBudget;
  readonly settings: EffectiveSettings;
  readonly stages: StageControl;
  readonly stats: PipelineStats;
}

export function startTopology(
  ports: TopologyPorts,
  configuration: Configuration,
  options: TopologyOptions,
): Topology {
  const { system, broker, schedule, metrics = noMetrics, arrivals = new Arrivals() } = ports;
  const { input, regions, source, topics: topicSettings } = configuration;
  const topics = topicNames(topicSettings);
  const groups = groupNames(topicSettings);
  const { partitions } = topicSettings;
  const stats = emptyStats(partitions);
  const budget = new ByteBudget(configuration.memory.budget);
  const connections = new ConnectionRegistry();
  const connect = (name: string, receiver: string, thresholds: Cost, guaranteedBytes = 0): Connection =>
    connections.register(new Connection({ name, receiver, thresholds, budget, guaranteedBytes }));
  const stages = new StageControl(connections);
  const settings = new EffectiveSettings(configuration, options.startedAt, options.log);
  settings.onChange((now) => {
    setThresholds(connections, now);
    options.onConfiguration?.(now);
  });
  settings.adopt(options.set);
  const served = new ServedModel();
  const supervision = supervisionOf(configuration);
  const { ownership } = configuration.ingest;
  const ledger = ledgerStore(broker, { table: topics.files, partitions, source: source.name, ownership });

  const reporter = system.start(
    reporterActor({
      broker,
      topics,
      partitions,
      level: regions.level,
      version: options.version,
      schedule,
      gate: stages.gate('reporter'),
      report: {
        directory: configuration.report.directory,
        every: (options.live ? configuration.report.every : null) ?? undefined,
      },
      exports: exportsOf(configuration, options.live),
      stats: stats.reporter,
    }),
  );
  const aggregator = system.start(
    centroidAggregatorActor({
      broker,
      topics,
      partitions,
      group: groups.models,
      settings: () => settings.model,
      gate: stages.gate('centroid-aggregator'),
      made: { version: packageVersion(), regions: regionsOf(configuration) },
      reportDirectory: configuration.report.directory,
      reporter,
      liveEvery: options.live ? configuration.model.every : undefined,
      schedule,
      stats: stats.aggregator,
      metrics,
      onServed: ports.onServed ?? (() => undefined),
      onModel: (model) => {
        served.changed();
        options.onModel?.(model);
      },
    }),
  );

  const ofPartitions = partitionSettings(configuration);
  const kernel = createTypeScriptKernel({
    layout: TOPIC_LAYOUT,
    utcOffsetMinutes: 0,
    // On the topic a line of a file may be longer than in the file.
    maxLineBytes: maxTopicLineBytes(source.maxLineBytes),
    maxTime: Number.POSITIVE_INFINITY,
  });
  const scratch = allocateScratch(SLICE_ROWS);
  const poison = createPoisonRegister(POISON_ATTEMPTS);
  const discards = createDiscardRegister();
  const checkpoints = new UndecidedCommits();
  const partitionsAddress = system.start(
    partitionsActor({
      broker,
      topics,
      partitions,
      group: groups.rows,
      supervision: { strategy: 'one-for-one', ...supervision },
      joined: (joined) => {
        stats.joined = joined;
      },
      partition: (claim, requests, giveUp) =>
        partitionActor({
          claim,
          giveUp,
          broker,
          topics,
          settings: ofPartitions,
          latenessMs: () => settings.latenessMs,
          gate: stages.gate('partitions'),
          kernel,
          scratch,
          connect: () =>
            connect(
              `partition-${String(claim.partition)}=>regions`,
              'regions',
              settings.configuration.connections.rows,
              guaranteedRowBytes(settings.configuration),
            ),
          aggregator,
          poison,
          discards,
          requests,
          fold: options.fold ?? fold,
          stats: statsOf(stats, claim.partition),
          metrics,
          undecided: checkpoints,
          arrivals,
        }),
    }),
  );

  const buffers = allocateReadBuffers(transactionBytes(configuration), TRANSACTION_ROWS);
  const published = new UndecidedCommits();
  let packer: RowPacker | undefined;
  const ingest = system.start(
    ingestActor({
      supervision: { strategy: 'all-for-one', ...supervision },
      schedule,
      sampleEvery: configuration.sample.every ?? undefined,
      broker,
      ledger: {
        table: topics.files,
        partitions,
        group: ownership === 'shared' ? groups.ingest : undefined,
      },
      publisher: ({ ownership, requests }, giveUp) =>
        publisherActor({
          broker,
          topics,
          ledger,
          ownership,
          giveUp,
          settings: {
            directory: input.directory,
            replica: options.replica,
            sourceName: source.name,
            columns: source.columns,
            utcOffsetMinutes: source.timezone,
            maxLineBytes: source.maxLineBytes,
            maxFutureMs: source.maxFuture,
            after: afterReading(configuration),
            level: regions.level,
            partitions,
          },
          logLimitBytes: () => settings.configuration.connections.log.bytes,
          gate: stages.gate('publisher'),
          buffers,
          packer: (ours) =>
            (packer ??= new RowPacker({
              level: regions.level,
              partitions,
              capacity: TRANSACTION_ROWS,
              packing: packing(configuration.publisher.linesPerMessage, ours),
              originHeader: topics.originHeader,
            })),
          connect: () => connect('publisher', 'log', { rows: TRANSACTION_ROWS, bytes: buffers.bytes.length }),
          requests,
          stats: stats.publisher,
          metrics,
          undecided: published,
        }),
      fileWatcher: (publisher, { ownership, requests }) =>
        fileWatcherActor({
          settings: {
            directory: input.directory,
            filter: input.filter,
            recursive: input.recursive,
            minimumAgeMs: input.minimumAge,
            scanEvery: input.scanEvery,
            events: input.events,
          },
          ledger,
          ownership,
          rules: (path) => ({
            settles: input.after !== 'keep',
            retryFailedBefore: settings.retryFailedBefore(path),
          }),
          gate: stages.gate('file-watcher'),
          publisher,
          connect: () => connect('files', 'publisher', filesThresholds(settings.configuration)),
          schedule,
          requests,
          stats: stats.fileWatcher,
        }),
    }),
  );

  let ending = false;
  const monitor = new HealthMonitor({
    clock: ports.clock,
    limits: {
      stuckAfterMs: configuration.health.stuckAfter,
      brokerTimeoutMs: configuration.health.brokerTimeout,
    },
    askBroker: () => readableEnds(broker, topics.rows, ownedPartitions(system.inspect())),
    isEnding: () => ending,
    hasJoined: () => stats.joined,
    // One that is being restarted is told of as such, and given its time.
    partitions: () =>
      ownedPartitions(
        system.inspect().filter(({ state }) => state === 'running' || state === 'starting'),
      ).map((partition) => statsOf(stats, partition)),
    actors: () => system.inspect(),
    paused: () => stages.paused(),
    held: () => (stats.publisher.logIsFull ? 'the log is at its limit: reading of files waits' : undefined),
  });
  system.start(
    watchdogActor({
      monitor,
      patienceMs: configuration.health.stuckAfter,
      partition: (partition) => addressOf(`partitions/partition-${String(partition)}`),
      checkpoints: (partition) => statsOf(stats, partition).checkpoints,
      restarted: () => {
        stats.stuckRestarts++;
      },
    }),
  );
  const admin = system.start(
    adminActor({
      system,
      broker,
      topics,
      partitions,
      configuration,
      settings,
      connections,
      stages,
      discards,
      stats,
      served,
      ingest,
      fileWatcher: addressOf('ingest/file-watcher'),
      partitionsActor: partitionsAddress,
      aggregator,
      reporter,
      replica: options.replica,
      version: options.version,
      startedAt: options.startedAt,
      health: monitor,
      ending: () => {
        ending = true;
      },
      bulletins: options.bulletins,
      shutdown: options.shutdown,
    }),
  );
  return { admin, health: monitor, topics, connections, budget, settings, stages, stats };
}

/** Asked of the broker also where nothing is owned: it is to be seen whether it answers. */
async function readableEnds(
  broker: Broker,
  topic: string,
  owned: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const asked = owned.length === 0 ? [0] : owned;
  const ends = await Promise.all(
    asked.map(async (partition) => [partition, await broker.readableEnd(topic, partition)] as const),
  );
  return new Map(ends);
}

/** What is open, and what is opened later, keeps to these limits. */
function setThresholds(connections: ConnectionRegistry, configuration: Configuration): void {
  connections.setThresholds('publisher', filesThresholds(configuration));
  connections.setThresholds('regions', configuration.connections.rows);
}

/** The publisher takes half of the budget at most: found files must not take the rest. */
function filesThresholds({ connections, memory }: Configuration): Cost {
  const { bytes, rows } = connections.files;
  return { rows, bytes: Math.min(bytes, Math.floor(memory.budget / 8)) };
}

function exportsOf({ exports }: Configuration, live: boolean): ReporterDependencies['exports'] {
  const { directory, every, formats, keep } = exports;
  return {
    directory,
    every: (live ? every : null) ?? undefined,
    formats,
    keep: { count: keep.count, ageMs: keep.age },
  };
}

function statsOf(stats: PipelineStats, partition: number): PipelineStats['partitions'][number] {
  const own = stats.partitions[partition];
  if (own === undefined) {
    throw new RangeError(`there is no partition ${String(partition)}`);
  }
  return own;
}

type Restarts = Omit<Extract<ChildPolicy, { strategy: 'one-for-one' }>, 'strategy'>;

function supervisionOf({ supervision }: Configuration): Restarts {
  const { restarts, window, initialBackoff, maxBackoff, jitter } = supervision;
  return {
    backoff: { initialMs: initialBackoff, maxMs: maxBackoff, jitter },
    intensity: { restarts, windowMs: window },
  };
}

function partitionSettings(configuration: Configuration): PartitionSettings {
  const { checkpoint, partitions, regions, source } = configuration;
  return {
    fanOutRows: partitions.fanOutRows,
    fanOutIdleMs: partitions.fanOutIdle,
    checkpointEveryMs: checkpoint.every,
    checkpointRows: checkpoint.rows,
    level: regions.level,
    algorithm: regionAlgorithmOf(configuration),
    maxFutureMs: source.maxFuture,
    startPosition: partitions.startPosition,
  };
}

function afterReading({ input }: Configuration): AfterReading {
  switch (input.after) {
    case 'keep':
    case 'delete':
      return { kind: input.after };
    case 'move':
      if (input.moveTo === null) {
        throw new Error('input.after is move, but input.moveTo is not set');
      }
      return { kind: 'move', directory: input.moveTo };
  }
}

/**
 * Bytes of the budget that each partition has for itself, a slice of rows where that is possible. While
 * the log is full the publisher keeps its bytes and waits for the partitions: without these they might
 * wait for it.
 */
function guaranteedRowBytes({ connections, memory, topics }: Configuration): number {
  const share = Math.floor(memory.budget / (4 * topics.partitions));
  return Math.min(connections.rows.bytes, SLICE_ROWS * ROW_BYTES, share);
}

/**
 * A transaction must fit the log, also when its lines are rewritten and have their origins beside them,
 * and a share of the memory budget; a line must fit a transaction.
 */
function transactionBytes({ connections, memory, publisher, source }: Configuration): number {
  const most = Math.min(publisher.transactionBytes, memory.budget / 4, connections.log.bytes / 4);
  return Math.max(Math.floor(most), source.maxLineBytes + 2);
}
