import type { FileOutcome } from '../publisher/messages.ts';

export type FileWatcherMessage =
  | {
      /** The folder may have changed: look soon. Only a hint; the scheduled scan is the truth. */
      readonly type: 'hint';
    }
  | { readonly type: 'scan' }
  | {
      /** Failed files are to be tried again: look soon. */
      readonly type: 'retry';
    }
  | {
      /** Other files are ours now than before: look for them. */
      readonly type: 'owned';
    }
  | {
      /** The publisher has answered an offer. */
      readonly type: 'finished';
      readonly path: string;
      readonly outcome: FileOutcome;
    }
  | SweepRequest;

/**
 * Answer when every file that is present now has been read, has failed, or has not come to rest
 * within `settleTimeoutMs` (then it counts as failed).
 */
export interface SweepRequest {
  readonly type: 'sweep';
  readonly settleTimeoutMs: number;
  readonly reply: () => void;
}
