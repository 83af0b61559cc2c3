import kafkajs from 'kafkajs';
import type { Broker } from '../../../src/broker/broker.ts';
import { type KafkaBrokerOptions, openKafkaBroker } from '../../../src/broker/kafka/broker.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { type Logger, silentLogger } from '../../../src/system/logger.ts';
import { randomName } from '../../support/random-name.ts';
import type { BrokerFixture } from '../conformance/scene.ts';
import { eventually } from '../helpers.ts';

/** Short enough that a test can wait for a member to be given up. */
export const SESSION_MS = 3_000;
/** Where nobody waits for that: a busy machine must not give up a member. */
const UNDISTURBED_SESSION_MS = 10_000;

export function openKafkaAt(
  brokers: readonly string[],
  group: string,
  overrides: Partial<KafkaBrokerOptions> = {},
): Promise<Broker> {
  return openKafkaBroker({
    brokers,
    clientId: 'geoflock-test',
    group,
    compression: 'none',
    replication: 'auto',
    sessionTimeoutMs: UNDISTURBED_SESSION_MS,
    transactionTimeoutMs: 10_000,
    waitForBrokerMs: 15_000,
    fingerprint: 'same',
    clock: systemClock,
    log: silentLogger,
    ...overrides,
  });
}

/** Kafka by another client than the one under test: kafkajs as it comes. */
export class Outsider {
  readonly #kafka: kafkajs.Kafka;

  constructor(brokers: readonly string[]) {
    this.#kafka = new kafkajs.Kafka({
      brokers: [...brokers],
      clientId: 'outsider',
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { initialRetryTime: 50, retries: 20 },
    });
  }

  async administer<T>(work: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
    const admin = this.#kafka.admin();
    await admin.connect();
    try {
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }

  async produce(work: (producer: kafkajs.Producer) => Promise<void>): Promise<void> {
    const producer = this.#kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    try {
      await work(producer);
    } finally {
      await producer.disconnect();
    }
  }

  /** One transaction; whoever begins it ends it. */
  async transact(work: (transaction: kafkajs.Transaction) => Promise<void>): Promise<void> {
    const producer = this.#kafka.producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      transactionalId: randomName(),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    try {
      await work(await producer.transaction());
    } finally {
      await producer.disconnect();
    }
  }

  /** The values of all committed records of a topic, read until `count` have come and a while longer. */
  async values(topic: string, count: number): Promise<string[]> {
    const consumer = this.#kafka.consumer({ groupId: randomName(), maxWaitTimeInMs: 100 });
    const values: string[] = [];
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: ({ message }) => {
          values.push(message.value?.toString('utf8') ?? 'null');
          return Promise.resolve();
        },
      });
      await eventually(() => {
        if (values.length < count) {
          throw new Error(`${String(values.length)} of ${String(count)} records of ${topic} are there`);
        }
      });
      await new Promise((resolve) => setTimeout(resolve, 300));
    } finally {
      await consumer.disconnect();
    }
    return values;
  }

  async setTopic(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await this.administer(async (admin) => {
      const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic };
      // What was set stays only when it is said again.
      const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
      const kept = (resources[0]?.configEntries ?? [])
        .filter(({ configName, configSource }) => configSource === TOPIC_CONFIG && !(configName in settings))
        .map(({ configName, configValue }) => ({ name: configName, value: configValue }));
      await admin.alterConfigs({
        validateOnly: false,
        resources: [{ ...resource, configEntries: [...kept, ...configEntries] }],
      });
      // The broker is told of it a moment after whoever controls it has answered.
      await eventually(async () => {
        const now = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
        const values = new Map(
          now.resources[0]?.configEntries.map((one) => [one.configName, one.configValue]),
        );
        for (const { name, value } of configEntries) {
          if (values.get(name) !== value) {
            throw new Error(`${name} of ${topic} is ${String(values.get(name))} and not yet ${value}`);
          }
        }
      });
    });
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    await this.administer(async (admin) => {
      const there = new Set(await admin.listTopics());
      const mine = topics.filter((topic) => there.has(topic));
      if (mine.length > 0) {
        await admin.deleteTopics({ topics: mine });
      }
    });
  }
}

/** Source of a setting, as kafkajs numbers them: set for the topic itself. */
const TOPIC_CONFIG: number = kafkajs.ConfigSource.TOPIC_CONFIG;

/** A corner of a Kafka that others use too: topics, groups and transactional ids have names of its own. */
export class KafkaPlace implements BrokerFixture {
  readonly brokers: readonly string[];
  readonly prefix = `${randomName()}.`;
  readonly outsider: Outsider;
  readonly #topics = new Set<string>();

  constructor(brokers: readonly string[]) {
    this.brokers = brokers;
    this.outsider = new Outsider(brokers);
  }

  named(name: string): string {
    const topic = `${this.prefix}${name}`;
    this.#topics.add(topic);
    return topic;
  }

  open(overrides: Partial<KafkaBrokerOptions> = {}): Promise<Broker> {
    return openKafkaAt(this.brokers, `${this.prefix}group`, overrides);
  }

  openBeside(): Promise<Broker> {
    return this.open();
  }

  async allowRecordsOf(topic: string, bytes: number): Promise<void> {
    await this.outsider.setTopic(topic, { 'max.message.bytes': String(bytes) });
  }

  async dispose(): Promise<void> {
    await this.outsider.deleteTopics([...this.#topics]);
  }
}

/** A logger that keeps what it is told, from `info` on. */
export function listeningLogger(lines: string[]): Logger {
  const listen =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    };
  const logger: Logger = {
    debug: () => undefined,
    info: listen('info'),
    warn: listen('warn'),
    error: listen('error'),
    child: () => logger,
  };
  return logger;
}
