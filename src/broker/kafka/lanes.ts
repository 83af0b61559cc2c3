import type { Clock } from '../../system/clock.ts';
import { nextTurn } from '../../system/event-loop.ts';
import { usedUp } from './answers.ts';
import { exchange, type KafkaNode } from './kafkajs.ts';
import { type FetchedPartition, fetchRequest } from './wire/fetch.ts';

/** How long a broker may keep a fetch that finds nothing; a new reader waits no longer than that. */
const MAX_WAIT_MS = 100;
const PARTITION_BYTES = 1024 * 1024;
const ANSWER_BYTES = 4 * 1024 * 1024;
/** After an answer below this the next fetch waits a moment: many small ones cost more than they bring. */
const SMALL_ANSWER_BYTES = 32 * 1024;
const SMALL_ANSWER_PAUSE_MS = 5;

/** One partition that somebody reads. It is asked for while `wanted` says from where. */
export interface FetchSource {
  readonly topic: string;
  readonly partition: number;
  /** Where the next fetch begins; undefined while there is enough, or nobody asks. */
  readonly wanted: number | undefined;
  /**
   * The records lie in memory that is used again: they are valid until this returns.
   * @returns where the next fetch would begin.
   */
  arrived(fetched: FetchedPartition): number;
  /** The offset asked for lies outside of the log: goes on elsewhere, or fails. */
  outOfRange(first: number, end: number): void;
  /** It can never be read again. */
  failed(error: Error): void;
}

/** What the fetcher knows of a source. */
export interface Seat {
  readonly source: FetchSource;
  /** Waits for an answer, for its leader, or for the end of some trouble. */
  queued: boolean;
  /** There was more to read at the last answer, or there was none yet: a fetch will not wait. */
  behind: boolean;
  /** Those of its leader, once that is known. */
  lanes: LeaderLanes | undefined;
  /** Attempts in vain since the last answer. */
  failures: number;
  /** Monotonic time since when no broker has known the partition. */
  unknownSince: number | undefined;
}

export interface Answer {
  readonly seat: Seat;
  /** Offset that was asked for. */
  readonly offset: number;
  readonly fetched: FetchedPartition;
}

interface Lane {
  readonly prompt: boolean;
  /** In the order in which they are asked for: the answer's limit is used up from the front. */
  readonly queue: Set<Seat>;
  running: boolean;
  inFlight: boolean;
  notBefore: number;
}

interface LaneHandlers {
  answered(answer: Answer): void;
  /** The connections to the broker are no more; nothing was asked. */
  disconnected(seats: readonly Seat[]): void;
  failed(seats: readonly Seat[], error: unknown): void;
}

/**
 * The fetches from one broker, at most two at a time: one that waits at the broker for what is new, and one
 * that is answered at once, for readers that are behind or came while the other waits. A broker answers the
 * requests of one connection in order, so each has its own.
 */
export class LeaderLanes {
  readonly #node: KafkaNode;
  readonly #clock: Clock;
  readonly #handlers: LaneHandlers;
  readonly #prompt = emptyLane(true);
  readonly #waiting = emptyLane(false);
  #closed = false;

  constructor(node: KafkaNode, clock: Clock, handlers: LaneHandlers) {
    this.#node = node;
    this.#clock = clock;
    this.#handlers = handlers;
  }

  add(seat: Seat): void {
    this.#queue(seat, seat.behind || this.#waiting.inFlight ? this.#prompt : this.#waiting);
  }

  remove(seat: Seat): void {
    this.#prompt.queue.delete(seat);
    this.#waiting.queue.delete(seat);
  }

  close(): void {
    this.#closed = true;
    this.#prompt.queue.clear();
    this.#waiting.queue.clear();
  }

