import { checkAlgorithms } from './actors/stored-algorithm.ts';
import { checkRegionLevel } from './actors/region-level.ts';
import { CREATED_PREFIX, type TopicNames, topicNames, topicSpecs } from './actors/topics.ts';
import { withContestedWriter } from './actors/writer-race.ts';
import type { Broker } from './broker/broker.ts';
import type { Configuration } from './config/schema.ts';
import { regionAlgorithmOf } from './region-algorithm.ts';
import type { openBroker } from './open-broker.ts';
import type { Clock, Random } from './system/clock.ts';
import type { Logger } from './system/logger.ts';

export interface OpenStateOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly open: typeof openBroker;
  /** What becomes of topics that are missing: whoever only looks refuses. */
  readonly missing: 'create' | 'refuse';
  /** Ends the wait for a broker that cannot be reached. */
  readonly signal?: AbortSignal;
}

/**
 * Opens the configured broker with all topics declared and checked.
 * @throws StoreLockedError, StoreUnusableError, BrokerUnavailableError, AccessDeniedError,
 * TopicMismatchError
 */
export async function openState(
  configuration: Configuration,
  { clock, log, missing, open, random, signal }: OpenStateOptions,
): Promise<Broker> {
  const { regions, topics: settings } = configuration;
  const broker = await open(configuration, {
    log: log.child({ part: 'broker' }),
    clock,
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    const topics = topicNames(settings);
    // Whoever only looks needs none of them, and a state of before they were there has none.
    const ofCommands = [topics.control, topics.replies];
    const specs = topicSpecs(topics, settings.partitions, retentionOf(configuration));
    const created = await broker.declareTopics(
      missing === 'create' ? specs : specs.filter(({ name }) => !ofCommands.includes(name)),
      missing,
    );
    if (broker.kind === 'kafka' && created.includes(topics.rows)) {
      await markAsOurs(broker, topics, { clock, random });
    }
    await checkRegionLevel(broker, topics.regions, settings.partitions, regions.level);
    if (missing === 'create') {
      // Whoever only looks reads what is there, and whoever rewinds is about to change it.
      await checkAlgorithms(
        broker,
        topics,
        settings.partitions,
        regionAlgorithmOf(configuration).description,
      );
    }
    return broker;
  } catch (error) {
    await broker.close();
    throw error;
  }
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
 * several replicas that start at once each may think so: one mark is enough.
 */
async function markAsOurs(
  broker: Broker,
  { files, rows }: TopicNames,
  ports: { readonly clock: Clock; readonly random: Random },
): Promise<void> {
  const key = CREATED_PREFIX + rows;
  await withContestedWriter(broker, 'topics-0', ports, async (writer) => {
    await broker.refreshTable(files, 0);
    if ((await broker.tableGet(files, 0, key)) === undefined) {
      const transaction = writer.begin();
      transaction.put(files, 0, key, new TextEncoder().encode('1'));
      await (await transaction.commit()).flushed;
    }
  });
}
