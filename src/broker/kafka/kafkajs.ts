import type { ConnectionOptions } from 'node:tls';
import kafkajsBroker from 'kafkajs/src/broker/index.js';
import kafkajsEncoder from 'kafkajs/src/protocol/encoder.js';
import kafkajsErrors from 'kafkajs/src/protocol/error.js';
import kafkajsFailures from 'kafkajs/src/errors.js';
import kafkajsLoggers from 'kafkajs/src/loggers/index.js';
import kafkajsConnectionPool from 'kafkajs/src/network/connectionPool.js';
import createKafkajsSocketFactory from 'kafkajs/src/network/socketFactory.js';
import { systemClock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { BrokerError } from '../errors.ts';
import { collectAnswers, thriftySockets } from './answers.ts';
import { sendFrame } from './frame.ts';
import { isNoAnswer, nameOfCode, silentBroker } from './kafka-error.ts';
import type {
  BrokerOptions,
  ConnectionPoolOptions,
  KafkajsBroker,
  KafkajsConnection,
  KafkajsConnectionPool,
  KafkajsEncoder,
  KafkajsLogger,
  KafkajsRequestQueue,
  SocketFactory,
  WireRequest,
} from './kafkajs-types.ts';
import { type ClusterMetadata, metadataRequest, type TopicMetadata } from './wire/metadata.ts';

/**
 * The only file that knows kafkajs. Of kafkajs we take what speaks the protocol: connections, TLS, SASL,
 * versions, the encoding of requests. Its producer and consumer are not used: they have no blocking
 * revocation, no reading without a group, and no way past a fenced producer (see the ADR). Its cluster is
 * not used either: one topic without a leader makes it refuse the metadata of all.
 */
const Broker = kafkajsBroker as new (options: BrokerOptions) => KafkajsBroker;
const ConnectionPool = kafkajsConnectionPool as new (options: ConnectionPoolOptions) => KafkajsConnectionPool;
const Encoder = kafkajsEncoder as new (initialSize?: number) => KafkajsEncoder;
const { createErrorFromCode } = kafkajsErrors as {
  readonly createErrorFromCode: (code: number) => Error & { readonly type: string };
};
const { KafkaJSConnectionError } = kafkajsFailures as {
  readonly KafkaJSConnectionError: new (message: string, details: { readonly broker: string }) => Error;
};
const { createLogger } = kafkajsLoggers as {
  readonly createLogger: (options: {
    readonly level: number;
    readonly logCreator: () => (entry: {
      readonly namespace: string;
      readonly log: { readonly message: string };
    }) => void;
  }) => KafkajsLogger;
};
const defaultSocketFactory = thriftySockets((createKafkajsSocketFactory as () => SocketFactory)());

export { errorType, isNoAnswer } from './kafka-error.ts';
export type { KafkajsBroker as KafkaNode, SocketFactory, WireRequest } from './kafkajs-types.ts';

export type KafkaSasl =
  | { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }
  | { readonly mechanism: 'oauthbearer'; oauthBearerProvider: () => Promise<{ value: string }> };

export interface KafkaConnectionOptions {
  /** `host:port` of brokers to begin with. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls?: ConnectionOptions;
  readonly sasl?: KafkaSasl;
  readonly log: Logger;
  /** Stands between us and the network: a test loses replies there. */
  readonly socketFactory?: SocketFactory;
}

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 15_000;

interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Connections to the brokers of a cluster, two to each: one for fetches, one for all else. A broker
 * answers the requests of a connection one after another, so what may wait long (joining a group) has
 * its own. A connection that failed is never used again: the next use makes a new one.
 */
export class KafkaConnections {
  readonly #options: KafkaConnectionOptions;
  readonly #logger: KafkajsLogger;
  readonly #seeds: readonly Address[];
  #nextSeed = 0;
  readonly #nodes = new Map<string, Promise<KafkajsBroker>>();
  /** Each ends the making of a connection. */
  readonly #opening = new Set<() => void>();
  readonly #addresses = new Map<number, Address>();
  readonly #topics = new Map<string, TopicMetadata>();
  readonly #wanted = new Set<string>();
  readonly #coordinators = new Map<string, number>();
  #controllerId = -1;
  #refreshing: Promise<void> | undefined;
  #closed = false;

  constructor(options: KafkaConnectionOptions) {
    this.#options = options;
    this.#seeds = options.brokers.map(parseAddress);
    this.#logger = createLogger({
      level: 5,
      // What goes wrong reaches us as an error and is told there; kafkajs tells each try.
      logCreator: () => (entry) => {
        options.log.debug({ part: 'kafkajs', namespace: entry.namespace }, entry.log.message);
      },
    });
  }

  /** More connections to the same cluster: for what must not wait behind a request that waits long. */
  another(): KafkaConnections {
    return new KafkaConnections(this.#options);
  }

  /** `host:port` of the brokers to begin with. */
  get brokers(): readonly string[] {
    return this.#options.brokers;
  }

  /** The leader of a partition as last known. */
  async leader(topic: string, partition: number): Promise<KafkajsBroker> {
    this.#wanted.add(topic);
    const known = this.#topics.get(topic) ?? (await this.#metadataOf(topic));
    const leader = known?.partitions.find((one) => one.partition === partition)?.leader;
    if (leader === undefined) {
      throw protocolError('UNKNOWN_TOPIC_OR_PARTITION', `${topic}-${String(partition)}`);
    }
    if (leader < 0) {
      this.#topics.delete(topic);
      throw protocolError('LEADER_NOT_AVAILABLE', `${topic}-${String(partition)}`);
    }
    return await this.#node(leader);
  }

  /** The broker that coordinates a consumer group or a transactional id. */
  async coordinator(of: 'group' | 'transaction', id: string): Promise<KafkajsBroker> {
    const key = `${of}/${id}`;
    const known = this.#coordinators.get(key);
    if (known !== undefined) {
      return await this.#node(known);
    }
    const any = await this.#anyNode();
    const { coordinator } = await any.findGroupCoordinator({
      groupId: id,
      coordinatorType: of === 'group' ? 0 : 1,
    });
    this.#addresses.set(coordinator.nodeId, coordinator);
    this.#coordinators.set(key, coordinator.nodeId);
    return await this.#node(coordinator.nodeId);
  }

  async controller(): Promise<KafkajsBroker> {
    if (this.#controllerId < 0) {
      await this.#metadata([]);
    }
    return this.#controllerId < 0 ? await this.#anyNode() : await this.#node(this.#controllerId);
  }

  /** Partitions and replicas of a topic; undefined where it does not exist. */
  async topic(
    name: string,
  ): Promise<{ readonly partitions: number; readonly replication: number } | undefined> {
    const found = await this.#metadataOf(name);
    if (found === undefined || found.partitions.length === 0) {
      return undefined;
    }
    const replication = Math.min(...found.partitions.map(({ replicas }) => replicas.length));
    return { partitions: found.partitions.length, replication };
  }

  /** How many brokers are up. */
  async brokerCount(): Promise<number> {
    return (await this.#metadata([])).brokers.length;
  }

  /**
   * What is known of leaders and coordinators is out of date: asks again. Throws when nobody answers.
   * @param cause why; a broker that did not answer gets new connections.
   */
  async refresh(cause?: unknown): Promise<void> {
    const silent = silentBroker(cause);
    if (silent !== undefined) {
      this.#discard(silent);
    }
    this.#coordinators.clear();
    this.#refreshing ??= this.#metadata([...this.#wanted])
      .then(() => undefined)
      .finally(() => {
        this.#refreshing = undefined;
      });
    await this.#refreshing;
  }

  /** What is under way fails at once. */
  async close(): Promise<void> {
    this.#closed = true;
    const nodes = [...this.#nodes.values()];
    this.#nodes.clear();
    for (const giveUp of this.#opening) {
      giveUp();
    }
    for (const node of nodes) {
      node.then(cut, () => undefined);
    }
    await Promise.resolve();
  }

  async #metadataOf(topic: string): Promise<TopicMetadata | undefined> {
    const { topics } = await this.#metadata([topic]);
    const found = topics.find(({ name }) => name === topic);
    if (found === undefined || found.errorCode === 0) {
      return found;
    }
    const error = errorOfCode(found.errorCode);
    if (error.type === 'UNKNOWN_TOPIC_OR_PARTITION') {
      return undefined;
    }
    throw protocolError(error.type, topic);
  }

  async #metadata(names: readonly string[]): Promise<ClusterMetadata> {
    const node = await this.#anyNode();
    const metadata = await exchange(node, metadataRequest(names)).catch((error: unknown) => {
      if (isNoAnswer(error)) {
        this.#discard(addressOf(node.connectionPool));
      }
      throw error;
    });
    for (const { host, nodeId, port } of metadata.brokers) {
      this.#addresses.set(nodeId, { host, port });
    }
    this.#controllerId = metadata.controllerId;
    for (const topic of metadata.topics) {
      if (topic.errorCode === 0) {
        this.#topics.set(topic.name, topic);
      } else {
        this.#topics.delete(topic.name);
      }
    }
    return metadata;
  }

  /** A broker to ask what any can answer: one that is connected, else any known one, else a seed. */
  async #anyNode(): Promise<KafkajsBroker> {
    const seeds = this.#seeds.map((_, at) => this.#seeds[(this.#nextSeed + at) % this.#seeds.length]);
    this.#nextSeed++;
    const candidates = new Map<string, Address>();
    const known = [...seeds, ...this.#addresses.values()].filter((one) => one !== undefined);
    const connected = known.filter((address) => this.#nodes.has(addressOf(address)));
    for (const address of [...connected, ...known]) {
      candidates.set(addressOf(address), address);
    }
    let failure: unknown;
    for (const address of candidates.values()) {
      try {
        return await this.#connect(address);
      } catch (error) {
        if (!isNoAnswer(error)) {
          throw error;
        }
        failure = error;
      }
    }
    throw failure instanceof Error ? failure : new BrokerError('no address of a Kafka broker is configured');
  }

  async #node(nodeId: number): Promise<KafkajsBroker> {
    const address = this.#addresses.get(nodeId);
    if (address === undefined) {
      throw protocolError('BROKER_NOT_AVAILABLE', `node ${String(nodeId)}`);
    }
    return await this.#connect(address);
  }

  async #connect(address: Address): Promise<KafkajsBroker> {
    if (this.#closed) {
      throw new BrokerError('the connections to Kafka are closed');
    }
    const key = addressOf(address);
    const present = this.#nodes.get(key);
    if (present !== undefined) {
      const node = await present;
      if (isUsable(node)) {
        return node;
      }
      if (this.#nodes.get(key) === present) {
        this.#nodes.delete(key);
        // What is under way may end well: a session of SASL runs out a while after it is no longer used.
        node.disconnect().catch(() => undefined);
      }
      return await this.#connect(address);
    }
    const opening = this.#open(address);
    this.#nodes.set(key, opening);
    try {
      return await opening;
    } catch (error) {
      if (this.#nodes.get(key) === opening) {
        this.#nodes.delete(key);
      }
      throw error;
    }
  }

  async #open({ host, port }: Address): Promise<KafkajsBroker> {
    const { clientId, sasl, socketFactory, tls } = this.#options;
    const node = new Broker({
      logger: this.#logger,
      authenticationTimeout: REQUEST_TIMEOUT_MS,
      allowAutoTopicCreation: false,
      connectionPool: new ConnectionPool({
        logger: this.#logger,
        host,
        port,
        clientId,
        ssl: tls,
        sasl,
        socketFactory: socketFactory ?? defaultSocketFactory,
        connectionTimeout: CONNECT_TIMEOUT_MS,
        reauthenticationThreshold: 10_000,
        requestTimeout: REQUEST_TIMEOUT_MS,
        enforceRequestTimeout: true,
      }),
    });
    for (const connection of node.connectionPool.pool) {
      quieten(connection.requestQueue);
      collectAnswers(connection);
      connectOnce(connection, addressOf({ host, port }));
    }
    const broker = addressOf({ host, port });
    let giveUp = (): void => undefined;
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = () => {
        reject(new KafkaJSConnectionError('Connection given up while it was made', { broker }));
      };
    });
    // kafkajs waits without end for a broker that falls silent in the middle of SASL.
    const cancel = systemClock.after(REQUEST_TIMEOUT_MS, giveUp);
    this.#opening.add(giveUp);
    try {
      await Promise.race([node.connect(), givenUp]);
    } catch (error) {
      cut(node);
      throw error;
    } finally {
      cancel();
      this.#opening.delete(giveUp);
    }
    return node;
  }

  #discard(address: string): void {
    const node = this.#nodes.get(address);
    this.#nodes.delete(address);
    node?.then(cut, () => undefined);
  }
}

