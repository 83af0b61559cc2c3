import type { Broker } from '../../broker/broker.ts';
import { FoldError } from '../../clustering/features.ts';
import { RegionSummary } from '../../clustering/region-summary.ts';
import { regionToken } from '../../geo/s2.ts';
import type { ActorDefinition } from '../../system/actor.ts';
import { joinChunks, ONLY_PANE, splitIntoChunks, summaryKey } from '../partition/summary-chunks.ts';
import type { RegionMessage } from './messages.ts';

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
  /** Most features the summary may hold. */
  readonly features: number;
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
      const stored = await storedChunks(own, token);
      const summary =
        stored.length === 0
          ? RegionSummary.empty(own.region, own.level, own.features)
          : RegionSummary.decode(joinChunks(stored));
      let writtenChunks = stored.length;
      let changed = false;
      return {
        receive(message) {
          switch (message.type) {
            case 'rows':
              changed = true;
              foldAll(own.fold, summary, message);
              message.handled();
              return;
            case 'snapshot': {
              if (!changed) {
                message.reply(undefined);
                return;
              }
              const chunks = splitIntoChunks(summary.encode());
              message.reply({ token, chunks, vanished: Math.max(0, writtenChunks - chunks.length) });
              writtenChunks = chunks.length;
              changed = false;
              return;
            }
          }
        },
      };
    },
  };
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

async function storedChunks(
  { broker, table, partition }: RegionDependencies,
  token: string,
): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = await broker.tableGet(table, partition, summaryKey(token, ONLY_PANE, chunks.length));
    if (chunk === undefined) {
      return chunks;
    }
    chunks.push(chunk);
  }
}
