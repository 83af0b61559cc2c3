/**
 * The parts of kafkajs 2.2.4 below its producer and consumer, as far as `kafkajs.ts` uses them. They
 * have no types of their own; these were read from the sources of exactly that version (pinned).
 */
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

/** What kafkajs' requests are written to. */
export interface KafkajsEncoder {
  /** Bytes written so far. */
  readonly buffer: Buffer;
  writeBufferInternal(bytes: Uint8Array): void;
}

export interface KafkajsLogger {
  namespace(name: string): KafkajsLogger;
}

export type SocketFactory = (target: {
  readonly host: string;
  readonly port: number;
  readonly ssl: ConnectionOptions | null | undefined;
  readonly onConnect: () => void;
}) => Socket;

export interface ConnectionPoolOptions {
  readonly logger: KafkajsLogger;
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly ssl?: ConnectionOptions | undefined;
  readonly sasl?: object | undefined;
  readonly socketFactory: SocketFactory;
  readonly connectionTimeout: number;
  readonly reauthenticationThreshold: number;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
}

/** Requests of a connection that wait for their turn. */
export interface KafkajsRequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: () => void;
  push(request: {
    readonly entry: {
      readonly apiKey: number;
      readonly apiName: string;
      readonly apiVersion: number;
      readonly correlationId: number;
      resolve(answer: { readonly payload: Buffer }): void;
      reject(error: unknown): void;
    };
    readonly expectResponse: boolean;
    readonly requestTimeout: number | null;
    sendRequest(): void;
  }): void;
}

export interface KafkajsConnection {
  readonly socket?: Socket;
  readonly clientId: string;
  readonly requestQueue: KafkajsRequestQueue;
  /** Set while it is authenticated: then what comes may be no answer of the usual form. */
  readonly authHandlers: object | null;
  /** Pieces of an answer that is not whole, and what follows it, and their length. */
  chunks: readonly Buffer[];
  readonly bytesBuffered: number;
  /** Told of each piece that the socket brings. */
  processData: (piece: Buffer) => void;
  isConnected(): boolean;
  isAuthenticated(): boolean;
  authenticate(): Promise<void>;
  connect(): Promise<unknown>;
  /** Throws a KafkaJSConnectionError. */
  failIfNotConnected(): void;
  nextCorrelationId(): number;
  send<T>(request: KafkajsRequest<T>): Promise<T>;
  rejectRequests(error: Error): void;
}

export interface BrokerOptions {
  readonly logger: KafkajsLogger;
  readonly connectionPool: KafkajsConnectionPool;
  readonly authenticationTimeout: number;
  readonly allowAutoTopicCreation: boolean;
  readonly nodeId?: number;
}

/** One exchange with a broker in a form that kafkajs has not, or has slower. */
export interface WireRequest<T> {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  readonly body: Uint8Array;
  /** Where the broker may take longer to answer than it does as a rule. */
  readonly timeoutMs?: number;
  decode(payload: Buffer): T;
}

/** A request and how its answer is read, as a connection takes them. */
export interface KafkajsRequest<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<KafkajsEncoder>;
  };
  readonly response: {
    decode(payload: Buffer): Promise<T>;
    /** Throws what the decoded answer says went wrong, or gives it back. */
    parse(decoded: T): Promise<T>;
  };
  readonly requestTimeout?: number;
}

/** Two connections to one broker. */
export interface KafkajsConnectionPool {
  readonly host: string;
  readonly port: number;
  readonly pool: readonly KafkajsConnection[];
  send<T>(request: KafkajsRequest<T>): Promise<T>;
  /** 0 is for all but fetches, 1 for fetches. */
  getConnection(index: 0 | 1): Promise<KafkajsConnection>;
}

export interface KafkajsBroker {
  readonly nodeId: number | null;
  readonly connectionPool: KafkajsConnectionPool;
  isConnected(): boolean;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  findGroupCoordinator(options: { readonly groupId: string; readonly coordinatorType: 0 | 1 }): Promise<{
    readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number };
  }>;
  describeConfigs(options: {
    readonly resources: readonly {
      readonly type: number;
      readonly name: string;
      readonly configNames?: readonly string[];
    }[];
  }): Promise<{
    readonly resources: readonly {
      readonly resourceName: string;
      readonly configEntries: readonly {
        readonly configName: string;
        readonly configValue: string | null;
        readonly isDefault: boolean;
      }[];
    }[];
  }>;
  listOffsets(options: {
    readonly replicaId: -1;
    readonly isolationLevel: 0 | 1;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
    }[];
  }): Promise<{
    readonly responses: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
    }[];
  }>;
  syncGroup(options: {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupAssignment: readonly {
      readonly memberId: string;
      readonly memberAssignment: Buffer;
    }[];
  }): Promise<{ readonly memberAssignment: Buffer }>;
  heartbeat(options: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
  }): Promise<unknown>;
  leaveGroup(options: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
  offsetCommit(options: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
    }[];
  }): Promise<unknown>;
}