/** Ends the connections to a broker without waiting for what is under way: that fails as unanswered. */
function cut(node: KafkajsBroker): void {
  const { connectionPool } = node;
  const closed = new KafkaJSConnectionError('Connection given up', { broker: addressOf(connectionPool) });
  for (const connection of connectionPool.pool) {
    connection.rejectRequests(closed);
    connection.socket?.destroy();
  }
  void node.disconnect().catch(() => undefined);
}

/** Whether the connection for all but fetches is there, and need not authenticate again. */
function isUsable(node: KafkajsBroker): boolean {
  return node.connectionPool.pool[0]?.isConnected() === true && node.isConnected();
}

/**
 * Without this kafkajs opens a socket for each request that finds none, and forgets all but the last; and it
 * waits without end for a broker that hangs up in the middle of a TLS handshake.
 */
function connectOnce(connection: KafkajsConnection, broker: string): void {
  const connect = connection.connect.bind(connection);
  let connecting: Promise<unknown> | undefined;
  connection.connect = () => {
    connecting ??= new Promise((resolve, reject) => {
      const cancel = systemClock.after(REQUEST_TIMEOUT_MS, () => {
        connection.socket?.destroy();
        reject(new KafkaJSConnectionError('Connection not made in time', { broker }));
      });
      void connect().then(resolve, reject).finally(cancel);
    }).finally(() => {
      connecting = undefined;
    });
    return connecting;
  };
}

