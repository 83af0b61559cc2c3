import { nextTurn } from '../../system/event-loop.ts';
import type { LogRecord, PartitionReader } from '../broker.ts';
import { BrokerError } from '../errors.ts';
import { PartitionFeed, type FeedOptions } from './feed.ts';

/**
 * Reads one partition. An answer is fetched ahead, whether or not a read waits; it is decoded when it is
 * read, a piece between two turns of the event loop.
 */
export class KafkaReader implements PartitionReader {
  readonly #feed: PartitionFeed;
  readonly #onClose: (reader: KafkaReader) => void;
  #reading = false;

  constructor(options: FeedOptions, onClose: (reader: KafkaReader) => void) {
    this.#feed = new PartitionFeed(options);
    this.#onClose = onClose;
    this.#feed.fetchUpTo(Number.POSITIVE_INFINITY);
  }

  get topic(): string {
    return this.#feed.topic;
  }

  get partition(): number {
    return this.#feed.partition;
  }

  get position(): number {
    return this.#feed.position;
  }

  get ready(): boolean {
    return this.#feed.ready;
  }

  async read(maxBytes: number, signal: AbortSignal): Promise<readonly LogRecord[]> {
    if (this.#reading) {
      throw new BrokerError(`${this.topic}-${String(this.partition)}: a read is already under way`);
    }
    this.#reading = true;
    try {
      for (;;) {
        const records = await this.#piece(maxBytes, signal);
        if (records.length > 0 || signal.aborted) {
          return records;
        }
      }
    } finally {
      this.#reading = false;
    }
  }

  close(): Promise<void> {
    this.end('the reader is closed');
    return Promise.resolve();
  }

  /** Fails the read that waits, and all later ones, for `reason`. */
  end(reason: string): void {
    this.#feed.end(reason);
    this.#onClose(this);
  }

  /** What is there, or nothing after something else has changed. */
  async #piece(maxBytes: number, signal: AbortSignal): Promise<readonly LogRecord[]> {
    if (this.#feed.ready) {
      // A reader that never waits would otherwise keep timers and sockets from their turn.
      await nextTurn();
    } else {
      await this.#feed.moved(signal);
    }
    if (this.#feed.failure !== undefined) {
      throw this.#feed.failure;
    }
    return signal.aborted ? [] : this.#feed.take(maxBytes);
  }
}
