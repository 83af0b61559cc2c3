import type { LogRecord, PartitionReader } from '../broker.ts';
import { BrokerError, StoreUnusableError } from '../errors.ts';
import { BatchCursor } from './batch.ts';
import { type BatchHead, batchKey } from './keys.ts';
import type { OrderedStore } from './lmdb.ts';
import type { PartitionLog } from './partition-log.ts';

/** Records of one read, so that small ones do not hold the event loop: about 5 ms. */
const MAX_RECORDS = 2000;
/** A buffer above this is given up when a read needs less than a quarter of it. */
const KEPT_BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * Reads one partition through one buffer of its own. Batches are copied out of the store at once, so no
 * read transaction outlives a call: a slow consumer never keeps freed pages from being used again.
 */
export class EmbeddedReader implements PartitionReader {
  readonly #store: OrderedStore;
  readonly #log: PartitionLog;
  readonly #onClose: (reader: EmbeddedReader) => void;
  #position: number;
  #buffer = Buffer.alloc(0);
  #used = 0;
  #cursors: BatchCursor[] = [];
  #reading = false;
  #closed: string | undefined;

  constructor(
    store: OrderedStore,
    log: PartitionLog,
    offset: number,
    onClose: (reader: EmbeddedReader) => void,
  ) {
    this.#store = store;
    this.#log = log;
    this.#position = offset;
    this.#onClose = onClose;
  }

  get topic(): string {
    return this.#log.topic;
  }

  get partition(): number {
    return this.#log.partition;
  }

  get position(): number {
    return this.#position;
  }

  get ready(): boolean {
    return this.#cursors.length > 0 || !this.#atEnd();
  }

  async read(maxBytes: number, signal: AbortSignal): Promise<readonly LogRecord[]> {
    if (this.#reading) {
      throw new BrokerError(`${this.topic}-${String(this.partition)}: a read is already under way`);
    }
    this.#reading = true;
    try {
      while (!signal.aborted) {
        this.#checkOpen();
        if (this.#cursors.length === 0 && this.#atEnd()) {
          await this.#appendOrAbort(signal);
          continue;
        }
        // A reader that never waits would otherwise keep timers and sockets from their turn.
        await new Promise((next) => setImmediate(next));
        this.#checkOpen();
        if (this.#cursors.length === 0) {
          this.#fetch(maxBytes);
        }
        if (this.#cursors.length > 0) {
          return this.#decode(maxBytes);
        }
      }
      return [];
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
    if (this.#closed === undefined) {
      this.#closed = reason;
      this.#cursors = [];
      this.#buffer = Buffer.alloc(0);
      this.#onClose(this);
      this.#log.wake();
    }
  }

  #atEnd(): boolean {
    return this.#log.end <= this.#position || this.#log.index.length === 0;
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) {
      throw new BrokerError(`${this.topic}-${String(this.partition)}: ${this.#closed}`);
    }
  }

  /** Copies the batches from the position on, about `maxBytes`. */
  #fetch(maxBytes: number): void {
    const { index } = this.#log;
    const heads: BatchHead[] = [];
    let bytes = 0;
    for (let at = index.indexOf(this.#position); ; at++) {
      const head = index.at(at);
      if (head === undefined || (heads.length > 0 && bytes + head.bytes > maxBytes)) {
        break;
      }
      heads.push(head);
      bytes += head.bytes;
    }
    this.#makeRoom(bytes);
    for (const head of heads) {
      this.#load(head);
    }
  }

  #load(head: BatchHead): void {
    const stored = this.#store.get(batchKey(this.#log.topicId, this.#log.partition, head));
    if (stored === undefined && head.base < this.#log.removedBelow) {
      // As if it had been removed before this read.
      return;
    }
    if (stored?.byteLength !== head.bytes) {
      throw new StoreUnusableError(
        `${this.topic}-${String(this.partition)}: the batch at offset ${String(head.base)} is missing or cut; the ` +
          'store is damaged: restore it from a backup or start with a new directory',
      );
    }
    this.#buffer.set(stored, this.#used);
    const copy = this.#buffer.subarray(this.#used, this.#used + head.bytes);
    this.#used += head.bytes;
    const cursor = new BatchCursor(copy, head.base, head.count);
    cursor.seek(this.#position);
    this.#cursors.push(cursor);
  }

  #decode(maxBytes: number): readonly LogRecord[] {
    const records: LogRecord[] = [];
    let bytes = 0;
    let cursor = this.#cursors[0];
    while (
      cursor !== undefined &&
      (records.length === 0 || (bytes < maxBytes && records.length < MAX_RECORDS))
    ) {
      const record = cursor.next();
      records.push(record);
      bytes += record.value?.byteLength ?? 0;
      this.#position = record.offset + 1;
      if (cursor.left === 0) {
        this.#cursors.shift();
        cursor = this.#cursors[0];
      }
    }
    return records;
  }

  #makeRoom(bytes: number): void {
    this.#used = 0;
    const capacity = this.#buffer.byteLength;
    if (capacity < bytes || (capacity > KEPT_BUFFER_BYTES && capacity > 4 * bytes)) {
      this.#buffer = Buffer.allocUnsafeSlow(bytes);
    }
  }

  #appendOrAbort(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        forget();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const forget = this.#log.onAppend(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
