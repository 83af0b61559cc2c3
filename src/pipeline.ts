import type { AdminMessage } from './actors/admin/messages.ts';
import type { PublishedModel } from './actors/centroid-aggregator/messages.ts';
import { isWriterLost } from './actors/owned-writer.ts';
import { checkRegionLevel } from './actors/region-level.ts';
import { startTopology, type Topology, type TopologyOptions } from './actors/topology.ts';
import { CREATED_PREFIX, type TopicNames, topicNames, topicSpecs } from './actors/topics.ts';
import { readTotals, type Totals } from './actors/totals.ts';
import type { Broker } from './broker/broker.ts';
import type { Configuration } from './config/schema.ts';
import { openBroker } from './open-broker.ts';
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

/** Replicas that start at once get in each other's way a few times at most. */
const MARK_TRIES = 20;
const MARK_PAUSE_MS = 200;
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
  const { topics: topicSettings } = configuration;
  const open = options.openBroker ?? openBroker;
  const broker = await open(configuration, {
    log: log.child({ part: 'broker' }),
    clock,
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    const topics = topicNames(topicSettings);
    const created = await broker.declareTopics(
      topicSpecs(topics, topicSettings.partitions, retentionOf(configuration)),
    );
    if (broker.kind === 'kafka' && created.includes(topics.rows)) {
      await markAsOurs(broker, topics, clock);
    }
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

function retentionOf({ broker, rejected }: Configuration): Parameters<typeof topicSpecs>[2] {
  const { bytes, age } = broker.kind === 'embedded' ? broker.embedded.retention : broker.kafka.retention;
  return {
    rows: { bytes: bytes ?? Number.POSITIVE_INFINITY, ageMs: age },
    rejected: { bytes: rejected.retention.bytes, ageMs: rejected.retention.age },
  };
}

/**
 * Nobody else reads a topic that was made here: the publisher may pack its messages as it likes. Of
 * several replicas that start at once each may think so, and fence the other: one mark is enough.
 */
async function markAsOurs(broker: Broker, { files, rows }: TopicNames, clock: Clock): Promise<void> {
  const key = CREATED_PREFIX + rows;
  for (let tries = 1; ; tries++) {
    const writer = await broker.openWriter('topics-0');
    try {
      await broker.refreshTable(files, 0);
      if ((await broker.tableGet(files, 0, key)) === undefined) {
        const transaction = writer.begin();
        transaction.put(files, 0, key, new TextEncoder().encode('1'));
        await (await transaction.commit()).flushed;
      }
      return;
    } catch (error) {
      if (!isWriterLost(error) || tries === MARK_TRIES) {
        throw error;
      }
    } finally {
      await writer.close();
    }
    await new Promise<void>((resolve) => clock.after(MARK_PAUSE_MS * Math.random(), resolve));
  }
}
