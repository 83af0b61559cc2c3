import type { GroupedRows } from '../partition/row-buffer.ts';

export type RegionMessage =
  | {
      readonly type: 'rows';
      readonly rows: GroupedRows;
      /** This region's rows are `[from, to)`. */
      readonly from: number;
      readonly to: number;
      /** Returns the rows' credit; the buffer may be used again. */
      readonly handled: () => void;
      /** The pure fold failed on the row at this index of `rows`. */
      readonly foldFailed: (index: number) => void;
    }
  | {
      readonly type: 'snapshot';
      readonly reply: (snapshot: RegionSnapshot | undefined) => void;
    };

/** A summary that changed since its last snapshot, as table entries. */
export interface RegionSnapshot {
  readonly token: string;
  readonly chunks: readonly Uint8Array[];
  /** Chunks written before that are no more: to be removed, after the last of `chunks`. */
  readonly vanished: number;
}
