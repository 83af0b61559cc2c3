/** Creates the topics that are missing and checks those that exist. */
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import type { TopicSpec } from '../broker.ts';
import { AccessDeniedError, BrokerError, missingTopics, TopicMismatchError } from '../errors.ts';
import { errorOfCode, errorType, exchange, type KafkaConnections } from './kafkajs.ts';
import { type PersistOptions, persist } from './retry.ts';
import { newTopic } from './topic-settings.ts';
import { type CreatedTopic, createTopicsRequest } from './wire/create-topics.ts';

const MAX_PARTITIONS = 65_536;
const CREATE_TIMEOUT_MS = 10_000;
/** Error code of Kafka's protocol. */
const UNKNOWN_TOPIC = 3;
/** Of what DescribeConfigs can describe. */
const TOPIC_RESOURCE = 2;

export interface TopicOptions {
  /** What becomes of topics that are missing. */
  readonly missing?: 'create' | 'refuse';
  /** Copies of each partition; `auto`: three, or as many as there are brokers. */
  readonly replication: 'auto' | number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
  /** Monotonic time of `clock` at which to give up on a broker that is away; without it, never. */
  readonly untilMs?: number | undefined;
}

/**
 * Creates what is missing of `specs` and checks what exists.
 * @returns the names of the topics that were missing
 * @throws TopicMismatchError naming every topic that does not fit or is not to be missing, and the remedies
 */
export async function declareTopics(
  connections: KafkaConnections,
  specs: readonly TopicSpec[],
  options: TopicOptions,
): Promise<readonly string[]> {
  const waiting: Omit<PersistOptions, 'what'> = {
    clock: options.clock,
    log: options.log,
    signal: options.signal,
    untilMs: options.untilMs,
    brokers: connections.brokers,
    onTrouble: (error) => connections.refresh(error),
  };
  const missing = new Set<string>();
  const faults: string[] = [];
  if (options.missing === 'refuse') {
    await refuseMissing(connections, specs, waiting);
  }
  for (const spec of specs) {
    checkPartitions(spec);
    const declaring = { ...waiting, what: `declaring topic ${spec.name}` };
    const found = await persist(async () => {
      const existing = await connections.topic(spec.name);
      if (existing !== undefined) {
        return existing;
      }
      // What was missing stays so, though another replica be quicker or an answer be lost.
      missing.add(spec.name);
      await create(connections, spec, options);
      throw errorOfCode(UNKNOWN_TOPIC); // the news of it is under way
    }, declaring);
    faults.push(...partitionFaults(spec, found.partitions));
    if (!missing.has(spec.name)) {
      faults.push(...(await persist(() => policyFaults(connections, spec, options.log), declaring)));
    }
  }
  if (faults.length > 0) {
    throw new TopicMismatchError(faults.join('; '));
  }
  return [...missing];
}

async function refuseMissing(
  connections: KafkaConnections,
  specs: readonly TopicSpec[],
  waiting: Omit<PersistOptions, 'what'>,
): Promise<void> {
  const absent: string[] = [];
  for (const { name } of specs) {
    const found = await persist(() => connections.topic(name), {
      ...waiting,
      what: `looking for topic ${name}`,
    });
    if (found === undefined) {
      absent.push(name);
    }
  }
  if (absent.length > 0) {
    throw missingTopics(absent);
  }
}

function checkPartitions({ name, partitions }: TopicSpec): void {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
    throw new TopicMismatchError(
      `topic ${name}: ${String(partitions)} partitions asked for, 1 to ${String(MAX_PARTITIONS)} are possible`,
    );
  }
}

async function create(
  connections: KafkaConnections,
  spec: TopicSpec,
  { log, replication }: TopicOptions,
): Promise<void> {
  const brokers = await connections.brokerCount();
  const topic = newTopic(spec, replication === 'auto' ? Math.min(3, brokers) : replication);
  const controller = await connections.controller();
  const [answer] = await exchange(controller, createTopicsRequest([topic], CREATE_TIMEOUT_MS));
  if (answer === undefined || answer.errorCode === 0) {
    const { name, partitions } = topic;
    log.info({ topic: name, partitions, replication: topic.replication }, 'topic created');
    return;
  }
  refuse(answer, topic.replication, brokers);
}

function refuse({ errorCode, name, reason }: CreatedTopic, replication: number, brokers: number): void {
  const error = errorOfCode(errorCode);
  const cause = { cause: error };
  const says = reason === '' ? error.type : `${error.type} (${reason})`;
  switch (error.type) {
    case 'TOPIC_ALREADY_EXISTS':
      return;
    case 'INVALID_REPLICATION_FACTOR':
      throw new BrokerError(
        `topic ${name} cannot have ${String(replication)} copies on ${String(brokers)} brokers: set the replication ` +
          `to ${String(brokers)} or less, or start more brokers`,
        cause,
      );
    case 'TOPIC_AUTHORIZATION_FAILED':
    case 'CLUSTER_AUTHORIZATION_FAILED':
      throw new AccessDeniedError(
        `topic ${name} is missing and the user may not create it: give the right with kafka-acls --operation ` +
          'Create, or create the topic beforehand (docs/GUARANTEES.md tells how)',
        cause,
      );
    case 'INVALID_TOPIC_EXCEPTION':
    case 'INVALID_CONFIG':
    case 'INVALID_PARTITIONS':
    case 'POLICY_VIOLATION':
      throw new BrokerError(
        `topic ${name} is refused: Kafka answers ${says}: change the name or the settings, or create the topic ` +
          'by hand',
        cause,
      );
    default:
      throw error;
  }
}

function partitionFaults({ name, partitions }: TopicSpec, found: number): readonly string[] {
  return found === partitions
    ? []
    : [
        `topic ${name} has ${String(found)} partitions on Kafka and ${String(partitions)} are expected: set the ` +
          `number to ${String(found)}, or start with another prefix for the topics`,
      ];
}

/** A table that forgets, or a log of which compaction takes rows, loses what it must keep. */
async function policyFaults(
  connections: KafkaConnections,
  { kind, name }: TopicSpec,
  log: Logger,
): Promise<readonly string[]> {
  const policy = await cleanupPolicy(connections, name, log);
  if (policy === undefined || policy === (kind === 'table' ? 'compact' : 'delete')) {
    return [];
  }
  const wanted = kind === 'table' ? 'compact' : 'delete';
  const why =
    kind === 'table'
      ? 'it is a table, which must be compacted and nothing else, or entries are lost'
      : 'it is a log, of which compaction would remove rows';
  return [
    `topic ${name} has cleanup.policy ${policy}, but ${why}: change it with kafka-configs --alter --topic ${name} ` +
      `--add-config cleanup.policy=${wanted}, or start with another prefix for the topics`,
  ];
}

async function cleanupPolicy(
  connections: KafkaConnections,
  name: string,
  log: Logger,
): Promise<string | undefined> {
  const node = await connections.controller();
  try {
    const { resources } = await node.describeConfigs({
      resources: [{ type: TOPIC_RESOURCE, name, configNames: ['cleanup.policy'] }],
    });
    const entries = resources.flatMap(({ configEntries }) => configEntries);
    const policy = entries.find(({ configName }) => configName === 'cleanup.policy')?.configValue;
    return policy?.split(',').sort().join(',');
  } catch (error) {
    if (errorType(error)?.endsWith('AUTHORIZATION_FAILED') === true) {
      log.warn({ topic: name }, 'the user may not read the settings of the topic: they are not checked');
      return undefined;
    }
    throw error;
  }
}
