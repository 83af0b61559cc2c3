import type { Logger } from '../../system/logger.ts';
import type { LogRecord } from '../broker.ts';
import { BrokerError, TopicLostError } from '../errors.ts';
import type { FetchSource } from './lanes.ts';
import { visibleBatches } from './visible.ts';
import type { FetchedPartition } from './wire/fetch.ts';
import type { RecordBatch } from './wire/record-batch.ts';

/** Records of one piece, so that small ones do not hold the event loop. */
const MAX_RECORDS = 2_000;

/** Memory for less is made anew: who gets little at a time has read nearly all, and keeps nothing idle. */
const WORTH_KEEPING_BYTES = 256 * 1024;
/** Memory that is kept is a multiple of it, so that it fits the next answer too. */
const ROOM_BYTES = 64 * 1024;

/** How a feed reaches whoever fetches for it. */
export interface FeedFetcher {
  wake(source: FetchSource): void;
  forget(source: FetchSource): void;
}

export interface FeedOptions {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly fetcher: FeedFetcher;
  readonly log: Logger;
}

/**
 * What was fetched of one partition and not read yet: at most one answer. While there is something left
 * of it nothing is fetched, so a reader that pauses costs one answer of memory and no more.
 *
 * Answers are copied into the feed's own memory: two buffers in turn, because the records that were taken
 * last are read while the next answer comes.
 */
export class PartitionFeed implements FetchSource {
  readonly topic: string;
  readonly partition: number;
  readonly #fetcher: FeedFetcher;
  readonly #log: Logger;
  readonly #fromTheBeginning: boolean;
  #position: number;
  #fetchFrom: number;
  #limit = 0;
  #stable = 0;
  /** With something visible in each, by their heads. */
  #batches: RecordBatch[] = [];
  /** Where they are. */
  #memory: Buffer | undefined;
  /** Where the records are that were taken last. */
  #inUse: Buffer | undefined;
  #spare: Buffer | undefined;
  /** How far the first of them has been read. */
  #records: readonly LogRecord[] | undefined;
  #at = 0;
  #failure: Error | undefined;
  #moved: (() => void) | undefined;

  constructor({ fetcher, log, offset, partition, topic }: FeedOptions) {
    this.topic = topic;
    this.partition = partition;
    this.#fetcher = fetcher;
    this.#log = log;
    this.#position = offset;
    this.#fetchFrom = offset;
    this.#fromTheBeginning = offset === 0;
  }

  /** Offset of the next record that `take` will give, past whatever is not visible. */
  get position(): number {
    return this.#position;
  }

  /** Below it every transaction was decided when the last answer was given: none is cut in two by it. */
  get stable(): number {
    return this.#stable;
  }

  /** Whether `take` has something to give. */
  get ready(): boolean {
    return this.#batches.length > 0;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get wanted(): number | undefined {
    const enough = this.ready || this.#fetchFrom >= this.#limit || this.#failure !== undefined;
    return enough ? undefined : this.#fetchFrom;
  }

  /** Fetches whenever nothing is left, as long as the log is not read up to `limit`. */
  fetchUpTo(limit: number): void {
    this.#limit = limit;
    this.#want();
  }