/** Without this kafkajs sets a timer in the past after each answer, of which Node warns. */
function quieten(queue: KafkajsRequestQueue): void {
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) {
      schedule();
    }
  };
}

function addressOf({ host, port }: Address): string {
  return `${host}:${String(port)}`;
}

/** `host:port`, the host of an IPv6 address in brackets. */
function parseAddress(text: string): Address {
  const [, v6, name, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  const host = v6 ?? name;
  if (host === undefined || port === undefined) {
    throw new BrokerError(
      `${text} is not the address of a Kafka broker: write host:port, as in localhost:9092`,
    );
  }
  return { host, port: Number(port) };
}

/** Smaller bodies are not worth a way of their own. */
const LARGE_BODY_BYTES = 32 * 1024;

/**
 * Fetches go over the connection that is theirs, all else over the other; `prompt` sends a fetch that does
 * not wait over the other, past one that does.
 */
export async function exchange<T>(node: KafkajsBroker, wire: WireRequest<T>, prompt = false): Promise<T> {
  if (wire.body.byteLength > LARGE_BODY_BYTES) {
    return await sendFrame(await node.connectionPool.getConnection(0), wire);
  }
  const connection = prompt ? await node.connectionPool.getConnection(0) : node.connectionPool;
  return await connection.send<T>({
    request: {
      apiKey: wire.apiKey,
      apiVersion: wire.apiVersion,
      apiName: wire.apiName,
      encode: () => {
        const encoder = new Encoder(wire.body.byteLength);
        encoder.writeBufferInternal(wire.body);
        return Promise.resolve(encoder);
      },
    },
    response: {
      decode: (payload) => Promise.resolve(wire.decode(payload)),
      parse: (decoded) => Promise.resolve(decoded),
    },
    ...(wire.timeoutMs === undefined ? {} : { requestTimeout: wire.timeoutMs }),
  });
}

/** The error a broker's error code stands for; `errorType` reads it. */
export function errorOfCode(code: number): Error & { readonly type: string } {
  const error = createErrorFromCode(code);
  const name = nameOfCode(code);
  return name === undefined ? error : protocolError(name);
}

function protocolError(type: string, of?: string): Error & { readonly type: string } {
  const message = of === undefined ? type : `${type}: ${of}`;
  return Object.assign(new Error(message), { type, name: 'KafkaJSProtocolError' });
}
