import { lookup } from 'node:dns';
import { connect, type Socket } from 'node:net';
import HotShots, { type ClientOptions, type StatsD } from 'hot-shots';
import type { Clock } from '../system/clock.ts';
import type { MetricName, TagArguments, TagsOf, NameOf } from './catalogue.ts';
import { plainName, tagValue } from './names.ts';
import { OneLookup, type Resolve } from './one-lookup.ts';
import type { GaugeValue, Metrics } from './recorder.ts';

export interface StatsdSettings {
  readonly host: string;
  readonly port: number;
  /** Path of a unix socket, instead of host and port. */
  readonly socket: string | null;
  readonly flavor: 'dogstatsd' | 'plain';
  /** Before each name, with a dot between. */
  readonly prefix: string;
  /** Share of the timings that are sent. */
  readonly sampleRate: number;
  /** With each metric, as `key:value`; dogstatsd only. */
  readonly tags: readonly string[];
  /** A datagram, or a write to a stream, has at most so many bytes. */
  readonly maxBufferBytes: number;
}

export interface StatsdOptions {
  readonly clock: Clock;
  /** Told of each datagram, or write, that did not reach the socket. Must not throw. */
  readonly onError: (error: Error) => void;
  /** Default: `dns.lookup`. */
  readonly resolve?: Resolve;
}

/** What a unix socket that does not read may keep unread in our memory. */
const MOST_UNREAD_BYTES = 1024 * 1024;
/** Time for the last metrics to reach the socket. */
const LAST_FLUSH_MS = 1_000;
/** Datagrams of a unix socket are no longer. */
const MAX_UNIX_DATAGRAM = 8192;

/** hot-shots hands over what `flush` has not, should nobody call it. */
const AT_LATEST_MS = 60_000;

type Tags = Readonly<Record<string, string>>;

const systemLookup: Resolve = (host, family, done) => {
  lookup(host, { family }, done);
};

/**
 * Metrics to a StatsD daemon. Nothing here waits: what cannot be sent is lost, and counted by `onError`. When
 * some of an interval was lost the next one begins with a new socket.
 */
export class StatsdMetrics implements Metrics {
  readonly #settings: StatsdSettings;
  readonly #options: StatsdOptions;
  readonly #lookup: OneLookup;
  #client: StatsD;
  #stream: Socket | undefined;
  /** The unix socket is one of datagrams, not of a stream. */
  #takesDatagrams = false;
  #lost = false;
  #closed = false;

  constructor(settings: StatsdSettings, options: StatsdOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#lookup = new OneLookup(options.resolve ?? systemLookup, options.clock);
    this.#client = this.#connect();
  }

