/** A part of a region's state as it is stored. */
export interface StatePart {
  readonly name: string;
  /** The same name and revision: the same bytes. */
  readonly revision: string;
  readonly encode: () => Uint8Array;
}

/**
 * What a region actor keeps of one (input partition, cell), whatever its algorithm. It is a pure function of
 * the sequence of its rows: neither batches nor checkpoints leave a trace in it.
 */
export interface RegionState {
  /** Ordinal of the last folded row: the number of accepted rows. */
  readonly rows: number;
  /** Greatest event time folded, ms since the epoch; -Infinity before the first row. */
  readonly watermark: number;
  /**
   * Folds the rows at `[from, to)`: unit vectors inside the region, event times in ms.
   * @throws FoldError naming the row that cannot be folded; those before it are folded and counted. The
   * state is of no more use then.
   */
  fold(x: Float64Array, y: Float64Array, z: Float64Array, time: Float64Array, from: number, to: number): void;
  /** All that there is to store; the first part tells of the others. */
  parts(): readonly StatePart[];
}
