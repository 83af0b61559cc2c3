/** Containers of the image, each with no more rights than it needs, and a Kafka for them. */
import type { StartedNetwork, StartedTestContainer, WaitStrategy } from 'testcontainers';
import { within } from '../support/within.ts';
import type { Image } from './image.ts';

const KAFKA = 'apache/kafka:4.1.2';
const STARTS_WITHIN_MS = 150_000;
const ANSWERS_WITHIN_MS = 30_000;
const ASK_AGAIN_MS = 250;
const MEMORY_BYTES = 512 * 1024 * 1024;
const FRAME_HEAD = 8;
const TOKEN = 'a-token-of-tests-only';
const PORT = 8470;

/** In its container: whoever may start containers is somebody else on the host. */
const EVERYWHERE = { GEOFLOCK_ADMIN_ADDRESS: '0.0.0.0', GEOFLOCK_ADMIN_TOKEN: TOKEN };

/** Of what `/api/v1/status` answers, what is looked at here. */
export interface Status {
  readonly partitions: readonly { readonly end: number; readonly lag: number }[];
  readonly totals: {
    readonly files: { readonly done: number; readonly failed: number };
    readonly rows: { readonly read: number; readonly counted: number; readonly rejected: number };
  };
  readonly model: { readonly k: number; readonly weight: number } | null;
}

export interface Started {
  readonly args: readonly string[];
  /** Folder of the host that is `/data` there. */
  readonly data: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly network?: StartedNetwork;
  /** Its name in the network, and as a replica. */
  readonly name?: string;
  /** Id of a container whose state is used. */
  readonly stateOf?: string;
}

export interface Ended {
  readonly code: number;
  readonly outOfMemory: boolean;
  readonly ms: number;
}

/** A container that can be killed, and started again as it was. */
export class Container {
  readonly id: string;
  readonly #image: Image;
  readonly #started: StartedTestContainer;

  constructor(image: Image, started: StartedTestContainer) {
    this.id = started.getId();
    this.#image = image;
    this.#started = started;
  }

  /** `docker kill -s KILL` */
  async kill(): Promise<void> {
    await this.#container.kill({ signal: 'SIGKILL' });
  }

  /** `docker start` */
  async startAgain(): Promise<void> {
    await this.#container.start();
  }

  /** `docker stop --time graceSeconds` */
  async stop(graceSeconds: number): Promise<Ended> {
    const began = performance.now();
    await this.#container.stop({ t: graceSeconds });
    const ms = performance.now() - began;
    const { State } = await this.#container.inspect();
    return { code: State.ExitCode, outOfMemory: State.OOMKilled, ms };
  }

  /** Of a container that has ended. */
  async exitCode(): Promise<number | undefined> {
    const { State } = await this.#container.inspect();
    return State.Running ? undefined : State.ExitCode;
  }