  #queue(seat: Seat, lane: Lane): void {
    lane.queue.add(seat);
    if (!lane.running && !this.#closed) {
      void this.#run(lane);
    }
  }

  async #run(lane: Lane): Promise<void> {
    lane.running = true;
    try {
      do {
        // Those that come in the same turn are asked for together.
        await nextTurn();
        await this.#pace(lane);
      } while (await this.#fetch(lane));
    } catch (error) {
      lane.running = false;
      lane.inFlight = false;
      this.#handlers.failed(emptied(lane), error);
    }
  }

  async #pace(lane: Lane): Promise<void> {
    const left = lane.notBefore - this.#clock.monotonic();
    if (left > 0) {
      await new Promise<void>((resolve) => {
        this.#clock.after(left, resolve);
      });
    }
  }

  /**
   * @returns whether there was anything to ask for. If not the lane has ended, in the same step as it was
   * looked: who is queued from then on starts it anew.
   */
  async #fetch(lane: Lane): Promise<boolean> {
    const asked = new Map<string, { seat: Seat; offset: number }>();
    for (const seat of lane.queue) {
      const { partition, topic, wanted } = seat.source;
      const key = keyOf(topic, partition);
      if (wanted === undefined) {
        lane.queue.delete(seat);
        seat.queued = false;
      } else if (!asked.has(key)) {
        // A second reader of the same partition has its turn in the next fetch.
        asked.set(key, { seat, offset: wanted });
      }
    }
    if (asked.size === 0 || this.#closed) {
      lane.running = false;
      return false;
    }
    if (!this.#node.isConnected()) {
      lane.running = false;
      this.#handlers.disconnected(emptied(lane));
      return false;
    }
    const sentAt = this.#clock.monotonic();
    lane.inFlight = true;
    const fetched = await exchange(this.#node, requestOf([...asked.values()], lane.prompt), lane.prompt);
    lane.inFlight = false;
    const bytes = fetched.reduce((sum, { records }) => sum + records.byteLength, 0);
    lane.notBefore = bytes < SMALL_ANSWER_BYTES ? sentAt + SMALL_ANSWER_PAUSE_MS : 0;
    await this.#hand(fetched, asked);
    for (const { offset, seat } of asked.values()) {
      if (lane.queue.has(seat)) {
        this.#requeue(seat, offset, lane);
      }
    }
    return true;
  }

  /** Heads and checksums of a full answer take a while: other work has its turn between two partitions. */
  async #hand(
    fetched: readonly FetchedPartition[],
    asked: ReadonlyMap<string, { readonly seat: Seat; readonly offset: number }>,
  ): Promise<void> {
    let bytes = 0;
    for (const one of fetched) {
      const question = asked.get(keyOf(one.topic, one.partition));
      if (question !== undefined) {
        bytes += one.records.byteLength;
        if (bytes > PARTITION_BYTES) {
          await nextTurn();
          bytes = 0;
        }
        this.#handlers.answered({ ...question, fetched: one });
      }
    }
    const [any] = fetched;
    if (any !== undefined) {
      usedUp(any.records);
    }
  }

  /** Who was served goes to the end, who got nothing keeps its place: so all have their share. */
  #requeue(seat: Seat, offset: number, lane: Lane): void {
    const { wanted } = seat.source;
    if (wanted === undefined) {
      lane.queue.delete(seat);
      seat.queued = false;
      return;
    }
    const target = seat.behind ? this.#prompt : this.#waiting;
    if (target !== lane || wanted !== offset) {
      lane.queue.delete(seat);
      this.#queue(seat, target);
    }
  }
}

function requestOf(
  asked: readonly { readonly seat: Seat; readonly offset: number }[],
  prompt: boolean,
): ReturnType<typeof fetchRequest> {
  return fetchRequest({
    maxWaitMs: prompt ? 0 : MAX_WAIT_MS,
    minBytes: 1,
    maxBytes: ANSWER_BYTES,
    partitions: asked.map(({ offset, seat: { source } }) => ({
      topic: source.topic,
      partition: source.partition,
      offset,
      maxBytes: PARTITION_BYTES,
    })),
  });
}

function keyOf(topic: string, partition: number): string {
  return `${topic}-${String(partition)}`;
}

function emptied({ queue }: Lane): Seat[] {
  const seats = [...queue];
  queue.clear();
  return seats;
}

function emptyLane(prompt: boolean): Lane {
  return { prompt, queue: new Set(), running: false, inFlight: false, notBefore: 0 };
}
