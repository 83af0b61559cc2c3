export type PartitionMessage =
  | {
      /** Work up to what is in the log now, checkpoint, and answer when that is on stable storage. */
      readonly type: 'drain';
      readonly reply: () => void;
    }
  | {
      /** Checkpoint at the next message boundary, wherever that is, and answer when it is durable. */
      readonly type: 'checkpoint';
      readonly reply: () => void;
    };
