/**
 * Rows that make the pure fold of a region fail. The fold names the row it failed on, the partition
 * restarts from its last checkpoint and reads that row again; when it has failed `attempts` times,
 * the next pass sets it aside instead. Only failures of the pure fold count: an I/O error or a lack
 * of memory says nothing about a row.
 *
 * Kept outside the partition's incarnations. A new process learns it again, from the same row.
 */
export interface PoisonRegister {
  /** A fold failed on this row. */
  failed(partition: number, offset: number, line: number): void;
  /** Whether any row of this message is known to fail: the cheap question, asked for each message. */
  suspects(partition: number, offset: number): boolean;
  /** Whether this row has failed often enough to be set aside. */
  isPoison(partition: number, offset: number, line: number): boolean;
  /** Everything below `nextOffset` is committed; its history is no longer needed. */
  settled(partition: number, nextOffset: number): void;
}

export function createPoisonRegister(attempts: number): PoisonRegister {
  /** partition -> offset -> line -> failures. */
  const failures = new Map<number, Map<number, Map<number, number>>>();
  return {
    failed(partition, offset, line) {
      const offsets = failures.get(partition) ?? new Map<number, Map<number, number>>();
      const lines = offsets.get(offset) ?? new Map<number, number>();
      lines.set(line, (lines.get(line) ?? 0) + 1);
      offsets.set(offset, lines);
      failures.set(partition, offsets);
    },
    suspects: (partition, offset) => failures.get(partition)?.has(offset) ?? false,
    isPoison: (partition, offset, line) => (failures.get(partition)?.get(offset)?.get(line) ?? 0) >= attempts,
    settled(partition, nextOffset) {
      const offsets = failures.get(partition);
      for (const offset of offsets?.keys() ?? []) {
        if (offset < nextOffset) {
          offsets?.delete(offset);
        }
      }
    },
  };
}
