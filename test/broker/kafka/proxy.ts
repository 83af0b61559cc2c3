/**
 * Stands between an adapter and its brokers, and does there what networks do: loses requests and replies,
 * holds them back, is gone. It knows the frames of Kafka's protocol: a length, then for a request api key,
 * version and correlation id, and for a reply the correlation id.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { KafkaBrokerOptions } from '../../../src/broker/kafka/broker.ts';

export const API = {
  produce: 0,
  fetch: 1,
  findCoordinator: 10,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  endTxn: 26,
} as const;

/** What becomes of a frame. `cut` ends the connection without passing it on. */
export type Fate = 'pass' | 'cut' | Promise<'pass' | 'cut'>;

export interface Frame {
  readonly kind: 'request' | 'reply';
  readonly apiKey: number;
  /** Without the length. */
  readonly bytes: Buffer;
}

/** The first line of a connection says which broker it is for; it is not passed on. */
const MAX_TARGET_BYTES = 300;

export class Proxy {
  /** Connections made so far, also those that were ended at once. */
  accepted = 0;
  /** Bytes of replies that were passed on. */
  replyBytes = 0;
  /** Requests that were passed on, by api key. */
  readonly requests = new Map<number, number>();
  /** Judges every frame; frames of one connection and direction wait for each other. */
  judge: (frame: Frame) => Fate = () => 'pass';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #gone = false;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (client) => {
      this.#accept(client);
    });
  }

  static async listen(): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get socketFactory(): NonNullable<KafkaBrokerOptions['socketFactory']> {
    return socketFactoryThrough(this.port);
  }

  /** Loses the first frame that `matches`, and the connection with it. @returns whether that has happened */
  cutOnce(kind: Frame['kind'], apiKey: number): () => boolean {
    let done = false;
    this.judge = (frame) => {
      if (done || frame.kind !== kind || frame.apiKey !== apiKey) {
        return 'pass';
      }
      done = true;
      return 'cut';
    };
    return () => done;
  }

  /** Ends all connections, and every new one at once, until `comeBack`. */
  goAway(): void {
    this.#gone = true;
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  comeBack(): void {
    this.#gone = false;
  }

  /** Connections that stand. */
  get open(): number {
    return this.#sockets.size / 2;
  }

  async close(): Promise<void> {
    this.goAway();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #accept(client: Socket): void {
    this.accepted++;
    if (this.#gone) {
      client.destroy();
      return;
    }
    this.#keep(client);
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\n');
      if (end < 0) {
        if (head.length > MAX_TARGET_BYTES) {
          client.destroy();
        }
        return;
      }
      client.off('data', onData);
      const [host = '', port] = head.toString('utf8', 0, end).split(' ');
      const broker = connect(Number(port), host);
      this.#keep(broker);
      client.once('close', () => broker.destroy());
      broker.once('close', () => client.destroy());
      const apiKeys = new Map<number, number>();
      const toBroker = this.#passer(client, broker, 'request', apiKeys);
      client.on('data', toBroker);
      broker.on('data', this.#passer(broker, client, 'reply', apiKeys));
      toBroker(head.subarray(end + 1));
    };
    client.on('data', onData);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** @param apiKeys of the requests under way, by correlation id */
  #passer(
    from: Socket,
    to: Socket,
    kind: Frame['kind'],
    apiKeys: Map<number, number>,
  ): (chunk: Buffer) => void {
    let rest: Buffer = Buffer.alloc(0);
    let passed: Promise<void> = Promise.resolve();
    const pass = async (bytes: Buffer): Promise<void> => {
      const correlationId = bytes.readInt32BE(kind === 'request' ? 4 : 0);
      const apiKey = kind === 'request' ? bytes.readInt16BE(0) : (apiKeys.get(correlationId) ?? -1);
      if (kind === 'request') {
        apiKeys.set(correlationId, apiKey);
      } else {
        apiKeys.delete(correlationId);
      }
      const fate = this.judge({ kind, apiKey, bytes });
      if ((fate instanceof Promise ? await fate : fate) === 'cut') {
        from.destroy();
        to.destroy();
        return;
      }
      if (kind === 'request') {
        this.requests.set(apiKey, (this.requests.get(apiKey) ?? 0) + 1);
      } else {
        this.replyBytes += bytes.length + 4;
      }
      const length = Buffer.alloc(4);
      length.writeInt32BE(bytes.length);
      to.write(length);
      if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    };
    return (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const end = 4 + rest.readInt32BE(0);
        const bytes = rest.subarray(4, end);
        rest = rest.subarray(end);
        passed = passed.then(() => (to.destroyed ? undefined : pass(bytes)));
      }
    };
  }
}

/** Also for another process, which knows the proxy by its port only. */
export function socketFactoryThrough(proxyPort: number): NonNullable<KafkaBrokerOptions['socketFactory']> {
  return ({ host, onConnect, port }) => {
    const socket = connect(proxyPort, '127.0.0.1', () => {
      socket.write(`${host} ${String(port)}\n`);
      onConnect();
    });
    socket.setNoDelay(true);
    return socket;
  };
}
