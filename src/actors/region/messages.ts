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

/** What changed of a summary since its last snapshot. */
export type RegionSnapshot = readonly EntryChange[];

/** An entry of the table to be written; null removes it. */
export interface EntryChange {
  readonly key: string;
  readonly value: Uint8Array | null;
}
