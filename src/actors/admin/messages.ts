import type { Outcome } from '../../admin/outcome.ts';
import type { CommandRequest } from '../../admin/request.ts';
import type { PublishedModel } from '../centroid-aggregator/messages.ts';

/** How an orderly end went. All that was counted is in a checkpoint, unless it is `held`. */
export interface Ending {
  /** Whether all that was in the log when the end began is counted; what is not goes on at the next start. */
  readonly workedOff: boolean;
  /** The regions were paused: what was on its way to them is read again at the next start. */
  readonly held: boolean;
  /** The canonical model; undefined where there was no time for it. */
  readonly published: PublishedModel | undefined;
}

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
       * Bring everything that is there to its end: read the files present now, work the log off, checkpoint, publish
       * the canonical model. Answers with that model.
       */
      readonly type: 'drain';
      readonly sweep: { readonly settleTimeoutMs: number };
      readonly reply: (published: PublishedModel) => void;
    }
  | {
      /** The last step before the process ends: see `DrainsInTurn.end`. */
      readonly type: 'end';
      readonly deadlineMs: number;
      readonly reply: (ending: Ending) => void;
    };
