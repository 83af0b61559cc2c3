/**
 * Group commit: one store transaction at a time, made of all the work that queued up during the last
 * one. With one in flight the outcome of each is known exactly, offsets are handed out without gaps,
 * and the buffers that values are encoded into are used again and again.
 */
import { randomInt } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { constants } from 'node:os';
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { BrokerError, BrokerFullError, StoreLockedError, UnknownOutcomeError } from '../errors.ts';
import { Arena } from './arena.ts';
import { sequenceKey } from './keys.ts';
import { type OrderedStore, type PutOrRemove, StoreWriteError } from './lmdb.ts';

/** A part of a group: one transaction of a writer, or upkeep of the broker itself. */
export interface Work {
  /** Bytes of the values it is going to write. */
  readonly bytes: number;
  /** Whether it is refused when the store is near its ceiling. Upkeep is not: it makes room. */
  readonly bounded: boolean;
  /** Adds the operations. What it throws rejects this work alone, and must come before the first of them. */
  stage(group: Group): void;
  /** The group is visible. Runs at once, for each work in order. */
  committed(): void;
  /** The group, or this work, failed: forgets what `stage` assumed. */
  rolledBack(): void;
}

/** The operations of one store transaction, and memory for the values that it encodes. */
export interface Group {
  /** Number of the commit: one more than that of the last one, or of one that failed. */
  readonly commit: number;
  put(key: Uint8Array, value: Uint8Array): void;
  remove(key: Uint8Array): void;
  allocate(bytes: number): Buffer;
}

export interface Visible {
  readonly flushed: Promise<void>;
}

interface Queued {
  readonly work: Work;
  readonly resolve: (visible: Visible) => void;
  readonly reject: (error: Error) => void;
}

export interface CommitQueueOptions {
  readonly store: OrderedStore;
  readonly directory: string;
  readonly ceilingBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Asked when a group is put together: upkeep that rides along, or undefined. */
  readonly upkeep: () => Work | undefined;
}

const GROUP_BYTES = 8 * 1024 * 1024;
const PAGE_BYTES = 4096;
/** A store transaction that takes longer has an unknown outcome: the disk hangs. */
const STALLED_AFTER_MS = 120_000;
/** lmdb's MDB_MAP_FULL: the address space cannot grow. */
const MAP_FULL = -30_792;

