/** Apache Kafka in Docker, for tests: one node, with its own fixed port, so that it can be killed and started again. */
import kafkajs from 'kafkajs';
import type { ContainerRuntimeClient, StartedTestContainer } from 'testcontainers';
import { CERTIFICATE, KEY } from './certificate.ts';
import { freePort } from './free-port.ts';

const IMAGE = 'apache/kafka:4.1.2';
const START_WITHIN_MS = 150_000;
const STARTED = 'Kafka Server started';
const KEYSTORE = '/tmp/keystore.pem';

/** Of the user `admin`, who may do everything at `saslBrokers`; `nobody`, with the same, may do nothing. */
export const SASL_PASSWORD = 'a-password-of-tests';

export interface KafkaContainer {
  /** `host:port`, without credentials. */
  readonly brokers: readonly string[];
  /** `host:port` where SASL PLAIN is asked for, and what a user may do is checked. */
  readonly saslBrokers: readonly string[];
  /** `host:port` with TLS (`certificate.ts`), and SASL by PLAIN, SCRAM or OAUTHBEARER with unsigned tokens. */
  readonly tlsBrokers: readonly string[];
  /** Not killed, or started again. */
  readonly running: boolean;
  /** Makes `admin` known to SCRAM. */
  addScramUser(): Promise<void>;
  /** Runs one of Kafka's own tools, such as `kafka-topics`, with `input` on its input; what it prints. */
  tool(name: string, args: readonly string[], input?: string): Promise<string>;
  /** SIGKILL; the data stays. */
  kill(): Promise<void>;
  /** Stops all its processes where they are, as SIGSTOP does; connections stay. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Starts the killed node on its data; resolves when it serves. */
  startAgain(): Promise<void>;
  /** Ends the node and removes its data. */
  remove(): Promise<void>;
}

/** @throws when there is no Docker, or the image cannot be had. */
export async function startKafkaContainer(): Promise<KafkaContainer> {
  // Only here, because it takes half a second that most test files need not spend.
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  const client = await getContainerRuntimeClient();
  const { host } = client.info.containerRuntime;
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const saslPort = await freePort();
    const tlsPort = await freePort();
    try {
      const started = await new GenericContainer(IMAGE)
        .withEnvironment(environment(host, port, saslPort, tlsPort))
        .withCopyContentToContainer([{ content: `${KEY}${CERTIFICATE}`, target: KEYSTORE, mode: 0o644 }])
        .withExposedPorts(...[port, saslPort, tlsPort].map((one) => ({ container: one, host: one })))
        .withWaitStrategy(Wait.forLogMessage(STARTED))
        .withStartupTimeout(START_WITHIN_MS)
        .start();
      await warmUp(`${host}:${String(port)}`);
      const [broker, sasl, tls] = [port, saslPort, tlsPort].map((one) => [`${host}:${String(one)}`]);
      return new RunningContainer(client, started, { broker, sasl, tls });
    } catch (error) {
      // Another process may have taken the port in between.
      if (attempt === 3 || !/port is already allocated|address already in use/.test(String(error))) {
        throw error;
      }
    }
  }
}

class RunningContainer implements KafkaContainer {
  readonly brokers: readonly string[];
  readonly saslBrokers: readonly string[];
  readonly tlsBrokers: readonly string[];
  readonly #client: ContainerRuntimeClient;
  readonly #started: StartedTestContainer;
  running = true;

  constructor(
    client: ContainerRuntimeClient,
    started: StartedTestContainer,
    addresses: Readonly<Record<'broker' | 'sasl' | 'tls', readonly string[] | undefined>>,
  ) {
    this.#client = client;
    this.#started = started;
    this.brokers = addresses.broker ?? [];
    this.saslBrokers = addresses.sasl ?? [];
    this.tlsBrokers = addresses.tls ?? [];
  }

  /** SCRAM's credentials are kept by the brokers: those of `admin` are put there. */
  async addScramUser(): Promise<void> {
    // The tool changes one at a time.
    for (const bits of ['256', '512']) {
      await this.tool('kafka-configs', [
        ...['--alter', '--add-config', `SCRAM-SHA-${bits}=[password=${SASL_PASSWORD}]`],
        ...['--entity-type', 'users', '--entity-name', 'admin'],
      ]);
    }
  }

