import type { PublishedModel } from '../centroid-aggregator/messages.ts';

export type ReporterMessage =
  | {
      /** The model that is served from now on. */
      readonly type: 'served';
      readonly published: PublishedModel;
    }
  /** Write the report of the served model, unless it is there or the stage is paused. */
  | { readonly type: 'refresh' }
  | {
      /** Write the report of this model now; answers when it is there, or with what prevented it. */
      readonly type: 'report';
      readonly published: PublishedModel;
      readonly reply: (problem: unknown) => void;
    };