export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #arena = new Arena();
  readonly #nonce = randomInt(1, 2 ** 47);
  #sequence: number;
  #staged: number;
  #owner: number;
  #queue: Queued[] = [];
  #running: Promise<void> | undefined;
  /** Works that failed together are tried one by one, so that a large one does not fail a small one. */
  #oneByOne = 0;
  #failure: Error | undefined;
  #upkeepWanted = false;
  #closed = false;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
    [this.#sequence, this.#owner] = readSequence(options.store);
    this.#staged = this.#sequence;
  }

  /**
   * @throws BrokerFullError, UnknownOutcomeError, what `work.stage` throws, or BrokerError after `close`.
   */
  submit(work: Work): Promise<Visible> {
    const refusal = this.#closed ? new BrokerError('the broker is closed') : this.#failure;
    if (refusal !== undefined) {
      return Promise.reject(refusal);
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ work, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Number of the last commit that is visible. */
  get visible(): number {
    return readSequence(this.#options.store)[0];
  }

  /** Number of the last commit of which the operations are known. */
  get staged(): number {
    return this.#staged;
  }

  /** Runs a group of upkeep, unless one is under way; false when the store failed or is closed. */
  upkeep(): boolean {
    if (this.#failure !== undefined || this.#closed) {
      return false;
    }
    this.#upkeepWanted = true;
    this.#running ??= this.#run();
    return true;
  }

  /** Refuses new work and waits for what is queued. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // Works handed over in one turn of the event loop commit together.
    await Promise.resolve();
    try {
      do {
        await this.#commitNext();
        // Looked at here, not inside: work may be handed over between the end of a group and this line.
      } while (this.#queue.length > 0 || this.#upkeepWanted);
    } catch (error) {
      this.#fail(new UnknownOutcomeError(`the embedded store failed: ${messageOf(error)}`, { cause: error }));
    } finally {
      this.#running = undefined;
    }
  }

  async #commitNext(): Promise<void> {
    this.#upkeepWanted = false;
    const taken = this.#failure === undefined ? this.#take() : [];
    const upkeep = this.#failure === undefined && !this.#closed ? this.#options.upkeep() : undefined;
    if (taken.length === 0 && upkeep === undefined) {
      return;
    }
    const { store } = this.#options;
    const [sequence, owner] = readSequence(store);
    if (sequence !== this.#sequence || owner !== this.#owner) {
      const error = new StoreLockedError(
        `another process wrote to the store in ${this.#options.directory}: stop it, and start this one again`,
      );
      reject(taken, error);
      this.#fail(error);
      return;
    }
    const operations: PutOrRemove[] = [];
    const staged = this.#stage(taken, upkeep, operations);
    if (operations.length === 0) {
      settle(staged, Promise.resolve());
      this.#arena.reset();
      return;
    }
    const mark = this.#arena.allocate(16);
    mark.writeDoubleLE(this.#sequence + 1, 0);
    mark.writeDoubleLE(this.#nonce, 8);
    operations.push({ key: sequenceKey, value: mark });
    try {
      const { flushed } = await this.#withinTime(store.write(operations));
      this.#sequence += 1;
      this.#owner = this.#nonce;
      upkeep?.committed();
      settle(staged, flushed);
      this.#oneByOne = Math.max(0, this.#oneByOne - 1);
    } catch (error) {
      for (const { work } of staged) {
        work.rolledBack();
      }
      upkeep?.rolledBack();
      if (!this.#retryOneByOne(error, staged)) {
        this.#report(error, staged);
      }
    } finally {
      this.#arena.reset();
    }
  }

  #take(): Queued[] {
    let count = 0;
    let bytes = 0;
    const limit = this.#oneByOne > 0 ? 1 : this.#queue.length;
    while (count < limit) {
      bytes += this.#queue[count]?.work.bytes ?? 0;
      if (count > 0 && bytes > GROUP_BYTES) {
        break;
      }
      count++;
    }
    return this.#queue.splice(0, count);
  }

  #stage(taken: readonly Queued[], upkeep: Work | undefined, operations: PutOrRemove[]): Queued[] {
    const group: Group = {
      commit: this.#sequence + 1,
      put: (key, value) => {
        operations.push({ key, value });
      },
      remove: (key) => {
        operations.push({ key, value: undefined });
      },
      allocate: (bytes) => this.#arena.allocate(bytes),
    };
    this.#staged = group.commit;
    const usage = this.#options.store.usage();
    const staged: Queued[] = [];
    let bytes = 0;
    for (const queued of taken) {
      try {
        if (queued.work.bounded) {
          this.#admit(usage, bytes + queued.work.bytes);
        }
        queued.work.stage(group);
        bytes += queued.work.bytes;
        staged.push(queued);
      } catch (error) {
        queued.work.rolledBack();
        queued.reject(error as Error);
      }
    }
    upkeep?.stage(group);
    return staged;
  }

  /** Keeps a sixteenth of the ceiling for upkeep: removing needs pages too. */
  #admit(usage: { readonly live: number; readonly extent: number }, bytes: number): void {
    const { ceilingBytes, directory } = this.#options;
    const ceiling = ceilingBytes - Math.max(Math.floor(ceilingBytes / 16), 256 * PAGE_BYTES);
    // Each value begins a page; trees and the list of free pages take some more.
    const wanted = Math.ceil(bytes * 1.03) + 32 * PAGE_BYTES;
    if (usage.extent + wanted <= ceiling) {
      return;
    }
    // Only free pages inside the file are left. They need to lie together, so ask for twice as many.
    const free = Math.min(usage.extent, ceiling) - usage.live;
    if (free < 2 * wanted) {
      throw new BrokerFullError(
        `the store in ${directory} is full: ${String(usage.live)} of ${String(ceilingBytes)} bytes hold data and ` +
          `${String(bytes)} more were asked for; consume what is stored, or raise the ceiling`,
      );
    }
  }

  async #withinTime<T>(promise: Promise<T>): Promise<T> {
    let cancel: (() => void) | undefined;
    const stalled = new Promise<never>((_resolve, rejectStalled) => {
      cancel = this.#options.clock.after(STALLED_AFTER_MS, () => {
        rejectStalled(new Error(`a write took longer than ${String(STALLED_AFTER_MS)} ms`));
      });
    });
    try {
      return await Promise.race([promise, stalled]);
    } finally {
      cancel?.();
    }
  }

  #retryOneByOne(error: unknown, staged: Queued[]): boolean {
    if (staged.length < 2 || !this.#nothingWritten(error)) {
      return false;
    }
    this.#oneByOne = staged.length;
    this.#queue.unshift(...staged);
    return true;
  }

  #report(error: unknown, staged: readonly Queued[]): void {
    if (this.#nothingWritten(error) && this.#isFull(error)) {
      this.#options.log.warn({ directory: this.#options.directory, works: staged.length }, 'no room on disk');
      reject(
        staged,
        new BrokerFullError(
          `no room on the disk of ${this.#options.directory} (${messageOf(error)}); free some space, the write ` +
            'may be tried again',
          { cause: error },
        ),
      );
      return;
    }
    const failure = new UnknownOutcomeError(
      `a write to the store in ${this.#options.directory} failed: ${messageOf(error)}; check the disk, then start again`,
      { cause: error },
    );
    reject(staged, failure);
    this.#fail(failure);
  }

  /** A failed sync leaves a transaction that is visible and perhaps not durable. */
  #nothingWritten(error: unknown): boolean {
    return (
      error instanceof StoreWriteError &&
      readSequence(this.#options.store).join() === [this.#sequence, this.#owner].join()
    );
  }

  #isFull(error: unknown): boolean {
    const code = error instanceof StoreWriteError ? Math.abs(error.code) : 0;
    if (code === -MAP_FULL || code === constants.errno.ENOSPC || code === constants.errno.EDQUOT) {
      return true;
    }
    // lmdb calls a write that the disk took only in part an EIO.
    return code === constants.errno.EIO && statfsSync(this.#options.directory).bavail < 256;
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#options.log.error(
      { err: error, directory: this.#options.directory },
      'the embedded store is unusable',
    );
    reject(this.#queue.splice(0), error);
  }
}

function settle(staged: readonly Queued[], flushed: Promise<void>): void {
  for (const { work } of staged) {
    work.committed();
  }
  for (const { resolve } of staged) {
    resolve({ flushed });
  }
}

function reject(queued: readonly Queued[], error: Error): void {
  for (const one of queued) {
    one.reject(error);
  }
}

function readSequence(store: OrderedStore): readonly [sequence: number, owner: number] {
  const bytes = store.get(sequenceKey);
  if (bytes === undefined) {
    return [0, 0];
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [view.getFloat64(0, true), view.getFloat64(8, true)];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
