/**
 * Rows that an operator has dropped on the way to their regions. The partition is restarted then: it reads
 * them again from its last checkpoint, and sets them aside in their place, so that they are in the books.
 *
 * Kept outside the partition's incarnations, and until a checkpoint is past them. A process that ends before
 * that counts them: nothing is lost.
 */
export interface DiscardRegister {
  discard(partition: number, offset: number, line: number): void;
  /** All rows below `end` that no checkpoint has and that are not on their way to a region yet. */
  discardBelow(partition: number, end: number): void;
  /** Whether any row of this message is to be discarded: the cheap question, asked for each message. */
  concerns(partition: number, offset: number): boolean;
  has(partition: number, offset: number, line: number): boolean;
  /** Everything below `nextOffset` is committed. */
  settled(partition: number, nextOffset: number): void;
}

export function createDiscardRegister(): DiscardRegister {
  /** partition -> offset -> lines. */
  const discarded = new Map<number, Map<number, Set<number>>>();
  /** partition -> offset. */
  const below = new Map<number, number>();
  const isBelow = (partition: number, offset: number): boolean => offset < (below.get(partition) ?? 0);
  return {
    discard(partition, offset, line) {
      const offsets = discarded.get(partition) ?? new Map<number, Set<number>>();
      const lines = offsets.get(offset) ?? new Set<number>();
      discarded.set(partition, offsets.set(offset, lines.add(line)));
    },
    discardBelow(partition, end) {
      below.set(partition, Math.max(end, below.get(partition) ?? 0));
    },
    concerns: (partition, offset) =>
      isBelow(partition, offset) || (discarded.get(partition)?.has(offset) ?? false),
    has: (partition, offset, line) =>
      isBelow(partition, offset) || (discarded.get(partition)?.get(offset)?.has(line) ?? false),
    settled(partition, nextOffset) {
      if (!isBelow(partition, nextOffset)) {
        below.delete(partition);
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
