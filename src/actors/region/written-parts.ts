import type { Broker } from '../../broker/broker.ts';
import type { StoredForm } from '../../clustering/region-algorithm.ts';
import type { RegionState } from '../../clustering/region-state.ts';
import { joinChunks, splitIntoChunks, summaryKey } from '../partition/summary-chunks.ts';
import type { EntryChange, RegionSnapshot } from './messages.ts';

/** Where a region's state is stored. */
export interface StoredIn {
  readonly broker: Broker;
  readonly table: string;
  readonly partition: number;
}

/** Chunks of each part. */
type StoredParts = ReadonlyMap<string, readonly Uint8Array[]>;

/** The chunks of the first part and of all that it names; none where no row was committed yet. */
export async function storedParts(own: StoredIn, token: string, form: StoredForm): Promise<StoredParts> {
  const { firstPart } = form;
  const parts = new Map<string, readonly Uint8Array[]>();
  const first = await storedChunks(own, token, firstPart);
  if (first.length > 0) {
    parts.set(firstPart, first);
    for (const part of form.headOf(joinChunks(first)).others) {
      parts.set(part, await storedChunks(own, token, part));
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

/** What the table holds of the state: each part's revision, and how many chunks it has. */
export class WrittenParts {
  readonly #token: string;
  readonly #chunks = new Map<string, number>();
  readonly #revisions = new Map<string, string>();

  /** @param state that was decoded from what is stored, or an empty one where nothing is. */
  constructor(token: string, stored: StoredParts, state: RegionState) {
    this.#token = token;
    for (const [part, chunks] of stored) {
      this.#chunks.set(part, chunks.length);
    }
    for (const { name, revision } of state.parts()) {
      if (this.#chunks.has(name)) {
        this.#revisions.set(name, revision);
      }
    }
  }

  /** What has to be written so that the table holds the state; taken for written. */
  update(state: RegionState): RegionSnapshot {
    const entries: EntryChange[] = [];
    const parts = state.parts();
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
