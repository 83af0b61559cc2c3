import { existsSync } from 'node:fs';
import { RewindUnderWayError, TimeNotKeptError } from '../actors/models/model-at.ts';
import { type TopicNames, topicNames } from '../actors/topics.ts';
import type { Broker } from '../broker/broker.ts';
import { BrokerError, StoreLockedError } from '../broker/errors.ts';
import type { Configuration } from '../config/schema.ts';
import { openBroker } from '../open-broker.ts';
import { openState } from '../open-state.ts';
import { type Clock, type Random, systemClock } from '../system/clock.ts';
import { createLogger } from './logging.ts';
import { untilStopped } from './signals.ts';
import { EXIT_FAILURE, type Output } from './usage.ts';

/** The state that a command looks at or asks something of, without running the pipeline. */
export interface OpenedState {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partitions: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted by SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/**
 * Opens the state that is there, does `work` on it, and closes it; what prevents that is told in one line.
 * @param locked what to do when another process has it; undefined from it: tell that
 */
export async function withState(
  configuration: Configuration,
  output: Output,
  work: (state: OpenedState) => Promise<number>,
  locked: () => Promise<number | undefined> = () => Promise.resolve(undefined),
): Promise<number> {
  const { broker: brokers, state, topics } = configuration;
  if (brokers.kind === 'embedded' && !existsSync(state.directory)) {
    output.err(
      `geoflock: there is no state in ${state.directory} (name its folder with --state DIR, or a Kafka with --brokers)\n`,
    );
    return EXIT_FAILURE;
  }
  // Only what goes wrong: the result is what was asked for.
  const log = await createLogger({ ...configuration.log, level: quieter(configuration.log.level) });
  return await untilStopped(async (signal) => {
    let broker: Broker | undefined;
    try {
      const ports = { clock: systemClock, random: Math.random };
      broker = await openState(configuration, { log, ...ports, open: openBroker, missing: 'refuse', signal });
      const { partitions } = topics;
      return await work({ broker, topics: topicNames(topics), partitions, ...ports, signal });
    } catch (error) {
      const instead = error instanceof StoreLockedError ? await locked() : undefined;
      if (instead !== undefined) {
        return instead;
      }
      const told = [BrokerError, RewindUnderWayError, TimeNotKeptError].some((kind) => error instanceof kind);
      if (!told || signal.aborted) {
        throw error;
      }
      output.err(`geoflock: ${(error as Error).message}\n`);
      return EXIT_FAILURE;
    } finally {
      await broker?.close();
    }
  });
}

function quieter(level: Configuration['log']['level']): Configuration['log']['level'] {
  return level === 'info' ? 'warn' : level;
}
