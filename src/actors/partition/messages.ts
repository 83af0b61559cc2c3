/** Its loop has not turned for so long although nothing keeps it: it is to fail. */
export interface StuckMessage {
  readonly type: 'stuck';
  readonly stillMs: number;
}

/** What a partition serves between two slices of its work. */
export type PartitionRequest =
  | {
      /** Work up to `end`, checkpoint, and answer when that is on stable storage. */
      readonly type: 'drain';
      readonly end: number;
      readonly reply: () => void;
    }
  | {
      /** Checkpoint at the next message boundary, wherever that is, and answer when it is durable. */
      readonly type: 'checkpoint';
      readonly reply: () => void;
    }
  | {
      /**
       * The partition goes to another owner: checkpoint at the next message boundary, read nothing more,
       * and answer. Answered as well when that fails: then the next owner reads a little again.
       */
      readonly type: 'let-go';
      readonly reply: () => void;
    };

export type PartitionMessage = PartitionRequest | StuckMessage;
