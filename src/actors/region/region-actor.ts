import type { Broker } from '../../broker/broker.ts';
import { FoldError } from '../../clustering/features.ts';
import type { RegionAlgorithm } from '../../clustering/region-algorithm.ts';
import type { RegionState } from '../../clustering/region-state.ts';
import { regionToken } from '../../geo/s2.ts';
import type { ActorDefinition } from '../../system/actor.ts';
import type { Clock } from '../../system/clock.ts';
import type { PartitionStats } from '../stats.ts';
import type { RegionMessage } from './messages.ts';
import { joinedParts, storedParts, WrittenParts } from './written-parts.ts';

/** Folds rows into a region's state; a port so that a test can make it fail. */
export type Fold = (
  state: RegionState,
  rows: {
    readonly x: Float64Array;
    readonly y: Float64Array;
    readonly z: Float64Array;
    readonly time: Float64Array;
  },
  from: number,
  to: number,
) => void;

export const fold: Fold = (state, { x, y, z, time }, from, to) => {
  state.fold(x, y, z, time, from, to);
};

export interface RegionDependencies {
  readonly broker: Broker;
  /** Table of the regions' states and this region's partition of it. */
  readonly table: string;
  readonly partition: number;
  /** Index and S2 level of the region's cell. */
  readonly region: number;
  readonly level: number;
  readonly algorithm: RegionAlgorithm;
  readonly fold: Fold;
  readonly clock: Clock;
  readonly stats: Pick<PartitionStats, 'folds' | 'foldMs'>;
}

/**
 * Streaming clustering of one region: the only writer of its state. Restores what was committed last, then
 * folds rows in the order they come.
 */
export function regionActor(own: RegionDependencies): ActorDefinition<RegionMessage> {
  const { clock, stats } = own;
  const token = regionToken(own.region, own.level);
  return {
    name: `region-${token}`,
    setup: async () => {
      const stored = await storedParts(own, token, own.algorithm.form);
      const state =
        stored.size === 0
          ? own.algorithm.empty(own.region, own.level)
          : own.algorithm.decode(joinedParts(stored));
      const written = new WrittenParts(token, stored, state);
      return {
        receive(message) {
          switch (message.type) {
            case 'rows': {
              const begun = clock.monotonic();
              foldAll(own.fold, state, message);
              stats.foldMs += clock.monotonic() - begun;
              stats.folds++;
              message.handled();
              return;
            }
            case 'snapshot': {
              const changed = written.update(state);
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
 * Folds a message's rows. When one fails, the state is lost with this incarnation; the rest is folded
 * only to name all rows that fail, so that a restart learns a whole batch and not a row.
 * @throws what the fold threw first.
 */
function foldAll(
  fold: Fold,
  state: RegionState,
  { rows, from, to, foldFailed }: Extract<RegionMessage, { type: 'rows' }>,
): void {
  let failure: FoldError | undefined;
  for (let next = from; next < to; ) {
    try {
      fold(state, rows, next, to);
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
