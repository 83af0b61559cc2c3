/**
 * Rows that an operator has dropped on the way to their regions. The partition is restarted then: it reads
 * them again from its last checkpoint, and sets them aside in their place, so that they are in the books.
 *
 * Kept outside the partition's incarnations, and until a checkpoint is past them. A process that ends before
 * that counts them: nothing is lost.
 */
export interface DiscardRegister {
  discard(partition: number, offset: number, line: number): void;
  /** All rows from `from`, the next offset that is committed, up to `end` that are not on their way to a region yet. */
  discardAll(partition: number, from: number, end: number): void;
  /** Whether any row of this message is to be discarded: the cheap question, asked for each message. */
  concerns(partition: number, offset: number): boolean;
  has(partition: number, offset: number, line: number): boolean;
  /** Everything below `nextOffset` is committed. */
  settled(partition: number, nextOffset: number): void;
}

export function createDiscardRegister(): DiscardRegister {
  /** partition -> offset -> lines. */
  const discarded = new Map<number, Map<number, Set<number>>>();
  /** partition -> offsets. */
  const ranges = new Map<number, { readonly from: number; readonly end: number }>();
  const isInRange = (partition: number, offset: number): boolean => {
    const range = ranges.get(partition);
    return range !== undefined && offset >= range.from && offset < range.end;
  };
  return {
    discard(partition, offset, line) {
      const offsets = discarded.get(partition) ?? new Map<number, Set<number>>();
      const lines = offsets.get(offset) ?? new Set<number>();
      discarded.set(partition, offsets.set(offset, lines.add(line)));
    },
    discardAll(partition, from, end) {
      ranges.set(partition, { from, end });
    },
    concerns: (partition, offset) =>
      isInRange(partition, offset) || (discarded.get(partition)?.has(offset) ?? false),
    has: (partition, offset, line) =>
      isInRange(partition, offset) || (discarded.get(partition)?.get(offset)?.has(line) ?? false),
    settled(partition, nextOffset) {
      if (nextOffset >= (ranges.get(partition)?.end ?? Infinity)) {
        ranges.delete(partition);
      }
      const offsets = discarded.get(partition);
      for (const offset of offsets?.keys() ?? []) {
        if (offset < nextOffset) {
          offsets?.delete(offset);
        }
      }
    },
  };
}
