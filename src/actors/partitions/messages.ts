export type PartitionsMessage =
  | { readonly type: 'assigned'; readonly partitions: readonly number[]; readonly done: () => void }
  | { readonly type: 'revoked'; readonly partitions: readonly number[]; readonly done: () => void }
  | {
      /** Answers when all owned partitions have worked up to what is in the log now. */
      readonly type: 'drain';
      readonly reply: () => void;
    }
  | { readonly type: 'checkpoint'; readonly reply: () => void };
