import type { AdminMessage } from './actors/admin/messages.ts';
import type { PublishedModel } from './actors/centroid-aggregator/messages.ts';
import { startTopology, type Topology, type TopologyOptions } from './actors/topology.ts';
import { readTotals, type Totals } from './actors/totals.ts';
import type { Broker } from './broker/broker.ts';
import type { Configuration } from './config/schema.ts';
import { PipelineMetrics } from './metrics/pipeline-metrics.ts';
import { openBroker } from './open-broker.ts';
import { openState } from './open-state.ts';
import {
  type ActorInfo,
  type ActorSystem,
  createActorSystem,
  type SystemExit,
} from './system/actor-system.ts';
import { type Clock, type Random, systemClock } from './system/clock.ts';
import type { Logger } from './system/logger.ts';
import { createCronTimer } from './system/node-cron.ts';
import { createScheduler } from './system/schedule.ts';
import { packageVersion } from './version.ts';

export interface PipelineOptions extends Omit<TopologyOptions, 'startedAt' | 'version'> {
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Ends the wait for a broker that cannot be reached. */
  readonly signal?: AbortSignal;
  /** Instead of the configured broker: several pipelines of one test share one. */
  readonly openBroker?: typeof openBroker;
  /** Stands between the actors and the broker: a test makes it fail there. */
  readonly intercept?: (broker: Broker) => Broker;
}

/** One running Geoflock: the broker, the actors, and what may be asked of them from outside. */
export interface Pipeline {
  readonly broker: Broker;
  readonly topology: Topology;
  readonly system: ActorSystem;
  readonly metrics: Pick<PipelineMetrics, 'contentType' | 'prometheus'>;
  /** How the actors ended: anything but `stopped` must end the process with a non-zero code. */
  readonly terminated: Promise<SystemExit>;
  /**
   * Works off what is there and publishes the canonical model. With `sweep`, the files present now are
   * read first. Rejects when the system ends before.
   */
  drain(sweep: { readonly settleTimeoutMs: number } | undefined, timeoutMs: number): Promise<PublishedModel>;
  /** Committed sums over the whole state. */
  totals(): Promise<Totals>;
  actors(): readonly ActorInfo[];
  /** Stops all actors in order (each checkpoints nothing more than it has), sends the last metrics, closes the broker. */
  stop(): Promise<SystemExit>;
}

/** `setTimeout` takes no more; so long is for ever here. */
export const NO_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * @throws StoreLockedError, StoreUnusableError, BrokerUnavailableError, AccessDeniedError,
 * TopicMismatchError: what prevents the start.
 */
export async function startPipeline(
  configuration: Configuration,
  options: PipelineOptions,
): Promise<Pipeline> {
  const {
    clock = systemClock,
    intercept = (own: Broker) => own,
    log,
    random = Math.random,
    signal,
  } = options;
  const open = options.openBroker ?? openBroker;
  const broker = await openState(configuration, {
    log,
    clock,
    random,
    open,
    missing: 'create',
    ...(signal === undefined ? {} : { signal }),
  });
  const { statsd } = configuration;
  const metrics = new PipelineMetrics({ clock, log, statsd: statsd.enabled ? statsd : undefined });
  const { arrivals, observer, recorder } = metrics;
  const system = createActorSystem({ name: 'geoflock', clock, random, log, observer });
  const schedule = createScheduler({ clock, cron: createCronTimer(), log });
  const onServed = (published: PublishedModel): void => {
    metrics.served(published);
  };
  const topology = startTopology(
    { system, broker: intercept(broker), schedule, metrics: recorder, arrivals, onServed },
    configuration,
    { ...options, version: packageVersion(), startedAt: clock.now() },
  );
  const { budget, connections, stats, topics } = topology;
  metrics.begin({ broker, budget, connections, stats, system, rows: topics.rows }, schedule);
  return {
    broker,
    topology,
    system,
    metrics,
    terminated: system.terminated,
    drain: (sweep, timeoutMs) =>
      Promise.race([
        system.ask<AdminMessage, PublishedModel>(
          topology.admin,
          (reply) => ({ type: 'drain', sweep, reply }),
          timeoutMs,
        ),
        system.terminated.then((exit) => {
          throw exit.kind === 'failed' ? exit.error : new Error('stopped before everything was worked off');
        }),
      ]),
    totals: () => readTotals(broker, topology.topics, configuration.topics.partitions),
    actors: () => system.inspect(),
    stop: async () => {
      await system.stop();
      const exit = await system.terminated;
      await metrics.close();
      await broker.close();
      return exit;
    },
  };
}
