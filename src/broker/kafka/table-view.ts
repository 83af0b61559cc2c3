import type { LogRecord, TableEntry } from '../broker.ts';
import { SortedKeys } from './sorted-keys.ts';
import type { AppliedEntry } from './writer.ts';

interface Entry {
  readonly offset: number;
  readonly value: Uint8Array | null;
  /** Of the view, since when it says so. */
  readonly version: number;
}

/**
 * What a compacted partition says, as far as it was read and as this process committed to it itself: for
 * each key what stands at the greatest offset known. The log behind `position` may still tell older
 * things about a key than an own commit did, so each entry remembers its offset.
 */
export class TableView {
  readonly #entries = new Map<string, Entry>();
  /** Keys removed by own commits at offsets that were not read yet. They are entries until then. */
  readonly #removed = new Map<string, number>();
  #position = 0;
  #version = 0;
  readonly #keys = new SortedKeys();

  /** All of the log below it is in the view. */
  get position(): number {
    return this.#position;
  }

  /** Another, and a greater one, whenever an entry has changed. */
  get version(): number {
    return this.#version;
  }

  /** Keys held, removed ones included until the log was read past their removal. */
  get size(): number {
    return this.#entries.size;
  }

  /** Committed records behind all that were read before, the last one of each key at least, and where reading goes on. */
  read(records: readonly LogRecord[], position: number): void {
    for (const { key, offset, value } of records) {
      // A table has no entries without a key; whoever wrote such a record did not write an entry.
      if (key !== null && offset >= this.#position) {
        this.#set(key, offset, value === null ? null : new Uint8Array(value));
      }
    }
    this.#position = Math.max(this.#position, position);
    this.#sweep();
  }

  /** Entries that this process has committed. Older ones than what was read are in the view already. */
  applied(entries: readonly AppliedEntry[]): void {
    for (const { key, offset, value } of entries) {
      if (offset >= this.#position) {
        this.#set(key, offset, value === null ? null : new Uint8Array(value));
      }
    }
  }

  /** The view's own bytes. */
  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key)?.value ?? undefined;
  }

  /**
   * What stands now under keys that begin with `prefix`, in the order of their keys.
   * @param since a version: without what stood there then as well
   */
  entries(prefix: string, since = 0): TableEntry[] {
    const found: TableEntry[] = [];
    for (const key of this.#keys.from(prefix)) {
      const entry = this.#entries.get(key);
      if (entry !== undefined && entry.value !== null && entry.version > since) {
        found.push({ key, value: entry.value });
      }
    }
    return found;
  }

  #set(key: string, offset: number, value: Uint8Array | null): void {
    const present = this.#entries.get(key);
    if (present !== undefined && present.offset >= offset) {
      return;
    }
    this.#version++;
    this.#entries.set(key, { offset, value, version: this.#version });
    if (present === undefined) {
      this.#keys.add(key);
    }
    if (value === null) {
      this.#removed.set(key, offset);
    } else {
      this.#removed.delete(key);
    }
  }

  /** What was removed below the position can no longer come up again. */
  #sweep(): void {
    for (const [key, offset] of this.#removed) {
      if (offset < this.#position) {
        this.#removed.delete(key);
        this.#entries.delete(key);
        this.#keys.delete(key);
      }
    }
  }
}

/** Records that are read and not shown yet: the last one of each key, in memory of their own. */
export class HeldBack {
  #records = new Map<string, LogRecord>();

  add(records: readonly LogRecord[]): void {
    for (const record of records) {
      const { key, value } = record;
      if (key !== null) {
        const own = value === null ? null : new Uint8Array(value);
        this.#records.set(key, { ...record, value: own, headers: {} });
      }
    }
  }

  takeAll(): LogRecord[] {
    const all = [...this.#records.values()];
    this.#records.clear();
    return all;
  }
}
