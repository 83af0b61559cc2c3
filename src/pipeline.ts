import { hostname } from 'node:os';
import type { AdminMessage, Ending } from './actors/admin/messages.ts';
import type { Outcome } from './admin/outcome.ts';
import type { Stage } from './admin/stages.ts';
import type { CommandPort, CommandRequest } from './admin/request.ts';
import type { Health } from './health/judge.ts';
import type { PublishedModel } from './actors/centroid-aggregator/messages.ts';
import { startTopology, type Topology, type TopologyOptions } from './actors/topology.ts';
import { readRunTimeSettings } from './actors/settings/run-time-settings.ts';
import { topicNames } from './actors/topics.ts';
import { readTotals, type Totals } from './actors/totals.ts';
import type { Broker } from './broker/broker.ts';
import type { Configuration } from './config/schema.ts';
import { PipelineMetrics } from './metrics/pipeline-metrics.ts';
import { openBroker } from './open-broker.ts';
import { openState } from './open-state.ts';
import {
  type ActorInfo,
  type ActorSystem,
  AskTimeoutError,
  createActorSystem,
  type SystemExit,
} from './system/actor-system.ts';
import type { Address } from './system/actor.ts';
import { BulletinBoard } from './system/bulletins.ts';
import { type Clock, type Random, systemClock } from './system/clock.ts';
import type { Logger } from './system/logger.ts';
import { createCronTimer } from './system/node-cron.ts';
import { createScheduler } from './system/schedule.ts';
import { packageVersion } from './version.ts';

export interface PipelineOptions
  extends Pick<TopologyOptions, 'fold' | 'live' | 'onConfiguration' | 'onModel'> {
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Ends the wait for a broker that cannot be reached. */
  readonly signal?: AbortSignal;
  /** Instead of the configured broker: several pipelines of one test share one. */
  readonly openBroker?: typeof openBroker;
  /** Begins an orderly end of the process, because a command asks for it. */
  readonly onShutdown?: () => void;
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
   * Reads the files present now, works off what is there and publishes the canonical model. Rejects when the
   * system ends before.
   */
  drain(sweep: { readonly settleTimeoutMs: number }, timeoutMs: number): Promise<PublishedModel>;
  /**
   * The last step of an orderly end: the sources stop, what is there is worked off as far as `deadlineMs` allows, and
   * a last checkpoint has all that was counted. Rejects where that could not be written in time.
   */
  end(deadlineMs: number): Promise<Ending>;
  /** Committed sums over the whole state. */
  totals(): Promise<Totals>;
  actors(): readonly ActorInfo[];
  readonly health: Health;
  /** Through which all doors give their commands. */
  readonly commands: CommandPort;
  /** Name of this replica. */
  readonly replica: string;
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
  const { clock = systemClock, intercept = (own: Broker) => own, random = Math.random, signal } = options;
  const startedAt = clock.now();
  const replica = replicaName(configuration);
  const board = new BulletinBoard(() => clock.now());
  const log = board.watch(options.log);
  const open = options.openBroker ?? openBroker;
  const broker = await openState(configuration, {
    log,
    clock,
    random,
    open,
    missing: 'create',
    ...(signal === undefined ? {} : { signal }),
  });
  const set = await readRunTimeSettings(broker, topicNames(configuration.topics).settings).catch(
    async (error: unknown) => {
      await broker.close();
      throw error;
    },
  );
  const { statsd } = configuration;
  const metrics = new PipelineMetrics({ clock, log, statsd: statsd.enabled ? statsd : undefined });
  const { arrivals, observer, recorder } = metrics;
  const system = createActorSystem({ name: 'geoflock', clock, random, log, observer });
  const schedule = createScheduler({ clock, cron: createCronTimer(), log });
  const onServed = (published: PublishedModel): void => {
    metrics.served(published);
  };
  const topology = startTopology(
    { system, broker: intercept(broker), schedule, clock, metrics: recorder, arrivals, onServed },
    configuration,
    {
      ...options,
      log,
      version: packageVersion(),
      startedAt,
      set,
      replica,
      bulletins: () => board.bySource(),
      shutdown: options.onShutdown ?? (() => undefined),
    },
  );
  const { budget, connections, stats, topics } = topology;
  const isReady = (): boolean => topology.health.readyz().status !== 'failing';
  const isPaused = (stage: Stage): boolean => topology.stages.isPaused(stage);
  const { rows } = topics;
  const answered = <T>(
    message: (reply: (answer: T) => void) => AdminMessage,
    timeoutMs: number,
  ): Promise<T> =>
    Promise.race([
      system.ask<AdminMessage, T>(topology.admin, message, timeoutMs),
      system.terminated.then((exit) => {
        throw exit.kind === 'failed' ? exit.error : new Error('stopped before everything was worked off');
      }),
    ]);
  metrics.begin({ broker, budget, connections, stats, system, isReady, isPaused, rows }, schedule);
  return {
    broker,
    topology,
    system,
    metrics,
    terminated: system.terminated,
    drain: (sweep, timeoutMs) =>
      answered<PublishedModel>((reply) => ({ type: 'drain', sweep, reply }), timeoutMs),
    end: (deadlineMs) => answered<Ending>((reply) => ({ type: 'end', deadlineMs, reply }), deadlineMs),
    totals: () => readTotals(broker, topology.topics, configuration.topics.partitions),
    actors: () => system.inspect(),
    health: topology.health,
    commands: {
      submit: (request) => submit(system, topology.admin, clock, request),
      look: () => look(system, topology.admin),
    },
    replica,
    stop: async () => {
      await system.stop();
      const exit = await system.terminated;
      await metrics.close();
      await broker.close();
      return exit;
    },
  };
}

/** Commands of the control topic are addressed to it, and the audit names it: pods have their own. */
function replicaName({ replica }: Configuration): string {
  return replica.name === '' ? hostname() : replica.name;
}

/** What an outcome takes to be written down after the command has expired. */
const ANSWER_GRACE_MS = 5_000;

async function look(system: ActorSystem, admin: Address<AdminMessage>): Promise<Outcome> {
  try {
    return await system.ask<AdminMessage, Outcome>(
      admin,
      (reply) => ({ type: 'look', reply }),
      ANSWER_GRACE_MS,
    );
  } catch {
    return { status: 'failed', error: { code: 'stopping', message: 'the process is ending, or very busy' } };
  }
}

async function submit(
  system: ActorSystem,
  admin: Address<AdminMessage>,
  clock: Clock,
  request: CommandRequest,
): Promise<Outcome> {
  const patience = Math.min(NO_TIMEOUT_MS, Math.max(0, request.expiresAt - clock.now()) + ANSWER_GRACE_MS);
  try {
    return await system.ask<AdminMessage, Outcome>(
      admin,
      (reply) => ({ type: 'command', request, reply }),
      patience,
    );
  } catch (error) {
    const late = error instanceof AskTimeoutError && error.delivered;
    const { name } = request.command;
    const message = late
      ? `${name} had not ended when it expired; it may still: look at status`
      : `${name} was not taken: the process is ending`;
    return { status: 'failed', error: { code: late ? 'timeout' : 'stopping', message } };
  }
}
