/**
 * The Kafka that tests run against, looked for in this order: `KAFKA_BROKERS` (`host:port,...`), Docker.
 * Where there is neither, the tests that need it are skipped; with `CI` set, that is a failure.
 *
 * The container is started when the first test needs it, once for the whole run, and removed after its last
 * test; when the run is killed, testcontainers' reaper removes it.
 */
import { cannotRun } from './cannot-run.ts';
import { type KafkaContainer, startKafkaContainer } from './kafka-container.ts';

/** Long enough for an image that is still to be fetched. */
const BEFORE_MS = 500_000;

/** Those of `KAFKA_BROKERS`; empty where it is not set. */
export const givenBrokers: readonly string[] = (process.env['KAFKA_BROKERS'] ?? '')
  .split(',')
  .filter((broker) => broker !== '');
const containers: KafkaContainer[] = [];
let shared: Promise<KafkaContainer> | undefined;
/** That a suite has killed, if it has, and started again. */
let idle: KafkaContainer | undefined;

after('remove the Kafka containers', async function () {
  this.timeout(180_000);
  await Promise.all(containers.map((container) => container.remove()));
});

/** In a suite: makes a Kafka available to its tests, or skips them. The getter is for hooks and tests. */
export function useKafka(): () => readonly string[] {
  let brokers: readonly string[] | undefined;
  before('find a Kafka', async function () {
    this.timeout(BEFORE_MS);
    if (givenBrokers.length > 0) {
      brokers = givenBrokers;
      return;
    }
    shared ??= start();
    brokers = (await obtained(this, shared)).brokers;
  });
  return () => {
    if (brokers === undefined) {
      throw new Error('ask for the brokers in a test or a hook');
    }
    return brokers;
  };
}

/** In a suite: the Kafka in Docker that most suites share, with its console tools, or its tests are skipped. */
export function useKafkaContainer(): () => KafkaContainer {
  let container: KafkaContainer | undefined;
  before('find a Kafka in Docker', async function () {
    this.timeout(BEFORE_MS);
    shared ??= start();
    container = await obtained(this, shared);
  });
  return () => {
    if (container === undefined) {
      throw new Error('ask for the container in a test or a hook');
    }
    return container;
  };
}

/**
 * In a suite: a Kafka in Docker to kill and to start again, or its tests are skipped. No other suite uses it
 * at the same time; what is in it may be of an earlier one.
 */
export function useOwnKafka(): () => KafkaContainer {
  let own: KafkaContainer | undefined;
  before('start a Kafka to kill', async function () {
    this.timeout(BEFORE_MS);
    own = idle ?? (await obtained(this, start()));
    idle = undefined;
  });
  after('leave it to others', () => {
    idle = own?.running === true ? own : idle;
  });
  return () => {
    if (own === undefined) {
      throw new Error('ask for the container in a test or a hook');
    }
    return own;
  };
}

async function start(): Promise<KafkaContainer> {
  const container = await startKafkaContainer();
  containers.push(container);
  return container;
}

async function obtained(hook: Mocha.Context, container: Promise<KafkaContainer>): Promise<KafkaContainer> {
  try {
    return await container;
  } catch (error) {
    const why = `no Kafka to test against: KAFKA_BROKERS is not set, and Docker cannot be used: ${String(error)}`;
    cannotRun(hook, why, error);
  }
}
