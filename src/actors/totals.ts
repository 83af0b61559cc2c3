import type { Broker } from '../broker/broker.ts';
import { ledgerTotals } from './ingest/ledger-store.ts';
import { decodeProgress } from './partition/progress.ts';
import { PROGRESS_KEY, type TopicNames } from './topics.ts';

/** What is true of the whole state, across restarts: read from committed tables only. */
export interface Totals {
  readonly files: { readonly done: number; readonly failed: number };
  readonly rows: {
    /** Rows of files, and rows the log got from elsewhere, without those that are left out. */
    readonly read: number;
    readonly counted: number;
    readonly rejected: number;
  };
  /** Rows read before the last rewind to which counting has not come again: zero without one. */
  readonly leftOut: number;
  readonly rejectedByReason: Readonly<Record<string, number>>;
  /** Next offset of each input partition. */
  readonly nextOffsets: readonly number[];
}

/** Sums over the whole group: what any replica has committed. */
export async function readTotals(broker: Broker, topics: TopicNames, partitions: number): Promise<Totals> {
  const files = { done: 0, failed: 0 };
  const rows = { read: 0, counted: 0, rejected: 0 };
  let leftOut = 0;
  const rejectedByReason: Record<string, number> = {};
  const nextOffsets: number[] = [];
  const addReasons = (reasons: Readonly<Record<string, number>>, sign = 1): void => {
    for (const [reason, count] of Object.entries(reasons)) {
      rejectedByReason[reason] = (rejectedByReason[reason] ?? 0) + sign * count;
    }
  };
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  // The ledger last: rows that are counted are known as read there.
  await Promise.all(all.map((partition) => broker.refreshTable(topics.regions, partition)));
  await Promise.all(all.map((partition) => broker.refreshTable(topics.files, partition)));
  for (const partition of all) {
    for await (const ingest of ledgerTotals(broker, topics.files, partition)) {
      files.done += ingest.done;
      files.failed += ingest.failed;
      rows.read += ingest.read;
      rows.rejected += ingest.rejected;
      addReasons(ingest.rejectedByReason);
    }
    const stored = await broker.tableGet(topics.regions, partition, PROGRESS_KEY);
    const progress = stored === undefined ? undefined : decodeProgress(stored);
    if (progress === undefined) {
      nextOffsets.push(0);
      continue;
    }
    rows.read += progress.foreign - progress.leftOut;
    rows.counted += progress.counted;
    rows.rejected += progress.rejected - progress.redriven.rows;
    leftOut += progress.leftOut;
    addReasons(progress.rejectedByReason);
    addReasons(progress.redriven.byReason, -1);
    nextOffsets.push(progress.nextOffset);
  }
  const left = Object.entries(rejectedByReason).filter(([, count]) => count !== 0);
  return { files, rows, leftOut, rejectedByReason: Object.fromEntries(left), nextOffsets };
}
