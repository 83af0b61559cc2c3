import type { Broker } from '../../broker/broker.ts';
import { FoldError } from '../../clustering/features.ts';
import { RegionSummary, type SummaryOptions } from '../../clustering/region-summary.ts';
import { decodeHead, HEAD } from '../../clustering/summary-format.ts';
import { regionToken } from '../../geo/s2.ts';
import type { ActorDefinition } from '../../system/actor.ts';
import { joinChunks, splitIntoChunks, summaryKey } from '../partition/summary-chunks.ts';
import type { EntryChange, RegionMessage, RegionSnapshot } from './messages.ts';

/** Folds rows into a summary; a port so that a test can make it fail. */
export type Fold = (
  summary: RegionSummary,
  rows: {
    readonly x: Float64Array;
    readonly y: Float64Array;
    readonly z: Float64Array;
    readonly time: Float64Array;
  },
  from: number,
  to: number,
) => void;

export const fold: Fold = (summary, { x, y, z, time }, from, to) => {
  summary.fold(x, y, z, time, from, to);
};

export interface RegionDependencies {
  readonly broker: Broker;
  /** Table of summaries and this region's partition of it. */
  readonly table: string;
  readonly partition: number;
  /** Index and S2 level of the region's cell. */
  readonly region: number;
  readonly level: number;
  readonly summary: SummaryOptions;
  readonly fold: Fold;
}

/**
 * Streaming clustering of one region: the only writer of its summary. Restores the last committed
 * summary, then folds rows in the order they come.
 */
export function regionActor(own: RegionDependencies): ActorDefinition<RegionMessage> {
  const token = regionToken(own.region, own.level);
  return {
    name: `region-${token}`,
    setup: async () => {
      const stored = await storedParts(own, token);
      const written = new Written(token, stored);
      const summary = written.empty
        ? RegionSummary.empty(own.region, own.level, own.summary)
        : RegionSummary.decode(joinedParts(stored), own.summary);
      written.holds(summary);
      return {
        receive(message) {
          switch (message.type) {
            case 'rows':
              foldAll(own.fold, summary, message);
              message.handled();
              return;
            case 'snapshot': {
              const changed = written.update(summary);
              message.reply(changed.length === 0 ? undefined : changed);
              return;
            }
          }
        },
      };
    },
  };
}

/** What the table holds of the summary: each part's revision, and how many chunks it has. */
class Written {
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

/**
 * Folds a message's rows. When one fails, the summary is lost with this incarnation; the rest is folded
 * only to name all rows that fail, so that a restart learns a whole batch and not a row.
 * @throws what the fold threw first.
 */
function foldAll(
  fold: Fold,
  summary: RegionSummary,
  { rows, from, to, foldFailed }: Extract<RegionMessage, { type: 'rows' }>,
): void {
  let failure: FoldError | undefined;
  for (let next = from; next < to; ) {
    try {
      fold(summary, rows, next, to);
      break;
    } catch (error) {
      if (!(error instanceof FoldError) || error.index < next) {
        throw failure ?? error;
      }
      foldFailed(error.index);
      failure ??= error;
      next = error.index + 1;
    }
  }
  if (failure !== undefined) {
    throw failure;
  }
}

type StoredParts = ReadonlyMap<string, readonly Uint8Array[]>;

/** The chunks of all parts that the head names, and its own; none where no row was committed yet. */
async function storedParts(own: RegionDependencies, token: string): Promise<StoredParts> {
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

function joinedParts(stored: StoredParts): ReadonlyMap<string, Uint8Array> {
  return new Map([...stored].map(([part, chunks]) => [part, joinChunks(chunks)]));
}

async function storedChunks(
  { broker, table, partition }: RegionDependencies,
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
