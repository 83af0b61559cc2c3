import { groupNames } from './actors/topics.ts';
import type { Broker } from './broker/broker.ts';
import { openEmbeddedBroker } from './broker/embedded/broker.ts';
import { kafkaConnection } from './config/kafka-connection.ts';
import type { Configuration } from './config/schema.ts';
import { paneGridOf } from './clustering-options.ts';
import { regionAlgorithmOf } from './region-algorithm.ts';
import type { Clock } from './system/clock.ts';
import type { Logger } from './system/logger.ts';

export interface OpenBrokerOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** Ends the wait for a broker that cannot be reached. */
  readonly signal?: AbortSignal;
}

/**
 * Opens the broker that the configuration names.
 * @throws StoreLockedError, StoreUnusableError, BrokerUnavailableError, AccessDeniedError
 */
export async function openBroker(configuration: Configuration, options: OpenBrokerOptions): Promise<Broker> {
  const { broker, state } = configuration;
  switch (broker.kind) {
    case 'embedded':
      return await openEmbeddedBroker({
        directory: state.directory,
        mapBytes: broker.embedded.mapSize,
        safeRestore: broker.embedded.safeRestore,
        ...options,
      });
    case 'kafka':
      return await openKafka(configuration, options);
  }
}

async function openKafka(configuration: Configuration, options: OpenBrokerOptions): Promise<Broker> {
  const { kafka, wait } = configuration.broker;
  const { warnings, ...connection } = kafkaConnection(kafka, () => options.clock.monotonic());
  for (const warning of warnings) {
    options.log.warn({}, warning);
  }
  // Whoever does not use Kafka does not load its client.
  const { openKafkaBroker } = await import('./broker/kafka/broker.ts');
  return await openKafkaBroker({
    brokers: kafka.brokers,
    clientId: kafka.clientId,
    group: groupNames(configuration.topics).rows,
    ...connection,
    compression: kafka.compression,
    replication: kafka.replication,
    sessionTimeoutMs: kafka.sessionTimeout,
    transactionTimeoutMs: kafka.transactionTimeout,
    waitForBrokerMs: wait,
    fingerprint: fingerprintOf(configuration),
    ...options,
  });
}

/** What makes other summaries, or publishes a file twice, where replicas of one group do not agree on it. */
function fingerprintOf(configuration: Configuration): string {
  const { clustering, ingest, regions, topics } = configuration;
  const { exponent, widths } = paneGridOf({ clustering, regions });
  return [
    `clustering.algorithm ${regionAlgorithmOf(configuration).description}`,
    `ingest.ownership ${ingest.ownership}`,
    `regions.features ${String(regions.features)}`,
    `regions.lateness ${String(regions.lateness ?? 'off')}`,
    `regions.level ${String(regions.level)}`,
    `regions.pane 2^${String(exponent)} h in ${String(widths)} widths`,
    `topics.partitions ${String(topics.partitions)}`,
    `topics.rows ${topics.rows}`,
  ].join(', ');
}
