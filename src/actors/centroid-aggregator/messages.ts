import type { DriftEvent } from '../../clustering/drift.ts';
import type { LiveEvent } from '../../clustering/live-model.ts';
import type { Model } from '../../clustering/model.ts';
import type { ModelLineage } from '../models/lineage.ts';

export type AggregatorMessage =
  | {
      /** A partition's checkpoint is on stable storage. */
      readonly type: 'committed';
      readonly partition: number;
      readonly nextOffset: number;
    }
  | { readonly type: 'publish-live' }
  | {
      /** Publish the canonical model of what is committed; answers when it is written everywhere. */
      readonly type: 'publish-canonical';
      readonly reply: (published: PublishedModel) => void;
    };

/** What is news in a live model. */
export type ModelEvent = LiveEvent | DriftEvent;

export interface PublishedModel {
  readonly model: Model;
  /** Next offset of each input partition the model reflects. */
  readonly nextOffsets: readonly number[];
  /** What became of k, of the clusters of the live model before, and of the alarm; none with a canonical one. */
  readonly events: readonly ModelEvent[];
  /** How many rewinds there were before: all offsets are of this epoch. */
  readonly epoch: number;
  /** Undefined with a model of a version that did not record it. */
  readonly lineage: ModelLineage | undefined;
}