  async tool(name: string, args: readonly string[], input = ''): Promise<string> {
    const encoded = Buffer.from(input).toString('base64');
    const { exitCode, output, stdout } = await this.#started.exec([
      'sh',
      '-c',
      'echo "$0" | base64 -d | "$@"',
      encoded,
      `/opt/kafka/bin/${name}.sh`,
      ...['--bootstrap-server', this.brokers.join(',')],
      ...args,
    ]);
    if (exitCode !== 0) {
      throw new Error(`${name}: ${output}`);
    }
    return stdout;
  }

  async kill(): Promise<void> {
    this.running = false;
    await this.#client.container.getById(this.#started.getId()).kill({ signal: 'SIGKILL' });
  }

  async freeze(): Promise<void> {
    await this.#client.container.getById(this.#started.getId()).pause();
  }

  async thaw(): Promise<void> {
    await this.#client.container.getById(this.#started.getId()).unpause();
  }

  async startAgain(): Promise<void> {
    const container = this.#client.container.getById(this.#started.getId());
    await container.start();
    const { State } = await container.inspect();
    const since = Date.parse(State.StartedAt);
    const deadline = Date.now() + START_WITHIN_MS;
    while (Date.now() < deadline) {
      // The log of the life before is still there.
      const log = await container.logs({ stdout: true, stderr: true, timestamps: true, follow: false });
      const ready = log
        .toString('utf8')
        .split('\n')
        .some((line) => line.includes(STARTED) && timeOf(line) >= since);
      if (ready) {
        this.running = true;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`the container of ${IMAGE} did not start again within ${String(START_WITHIN_MS)} ms`);
  }

  async remove(): Promise<void> {
    await this.#started.stop({ timeout: 0 });
  }
}

/** The node makes its own topics, of groups and of transactions, when first asked: seconds, before any test. */
async function warmUp(broker: string): Promise<void> {
  const kafka = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  const producer = kafka.producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    transactionalId: 'warm-up',
  });
  try {
    await untilDone(async () => {
      await admin.connect();
      await admin.fetchOffsets({ groupId: 'warm-up' });
    });
    await untilDone(() => producer.connect());
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()]);
  }
}

async function untilDone(work: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + START_WITHIN_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (Date.now() >= deadline) {
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Of a line that Docker wrote; it may begin with the eight bytes of a frame. */
function timeOf(line: string): number {
  return Date.parse(/\d{4}-\d\d-\d\dT[\d:.]+Z/.exec(line)?.[0] ?? '');
}

function environment(host: string, port: number, saslPort: number, tlsPort: number): Record<string, string> {
  const user = (name: string): string => `user_${name}="${SASL_PASSWORD}"`;
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required ${user('admin')} ${user('nobody')};`;
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': '1@localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAIN://:${String(port)},CLIENT://:${String(saslPort)},TLS://:${String(tlsPort)},CONTROLLER://:9093`,
    'advertised.listeners': `PLAIN://${host}:${String(port)},CLIENT://${host}:${String(saslPort)},TLS://${host}:${String(tlsPort)}`,
    'inter.broker.listener.name': 'PLAIN',
    'listener.security.protocol.map':
      'PLAIN:PLAINTEXT,CLIENT:SASL_PLAINTEXT,TLS:SASL_SSL,CONTROLLER:PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.tls.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'listener.name.client.plain.sasl.jaas.config': plain,
    'listener.name.tls.plain.sasl.jaas.config': plain,
    'listener.name.tls.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.tls.scram-sha-512.sasl.jaas.config': scram,
    // Without a further handler it takes tokens that nobody has signed.
    'listener.name.tls.oauthbearer.sasl.jaas.config':
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': KEYSTORE,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS;User:admin',
    // So that a mistake in a topic's name is seen, and not made a topic.
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    // A killed node takes itself for alive until this is over, and does not let itself in again.
    'broker.session.timeout.ms': 4000,
    'broker.heartbeat.interval.ms': 500,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1000,
    'message.max.bytes': 8 * 1024 * 1024,
    'replica.fetch.max.bytes': 8 * 1024 * 1024,
    // One node keeps everything, and starts quickly with few partitions of its own.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // The default of the cleaner is a third of the heap.
    'log.cleaner.dedupe.buffer.size': 8 * 1024 * 1024,
    'log.cleaner.backoff.ms': 500,
  };
  const variables = Object.entries(settings).map(([name, value]) => [
    `KAFKA_${name.replaceAll('-', '___').replaceAll('.', '_').toUpperCase()}`,
    String(value),
  ]);
  return { ...Object.fromEntries(variables), KAFKA_HEAP_OPTS: '-Xms384m -Xmx384m' } as Record<string, string>;
}
