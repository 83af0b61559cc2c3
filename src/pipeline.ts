import type { AdminMessage } from './actors/admin/messages.ts';
import type { PublishedModel } from './actors/centroid-aggregator/messages.ts';
import { checkRegionLevel } from './actors/region-level.ts';
import { startTopology, type Topology, type TopologyOptions } from './actors/topology.ts';
import { topicNames, topicSpecs } from './actors/topics.ts';
import { readTotals, type Totals } from './actors/totals.ts';
import type { Broker } from './broker/broker.ts';
import { openEmbeddedBroker } from './broker/embedded/broker.ts';
import type { Configuration } from './config/schema.ts';
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

export interface PipelineOptions extends Omit<TopologyOptions, 'startedAt'> {
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Stands between the actors and the broker: a test makes it fail there. */
  readonly intercept?: (broker: Broker) => Broker;
}

/** One running Geoflock: the broker, the actors, and what may be asked of them from outside. */
export interface Pipeline {
  readonly broker: Broker;
  readonly topology: Topology;
  readonly system: ActorSystem;
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
  /** Stops all actors in order (each checkpoints nothing more than it has) and closes the broker. */
  stop(): Promise<SystemExit>;
}

/** `setTimeout` takes no more; so long is for ever here. */
export const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** @throws StoreLockedError, StoreUnusableError, TopicMismatchError: what prevents the start. */
export async function startPipeline(
  configuration: Configuration,
  options: PipelineOptions,
): Promise<Pipeline> {
  const { clock = systemClock, intercept = (own: Broker) => own, log, random = Math.random } = options;
  const { broker: brokerSettings, rejected, state, topics: topicSettings } = configuration;
  const broker = await openEmbeddedBroker({
    directory: state.directory,
    mapBytes: brokerSettings.embedded.mapSize,
    safeRestore: brokerSettings.embedded.safeRestore,
    log: log.child({ part: 'broker' }),
    clock,
  });
  try {
    const topics = topicNames(topicSettings);
    await broker.declareTopics(
      topicSpecs(topics, topicSettings.partitions, {
        rows: {
          bytes: brokerSettings.embedded.retention.bytes,
          ageMs: brokerSettings.embedded.retention.age,
        },
        rejected: { bytes: rejected.retention.bytes, ageMs: rejected.retention.age },
      }),
    );
    await checkRegionLevel(broker, topics.regions, topicSettings.partitions, configuration.regions.level);
  } catch (error) {
    await broker.close();
    throw error;
  }
  const system = createActorSystem({ name: 'geoflock', clock, random, log });
  const schedule = createScheduler({ clock, cron: createCronTimer(), log });
  const topology = startTopology({ system, broker: intercept(broker), schedule }, configuration, {
    ...options,
    startedAt: clock.now(),
  });
  return {
    broker,
    topology,
    system,
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
    totals: () => readTotals(broker, topology.topics, topicSettings.partitions),
    actors: () => system.inspect(),
    stop: async () => {
      await system.stop();
      const exit = await system.terminated;
      await broker.close();
      return exit;
    },
  };
}