  count<Name extends NameOf<'counter'>>(name: Name, n: number, ...[tags]: TagArguments<Name>): void {
    this.#send(name, tags, (stat, its) => {
      this.#client.increment(stat, n, its);
    });
  }

  gauge<Name extends NameOf<'gauge'>>(name: Name, values: readonly GaugeValue<Name>[]): void {
    for (const { tags, value } of values) {
      this.#send(name, tags, (stat, its) => {
        this.#client.gauge(stat, value, its);
      });
    }
  }

  time<Name extends NameOf<'timing'>>(name: Name, ms: number, ...[tags]: TagArguments<Name>): void {
    this.#send(name, tags, (stat, its) => {
      this.#client.timing(stat, Math.max(0, ms), this.#settings.sampleRate, its);
    });
  }

  /** To be called before the values of an interval are recorded: where the last ones were lost it takes a new socket. */
  ready(): void {
    if (!this.#closed && (this.#lost || (this.#stream?.writableLength ?? 0) > MOST_UNREAD_BYTES)) {
      this.#renew();
    }
  }

  /** Hands what was recorded to the socket. Resolves when that is done, or has failed. */
  async flush(): Promise<void> {
    if (!this.#closed) {
      await this.#flush(this.#client);
    }
  }

  /** Flushes once more and lets go of the socket. Never rejects, and takes two seconds at most. */
  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    const flushed = this.flush();
    this.#closed = true;
    await this.#inTime(flushed);
    const stream = this.#stream;
    if (stream !== undefined && !stream.destroyed) {
      await this.#inTime(new Promise<void>((resolve) => stream.end(resolve)));
    }
    this.#lookup.abandon();
    this.#release(this.#client);
  }

  #send<Name extends MetricName>(
    name: Name,
    tags: TagsOf<Name> | undefined,
    send: (stat: string, tags: Tags) => void,
  ): void {
    if (this.#closed) {
      return;
    }
    const values: Tags = tags ?? {};
    try {
      if (this.#settings.flavor === 'plain') {
        send(plainName(name, values), {});
      } else {
        send(name, Object.fromEntries(Object.entries(values).map(([key, value]) => [key, tagValue(value)])));
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  #renew(): void {
    this.#lost = false;
    this.#release(this.#client);
    this.#client = this.#connect();
  }

  async #flush(client: StatsD): Promise<void> {
    await new Promise<void>((resolve) => {
      try {
        client.flush((error) => {
          if (error instanceof Error) {
            this.#failed(error);
          }
          resolve();
        });
      } catch (error) {
        this.#failed(error);
        resolve();
      }
    });
  }

  #failed(error: unknown): void {
    this.#lost = true;
    this.#options.onError(error instanceof Error ? error : new Error(String(error)));
  }

  /** @returns a client of hot-shots on a new socket; should that fail its sends do. */
  #connect(): StatsD {
    const { flavor, host, maxBufferBytes, port, prefix, socket, tags } = this.#settings;
    return new HotShots({
      prefix,
      globalTags: flavor === 'plain' ? [] : [...tags],
      maxBufferSize: maxBufferBytes,
      bufferFlushInterval: AT_LATEST_MS,
      errorHandler: (error: NodeJS.ErrnoException) => {
        // The first try to connect to a socket of datagrams loses nothing.
        if (error.code !== 'EPROTOTYPE') {
          this.#failed(error);
        }
      },
      // Only what the configuration says, and nothing of Datadog's own environment variables.
      datadog: false,
      includeDataDogTags: false,
      includeDatadogTelemetry: false,
      ...(socket === null ? this.#datagrams(host, port) : this.#unixSocket(socket, maxBufferBytes)),
    });
  }

  #datagrams(host: string, port: number): ClientOptions {
    const resolve: Resolve = (...asked) => {
      this.#lookup.ask(...asked);
    };
    return {
      protocol: 'udp',
      host,
      port,
      udpSocketOptions: {
        type: host.includes(':') ? 'udp6' : 'udp4',
        lookup: resolve as NonNullable<ClientOptions['udpSocketOptions']>['lookup'] & object,
      },
    };
  }

  /** Which kind of socket stands at a path only the attempt to connect to it tells. */
  #unixSocket(path: string, maxBufferBytes: number): ClientOptions {
    if (this.#takesDatagrams) {
      return { protocol: 'uds', path, maxBufferSize: Math.min(maxBufferBytes, MAX_UNIX_DATAGRAM) };
    }
    const stream = connect(path);
    stream.unref();
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#lost = true;
      if (error.code === 'EPROTOTYPE' && this.#stream === stream && !this.#closed) {
        this.#takesDatagrams = true;
        this.#renew();
      }
    });
    this.#stream = stream;
    return { protocol: 'stream', stream };
  }

  /** Ends a client without waiting for what it has not sent. */
  #release(client: StatsD): void {
    this.#stream?.destroy();
    this.#stream = undefined;
    try {
      client.close(() => undefined);
    } catch (error) {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #inTime(work: Promise<void>): Promise<void> {
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(LAST_FLUSH_MS, resolve);
    });
    await Promise.race([work, late]);
    cancel();
  }
}
