import type { Outcome } from '../../admin/outcome.ts';
import type { CommandRequest } from '../../admin/request.ts';
import type { PublishedModel } from '../centroid-aggregator/messages.ts';

export type AdminMessage =
  | {
      /** A command, whichever door it came through. */
      readonly type: 'command';
      readonly request: CommandRequest;
      readonly reply: (outcome: Outcome) => void;
    }
  | {
      /** The answer to `status`, for whoever watches: it is in no audit. */
      readonly type: 'look';
      readonly reply: (outcome: Outcome) => void;
    }
  | {
      /**
       * Bring everything that is there to its end: read the files present now (without `sweep`: stop the
       * sources), work the log off, checkpoint, publish the canonical model. Answers with that model.
       */
      readonly type: 'drain';
      readonly sweep: { readonly settleTimeoutMs: number } | undefined;
      readonly reply: (published: PublishedModel) => void;
    };
