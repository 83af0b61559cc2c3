import type { Broker } from '../../broker/broker.ts';
import type { RegionSummary } from '../../clustering/region-summary.ts';
import { decodeHead, HEAD } from '../../clustering/summary-format.ts';
import { joinChunks, splitIntoChunks, summaryKey } from '../partition/summary-chunks.ts';
import type { EntryChange, RegionSnapshot } from './messages.ts';

/** Where a region's summary is stored. */
export interface StoredIn {
  readonly broker: Broker;
  readonly table: string;
  readonly partition: number;
}

/** Chunks of each part. */
type StoredParts = ReadonlyMap<string, readonly Uint8Array[]>;

/** The chunks of all parts that the head names, and its own; none where no row was committed yet. */
export async function storedParts(own: StoredIn, token: string): Promise<StoredParts> {
  const parts = new Map<string, readonly Uint8Array[]>();
  const head = await storedChunks(own, token, HEAD);
  if (head.length > 0) {
    parts.set(HEAD, head);
    for (const pane of decodeHead(joinChunks(head)).panes) {
      parts.set(pane, await storedChunks(own, token, pane));
    }
  }
  return parts;
}

export function joinedParts(stored: StoredParts): ReadonlyMap<string, Uint8Array> {
  return new Map([...stored].map(([part, chunks]) => [part, joinChunks(chunks)]));
}

async function storedChunks(
  { broker, partition, table }: StoredIn,
  token: string,
  part: string,
): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = await broker.tableGet(table, partition, summaryKey(token, part, chunks.length));
    if (chunk === undefined) {
      return chunks;
    }
    chunks.push(chunk);
  }
}

/** What the table holds of the summary: each part's revision, and how many chunks it has. */
export class WrittenParts {
  readonly #token: string;
  readonly #chunks = new Map<string, number>();
  readonly #revisions = new Map<string, number>();

  constructor(token: string, stored: StoredParts) {
    this.#token = token;
    for (const [part, chunks] of stored) {
      this.#chunks.set(part, chunks.length);
    }
  }

  get empty(): boolean {
    return this.#chunks.size === 0;
  }

  /** Says that all parts of the summary that the table holds are as they are there. */
  holds(summary: RegionSummary): void {
    for (const { name, revision } of summary.parts()) {
      if (this.#chunks.has(name)) {
        this.#revisions.set(name, revision);
      }
    }
  }

  /** What has to be written so that the table holds the summary; taken for written. */
  update(summary: RegionSummary): RegionSnapshot {
    const entries: EntryChange[] = [];
    const parts = summary.parts();
    for (const { encode, name, revision } of parts) {
      if (this.#revisions.get(name) !== revision) {
        this.#put(name, splitIntoChunks(encode()), entries);
        this.#revisions.set(name, revision);
      }
    }
    const there = new Set(parts.map(({ name }) => name));
    for (const name of [...this.#chunks.keys()].filter((written) => !there.has(written))) {
      this.#put(name, [], entries);
      this.#chunks.delete(name);
      this.#revisions.delete(name);
    }
    return entries;
  }

  #put(part: string, chunks: readonly Uint8Array[], entries: EntryChange[]): void {
    const before = this.#chunks.get(part) ?? 0;
    for (let chunk = 0; chunk < Math.max(before, chunks.length); chunk++) {
      entries.push({ key: summaryKey(this.#token, part, chunk), value: chunks[chunk] ?? null });
    }
    this.#chunks.set(part, chunks.length);
  }
}