  /** Resolves at the next answer, failure or end, whatever it brings, and when `signal` aborts. */
  async moved(signal?: AbortSignal): Promise<void> {
    if (this.#failure !== undefined || signal?.aborted === true) {
      return;
    }
    await new Promise<void>((resolve) => {
      const done = (): void => {
        signal?.removeEventListener('abort', done);
        this.#moved = undefined;
        resolve();
      };
      this.#moved = done;
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /**
   * The next records, valid until the next call, together about `maxBytes` of values but at least one if the
   * feed is ready; decodes them here, a batch at a time. Nothing where compaction has emptied a batch, and none
   * of the batches that begin at `before` or behind it.
   */
  take(maxBytes: number, before = Number.POSITIVE_INFINITY): readonly LogRecord[] {
    const taken: LogRecord[] = [];
    let bytes = 0;
    while (taken.length === 0 || (bytes < maxBytes && taken.length < MAX_RECORDS)) {
      const record = this.#next(before);
      if (record === undefined) {
        break;
      }
      taken.push(record);
      bytes += record.value?.byteLength ?? 0;
    }
    if (taken.length > 0 && this.#inUse !== this.#memory) {
      this.#spare = this.#inUse;
      this.#inUse = this.#memory;
    }
    this.#want();
    return taken;
  }

  /** Nothing more is fetched, and whoever waits is told `reason`. */
  end(reason: string): void {
    this.failed(new BrokerError(`${this.topic}-${String(this.partition)}: ${reason}`));
  }

  arrived(fetched: FetchedPartition): number {
    const records = this.#kept(fetched.records);
    const { batches, nextOffset } = visibleBatches({ ...fetched, records }, this.#fetchFrom);
    this.#batches = batches;
    this.#fetchFrom = nextOffset;
    this.#stable = fetched.lastStableOffset;
    this.#skipInvisible();
    this.#tell();
    return nextOffset;
  }

  outOfRange(first: number, end: number): void {
    const where = `${this.topic}-${String(this.partition)}`;
    const { topic, partition } = this;
    const from = this.#fetchFrom;
    if (from > end) {
      this.#fetcher.forget(this);
      this.failed(
        new TopicLostError(
          `${where} ends at offset ${String(end)}, but was read up to ${String(from)}: the topic was deleted and ` +
            'made anew, or lost its end; rewind to read what is there now',
        ),
      );
      return;
    }
    if (from < first) {
      if (!this.#fromTheBeginning || from > 0) {
        this.#log.error(
          { topic, partition, firstLost: from, lastLost: first - 1 },
          `${where}: offsets ${String(from)} to ${String(first - 1)} were removed before they were read; reading ` +
            `goes on at ${String(first)}. Raise the retention of the topic`,
        );
      }
      this.#fetchFrom = first;
      this.#position = first;
      this.#tell();
    }
  }

  failed(error: Error): void {
    if (this.#failure === undefined) {
      this.#failure = error;
      this.#batches = [];
      this.#records = undefined;
      this.#memory = undefined;
      this.#spare = undefined;
      this.#fetcher.forget(this);
      this.#tell();
    }
  }

  /** A copy of `records` where no records are that somebody may still read. */
  #kept(records: Buffer): Buffer {
    const bytes = records.byteLength;
    const free = this.#memory === this.#inUse ? this.#spare : this.#memory;
    this.#spare = undefined;
    if (bytes < WORTH_KEEPING_BYTES) {
      this.#memory = Buffer.allocUnsafeSlow(bytes);
    } else if (free !== undefined && free.byteLength >= bytes) {
      this.#memory = free;
    } else {
      this.#memory = Buffer.allocUnsafeSlow(Math.ceil(bytes / ROOM_BYTES) * ROOM_BYTES);
    }
    records.copy(this.#memory);
    return this.#memory.subarray(0, bytes);
  }

  #want(): void {
    if (this.wanted !== undefined) {
      this.#fetcher.wake(this);
    }
  }

  #tell(): void {
    this.#moved?.();
  }

  #next(before: number): LogRecord | undefined {
    for (
      let [batch] = this.#batches;
      batch !== undefined && batch.baseOffset < before;
      [batch] = this.#batches
    ) {
      this.#records ??= batch.recordsFrom(this.#position);
      const record = this.#records[this.#at];
      this.#at++;
      if (record !== undefined) {
        this.#position = record.offset + 1;
      }
      if (this.#at >= this.#records.length) {
        this.#leave();
      }
      if (record !== undefined) {
        return record;
      }
    }
    return undefined;
  }

  #leave(): void {
    this.#batches.shift();
    this.#records = undefined;
    this.#at = 0;
    this.#skipInvisible();
  }

  /** What lies before the next visible batch, or up to where the next fetch begins, has been read. */
  #skipInvisible(): void {
    const next = this.#batches[0]?.baseOffset ?? this.#fetchFrom;
    this.#position = Math.max(this.#position, next);
  }
}
