import type { Claim } from '../owned-writer.ts';

export type PartitionsMessage =
  | {
      readonly type: 'assigned';
      readonly claims: readonly Claim[];
      readonly done: () => void;
    }
  | { readonly type: 'revoked'; readonly partitions: readonly number[]; readonly done: () => void }
  | {
      /** Answers when all that is in the log now is worked off. */
      readonly type: 'drain';
      /** `group`: of all partitions, whoever owns them; `own`: of those that are this process's, as long as they are. */
      readonly scope: 'own' | 'group';
      readonly reply: () => void;
    }
  | { readonly type: 'checkpoint'; readonly reply: () => void }
  /** The process is ending: every partition writes what it has, and reads nothing more; none is taken up any more. */
  | { readonly type: 'let-go'; readonly reply: () => void }
  /** A rewind was asked for: every partition that was restored before it is to be restored anew. */
  | { readonly type: 'rewind' };
