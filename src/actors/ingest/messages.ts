import type { SweepRequest } from '../file-watcher/messages.ts';

export type IngestMessage =
  /** A sweep of the folder, answered when everything published by it is on stable storage too. */
  | SweepRequest
  | {
      /** Take nothing more: stop the watcher, and the publisher after the transaction in flight. */
      readonly type: 'close';
      readonly reply: () => void;
    };
