import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { TopicLostError } from '../errors.ts';
import { errorOfCode, errorType, isNoAnswer, type KafkaConnections, type KafkaNode } from './kafkajs.ts';
import { type Answer, type FetchSource, LeaderLanes, type Seat } from './lanes.ts';
import { partitionOffsets } from './offsets.ts';
import { isNotNow, pause, translate } from './retry.ts';
import type { FetchedPartition } from './wire/fetch.ts';

const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 2_000;
/** The news of a topic takes time to reach all brokers; one that is unknown for longer is gone. */
const TOPIC_LOST_MS = 15_000;

type LeaderFinder = Pick<KafkaConnections, 'leader' | 'refresh'>;

export interface FetcherOptions {
  /** The fetcher's own: its requests may wait long at the broker. */
  readonly connections: LeaderFinder;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Fetches for all sources that want something, over connections of its own. A broker that is away, a
 * leader that moved and a topic that nobody has heard of yet are waited out here, for each source by
 * itself, so that one in trouble holds up no other.
 */
export class Fetcher {
  readonly #connections: LeaderFinder;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #seats = new Map<FetchSource, Seat>();
  readonly #lanes = new Map<KafkaNode, LeaderLanes>();
  /** Seats whose broker does not answer. */
  readonly #away = new Set<Seat>();
  readonly #closing = new AbortController();

  constructor({ connections, clock, log }: FetcherOptions) {
    this.#connections = connections;
    this.#clock = clock;
    this.#log = log;
  }

  /** The source wants something, perhaps for the first time. */
  wake(source: FetchSource): void {
    if (this.#closing.signal.aborted) {
      return;
    }
    let seat = this.#seats.get(source);
    if (seat === undefined) {
      seat = { source, queued: false, behind: true, lanes: undefined, failures: 0, unknownSince: undefined };
      this.#seats.set(source, seat);
    }
    if (seat.queued) {
      return;
    }
    seat.queued = true;
    if (seat.lanes === undefined) {
      void this.#place(seat);
    } else {
      seat.lanes.add(seat);
    }
  }

  /** The source is read no more; what is under way for it goes nowhere. */
  forget(source: FetchSource): void {
    const seat = this.#seats.get(source);
    if (seat !== undefined) {
      this.#seats.delete(source);
      seat.lanes?.remove(seat);
      this.#recovered(seat);
    }
  }

  /** Ends all fetching. The sources are ended by whoever has them. */
  close(): void {
    this.#closing.abort();
    this.#seats.clear();
    for (const lanes of this.#lanes.values()) {
      lanes.close();
    }
  }

  #gone(seat: Seat): boolean {
    return this.#closing.signal.aborted || this.#seats.get(seat.source) !== seat;
  }

  /** Finds the leader and queues there. */
  async #place(seat: Seat): Promise<void> {
    try {
      const node = await this.#connections.leader(seat.source.topic, seat.source.partition);
      if (!this.#gone(seat)) {
        seat.lanes = this.#lanesOf(node);
        seat.lanes.add(seat);
      }
    } catch (error) {
      await this.#trouble(seat, error);
    }
  }

  #lanesOf(node: KafkaNode): LeaderLanes {
    let lanes = this.#lanes.get(node);
    if (lanes === undefined) {
      lanes = new LeaderLanes(node, this.#clock, {
        answered: (answer) => {
          this.#answered(answer);
        },
        disconnected: (seats) => {
          this.#lanes.delete(node);
          for (const seat of seats) {
            void this.#place(seat);
          }
        },
        failed: (seats, error) => {
          // The next attempt may make new connections: another node.
          this.#lanes.delete(node);
          for (const seat of seats) {
            void this.#trouble(seat, error);
          }
        },
      });
      this.#lanes.set(node, lanes);
    }
    return lanes;
  }

  #answered({ fetched, offset, seat }: Answer): void {
    if (!this.#gone(seat) && seat.source.wanted === offset) {
      this.#deliver(seat, fetched);
    }
  }

  #deliver(seat: Seat, fetched: FetchedPartition): void {
    if (fetched.errorCode !== 0) {
      seat.lanes?.remove(seat);
      void this.#trouble(seat, errorOfCode(fetched.errorCode));
      return;
    }
    this.#recovered(seat);
    seat.failures = 0;
    seat.unknownSince = undefined;
    try {
      const next = seat.source.arrived(fetched);
      seat.behind = next < fetched.lastStableOffset;
    } catch (error) {
      this.#fail(seat, error);
    }
  }

  /** What can heal is tried again after a while, by itself; the rest fails the source. */
  async #trouble(seat: Seat, error: unknown): Promise<void> {
    seat.lanes = undefined;
    if (this.#gone(seat)) {
      return;
    }
    const type = errorType(error);
    const now = this.#clock.monotonic();
    seat.unknownSince = type === 'UNKNOWN_TOPIC_OR_PARTITION' ? (seat.unknownSince ?? now) : undefined;
    if (seat.unknownSince !== undefined) {
      if (now - seat.unknownSince >= TOPIC_LOST_MS) {
        this.#fail(seat, topicLost(seat.source));
        return;
      }
    } else if (isNoAnswer(error)) {
      this.#lost(seat, error);
    } else if (type !== 'OFFSET_OUT_OF_RANGE' && !isNotNow(error)) {
      this.#fail(seat, error);
      return;
    }
    const outOfRange = type === 'OFFSET_OUT_OF_RANGE' && (await this.#moveIntoRange(seat));
    if (!outOfRange) {
      const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(seat.failures, 16));
      seat.failures++;
      await pause(backoff, this.#clock, this.#closing.signal).catch(() => undefined);
      if (this.#gone(seat)) {
        return;
      }
      await this.#connections.refresh(error).catch(() => undefined);
    }
    if (!this.#gone(seat)) {
      await this.#place(seat);
    }
  }

  async #moveIntoRange(seat: Seat): Promise<boolean> {
    const { source } = seat;
    try {
      const { end, first } = await partitionOffsets(this.#connections, source.topic, source.partition);
      const before = source.wanted;
      if (!this.#gone(seat)) {
        source.outOfRange(first, end);
      }
      return source.wanted !== before;
    } catch (error) {
      if (!isNoAnswer(error) && !isNotNow(error) && errorType(error) === undefined) {
        this.#fail(seat, error);
      }
      return false;
    }
  }

  #fail(seat: Seat, error: unknown): void {
    const { source } = seat;
    this.forget(source);
    source.failed(translate(error, `reading ${source.topic}-${String(source.partition)}`));
  }

  /** Said once when brokers go away and once when all of them are back, not for each partition. */
  #lost(seat: Seat, error: unknown): void {
    if (this.#away.size === 0) {
      const { partition, topic } = seat.source;
      this.#log.warn(
        { topic, partition, reason: error instanceof Error ? error.message : String(error) },
        'Kafka does not answer: reading waits for it',
      );
    }
    this.#away.add(seat);
  }

  #recovered(seat: Seat): void {
    if (this.#away.delete(seat) && this.#away.size === 0 && !this.#closing.signal.aborted) {
      this.#log.info({}, 'Kafka is back: reading goes on');
    }
  }
}

function topicLost({ partition, topic }: FetchSource): TopicLostError {
  return new TopicLostError(
    `Kafka has not known ${topic}-${String(partition)} for ${String(TOPIC_LOST_MS / 1000)} s: the topic was deleted, ` +
      'or the user may not see it; restart to have it made anew',
  );
}