  async health(): Promise<string | undefined> {
    return (await this.#container.inspect()).State.Health?.Status;
  }

  /** @returns what it printed; @throws when it fails */
  async run(...command: readonly string[]): Promise<string> {
    const { exitCode, output, stdout } = await this.#started.exec([...command]);
    if (exitCode !== 0) {
      throw new Error(`${command.join(' ')}: ${output}`);
    }
    return stdout;
  }

  async text(path: string, method = 'GET'): Promise<string> {
    // Each start gives it another port of the host.
    const { Ports } = (await this.#container.inspect()).NetworkSettings;
    const port = Ports[`${String(PORT)}/tcp`]?.[0]?.HostPort ?? 'none';
    const answer = await fetch(`http://${this.#image.client.info.containerRuntime.host}:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(`${method} ${path}: ${String(answer.status)} ${text}`);
    }
    return text;
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.text('/api/v1/status')) as Status;
  }

  /** What it wrote to its standard output, in all its lives. */
  async stdout(): Promise<string> {
    return await this.#log({ stdout: true, stderr: false });
  }

  async stderr(): Promise<string> {
    return await this.#log({ stdout: false, stderr: true });
  }

  async remove(): Promise<void> {
    await this.#container.remove({ force: true, v: true });
  }

  async #log(streams: { readonly stdout: boolean; readonly stderr: boolean }): Promise<string> {
    const frames = await this.#container.logs({ ...streams, follow: false });
    const parts: Buffer[] = [];
    // Each piece comes behind a head that has its length at the end.
    for (let at = 0; at + FRAME_HEAD <= frames.length; ) {
      const end = at + FRAME_HEAD + frames.readUInt32BE(at + 4);
      parts.push(frames.subarray(at + FRAME_HEAD, end));
      at = end;
    }
    return Buffer.concat(parts).toString('utf8');
  }

  get #container() {
    return this.#image.client.container.getById(this.id);
  }
}

/** The containers and networks of a suite, which removes them whatever happens. */
export class Lab {
  readonly #image: Image;
  readonly #containers: Container[] = [];
  readonly #networks: StartedNetwork[] = [];

  constructor(image: Image) {
    this.#image = image;
  }

  async network(): Promise<StartedNetwork> {
    const { Network } = await import('testcontainers');
    const network = await new Network().start();
    this.#networks.push(network);
    return network;
  }

  /** `geoflock ARGS` that goes on; resolves when it has told so, if it is to. */
  async start(what: Started, told?: RegExp): Promise<Container> {
    const { Wait } = await import('testcontainers');
    return await this.#start(what, told === undefined ? undefined : Wait.forLogMessage(told));
  }

  /** `geoflock ARGS` that ends; the container that is left. @throws when it does not end with 0 */
  async once(what: Started): Promise<Container> {
    const { Wait } = await import('testcontainers');
    return await this.#start(what, Wait.forOneShotStartup());
  }

  /** What a script prints that node runs in the image. @throws when it does not end with 0 */
  async node(script: string): Promise<string> {
    const { GenericContainer, Wait } = await import('testcontainers');
    const started = await new GenericContainer(this.#image.name)
      .withEntrypoint(['node', '-e', script])
      .withWaitStrategy(Wait.forOneShotStartup())
      .withStartupTimeout(STARTS_WITHIN_MS)
      .start();
    return await this.#keep(started).stdout();
  }

  /** A broker that keeps its log when it is killed, and goes by the name `kafka` in the network. */
  async kafka(network: StartedNetwork): Promise<Container> {
    const { GenericContainer, Wait } = await import('testcontainers');
    const started = await new GenericContainer(KAFKA)
      .withNetwork(network)
      .withNetworkAliases('kafka')
      .withEnvironment(KAFKA_SETTINGS)
      .withWaitStrategy(Wait.forLogMessage('Kafka Server started'))
      .withStartupTimeout(STARTS_WITHIN_MS)
      .start();
    return this.#keep(started);
  }

  async remove(): Promise<void> {
    await Promise.all(this.#containers.splice(0).map((container) => container.remove()));
    await Promise.all(this.#networks.splice(0).map((network) => network.stop()));
  }

  async #start(what: Started, wait: WaitStrategy | undefined): Promise<Container> {
    const { GenericContainer } = await import('testcontainers');
    const { args, data, environment, name, network, stateOf } = what;
    /** `--read-only --memory 512m`, which there is no method for. */
    class ReadOnly extends GenericContainer {
      constructor(image: string) {
        super(image);
        Object.assign(this.hostConfig, {
          ReadonlyRootfs: true,
          Memory: MEMORY_BYTES,
          MemorySwap: MEMORY_BYTES,
          ...(stateOf === undefined ? {} : { VolumesFrom: [stateOf] }),
        });
      }
    }
    const container = new ReadOnly(this.#image.name)
      .withUser('1000')
      .withDroppedCapabilities('ALL')
      .withSecurityOpt('no-new-privileges')
      .withCommand([...args])
      .withStartupTimeout(STARTS_WITHIN_MS)
      .withEnvironment({
        ...EVERYWHERE,
        ...(name === undefined ? {} : { GEOFLOCK_REPLICA_NAME: name }),
        ...environment,
      });
    if (stateOf === undefined) {
      container.withBindMounts([{ source: data, target: '/data', mode: 'rw' }]);
    }
    if (args[0] === 'run' && !args.includes('--once')) {
      container.withExposedPorts(PORT);
    }
    if (network !== undefined) {
      container.withNetwork(network).withNetworkAliases(...(name === undefined ? [] : [name]));
    }
    if (wait !== undefined) {
      container.withWaitStrategy(wait);
    }
    return this.#keep(await container.start());
  }

  #keep(started: StartedTestContainer): Container {
    const container = new Container(this.#image, started);
    this.#containers.push(container);
    return container;
  }
}

/** Asks until the answer is good, and gives it. What is wrong with the last one is said when there is none in time. */
export async function until<T>(
  what: string,
  withinMs: number,
  ask: () => Promise<T>,
  good: (answer: T) => boolean,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let last: unknown;
    try {
      const answer = await within(ANSWERS_WITHIN_MS, what, ask());
      if (good(answer)) {
        return answer;
      }
      last = JSON.stringify(answer);
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${String(withinMs / 1000)} s, but ${String(last)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

const KAFKA_SETTINGS = {
  KAFKA_PROCESS_ROLES: 'broker,controller',
  KAFKA_NODE_ID: '1',
  KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
  KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
  KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
  KAFKA_ADVERTISED_LISTENERS: 'PLAINTEXT://kafka:9092',
  KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  // A volume, by the image.
  KAFKA_LOG_DIRS: '/var/lib/kafka/data',
  KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
  // A killed node takes itself for alive until this is over, and does not let itself in again.
  KAFKA_BROKER_SESSION_TIMEOUT_MS: '4000',
  KAFKA_BROKER_HEARTBEAT_INTERVAL_MS: '500',
  KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
  KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '4',
  KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
  KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
  KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: '4',
  KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: '1',
  KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: '1',
  KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE: String(8 * 1024 * 1024),
  KAFKA_HEAP_OPTS: '-Xms384m -Xmx384m',
};
