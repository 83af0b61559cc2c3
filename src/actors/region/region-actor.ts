import type { Broker } from '../../broker/broker.ts';
import { FoldError } from '../../clustering/features.ts';
import { RegionSummary, type SummaryOptions } from '../../clustering/region-summary.ts';
import { regionToken } from '../../geo/s2.ts';
import type { ActorDefinition } from '../../system/actor.ts';
import type { RegionMessage } from './messages.ts';
import { joinedParts, storedParts, WrittenParts } from './written-parts.ts';

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
      const written = new WrittenParts(token, stored);
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
