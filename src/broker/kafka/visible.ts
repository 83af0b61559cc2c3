import type { FetchedPartition } from './wire/fetch.ts';
import { decodeBatches, type RecordBatch } from './wire/record-batch.ts';

export interface VisibleBatches {
  /** Batches of committed records, in the order of their offsets; their records are not decoded yet. */
  readonly batches: RecordBatch[];
  /**
   * Where the next fetch begins: past markers and aborted transactions, also when nothing is visible, and never
   * behind the last stable offset that the answer tells.
   */
  readonly nextOffset: number;
}

/**
 * What a reader of committed data sees of a fetched piece, told by the heads of its batches alone. So it
 * costs little when the piece arrives, and the records are decoded when somebody reads them.
 *
 * A broker notes the last stable offset before it reads the log, and reads up to what is stable by then. What
 * lies between the two is left for the next fetch: where the transactions in it end is not told here.
 */
export function visibleBatches(fetched: FetchedPartition, fromOffset: number): VisibleBatches {
  const where = `${fetched.topic}-${String(fetched.partition)}`;
  const aborted = fetched.aborted.toSorted((left, right) => left.firstOffset - right.firstOffset);
  /** Producers whose aborted transaction is open at this place of the log. */
  const aborting = new Set<bigint>();
  const batches: RecordBatch[] = [];
  let begun = 0;
  let nextOffset = fromOffset;
  for (const batch of decodeBatches(fetched.records, where)) {
    if (batch.baseOffset >= fetched.lastStableOffset) {
      break;
    }
    for (let next = aborted[begun]; next !== undefined && next.firstOffset < batch.nextOffset; ) {
      aborting.add(next.producerId);
      begun++;
      next = aborted[begun];
    }
    if (batch.control !== undefined) {
      // What the producer wrote behind its marker belongs to another transaction.
      if (batch.control === 'abort') {
        aborting.delete(batch.producerId);
      }
    } else if (batch.nextOffset > fromOffset && !(batch.transactional && aborting.has(batch.producerId))) {
      batches.push(batch);
    }
    nextOffset = Math.max(nextOffset, batch.nextOffset);
  }
  return { batches, nextOffset };
}
