import type { Clock } from '../../system/clock.ts';
import { Refusal } from './refusal.ts';

/** How much is taken on. Times in milliseconds. */
export interface Limits {
  readonly bodyBytes: number;
  /** Of a request with many positions. */
  readonly predictBodyBytes: number;
  readonly headerBytes: number;
  /** From the first byte of a connection, or of a further request, to the end of the headers. */
  readonly headersMs: number;
  /** To the end of the body. */
  readonly requestMs: number;
  /** Between two requests of a connection. */
  readonly keepAliveMs: number;
  readonly connections: number;
  /** Commands that are being carried out. */
  readonly commands: number;
  /** Requests of one address: so many at once, and so many a second over time. */
  readonly burst: number;
  readonly requestsPerSecond: number;
  /** Readers of events, how often they get one, and the bytes that may wait for one of them. */
  readonly readers: number;
  readonly eventsEveryMs: number;
  readonly waitingBytes: number;
  /** A command that is taken up later than this after it came is not carried out. */
  readonly expiresAfterMs: number;
  /** What requests under way are given when the door closes. */
  readonly closeMs: number;
}

export const LIMITS: Omit<Limits, 'connections'> = {
  bodyBytes: 2 ** 20,
  predictBodyBytes: 4 * 2 ** 20,
  headerBytes: 16 * 1024,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 10_000,
  commands: 32,
  burst: 200,
  requestsPerSecond: 100,
  readers: 16,
  eventsEveryMs: 1_000,
  waitingBytes: 2 ** 20,
  expiresAfterMs: 60_000,
  closeMs: 5_000,
};

/** So many addresses are told apart. */
const MOST_ADDRESSES = 10_000;

interface Bucket {
  tokens: number;
  at: number;
}

/** A token bucket for each remote address; those of IPv6 count by their network of 64 bits. */
export class RequestRates {
  readonly #buckets = new Map<string, Bucket>();
  readonly #limits: Pick<Limits, 'burst' | 'requestsPerSecond'>;
  readonly #clock: Clock;

  constructor(limits: Pick<Limits, 'burst' | 'requestsPerSecond'>, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** @throws Refusal when the address has asked too often. */
  take(address: string): void {
    const { burst, requestsPerSecond } = this.#limits;
    const key = networkOf(address);
    const now = this.#clock.monotonic();
    const before = this.#buckets.get(key) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, before.tokens + ((now - before.at) / 1000) * requestsPerSecond);
    // Those that asked last stand last: the first one is the one to be forgotten.
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MOST_ADDRESSES) {
        break;
      }
      this.#buckets.delete(oldest);
    }
    if (tokens < 1) {
      throw tooMany(
        `more than ${String(requestsPerSecond)} requests a second`,
        (1 - tokens) / requestsPerSecond,
      );
    }
  }
}

/** Places for what takes its time. */
export class Slots {
  readonly #most: number;
  readonly #what: string;
  #taken = 0;

  /** @param what is counted, as in `commands under way` */
  constructor(most: number, what: string) {
    this.#most = most;
    this.#what = what;
  }

  /**
   * @returns gives the place back
   * @throws Refusal when all are taken
   */
  take(): () => void {
    if (this.#taken === this.#most) {
      throw tooMany(`there are ${String(this.#most)} ${this.#what}`, 1);
    }
    this.#taken++;
    let held = true;
    return () => {
      this.#taken -= held ? 1 : 0;
      held = false;
    };
  }
}

function tooMany(why: string, seconds: number): Refusal {
  const wait = String(Math.max(1, Math.ceil(seconds)));
  return new Refusal('too-many-requests', `${why}: try again after ${wait} s`, { 'retry-after': wait });
}

function networkOf(address: string): string {
  if (!address.includes(':')) {
    return address;
  }
  const [left = [], right = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return [...left, ...zeros, ...right].slice(0, 4).join(':');
}
