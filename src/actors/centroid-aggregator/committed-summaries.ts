import type { Broker, TableMark } from '../../broker/broker.ts';
import { decodeProgress, type PartitionProgress } from '../partition/progress.ts';
import { SummaryParts } from '../partition/summary-chunks.ts';
import { PROGRESS_KEY, SUMMARY_PREFIX } from '../topics.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { EncodedSummary, ReadSummaries } from './decoded-summaries.ts';

export interface CommittedSummaries extends ReadSummaries {
  readonly marks: readonly TableMark[];
  readonly nextOffsets: readonly number[];
  /** Epoch of each partition that has counted anything: no model is made of several. */
  readonly epochs: ReadonlySet<number>;
}

/**
 * The summaries as last committed, partition by partition, and the next offset of each. A partition
 * whose checkpoint moved while it was read is read again, so that its summaries belong together.
 * @param since by partition: only what may have changed since is read. Default: all
 */
export async function committedSummaries(
  broker: Broker,
  table: string,
  partitions: number,
  since?: readonly TableMark[],
): Promise<CommittedSummaries> {
  const summaries: EncodedSummary[] = [];
  const nextOffsets: number[] = [];
  const epochs = new Set<number>();
  const marks: TableMark[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    for (;;) {
      const before = await progressOf(broker, table, partition);
      // Before it is read: what is committed meanwhile is read again.
      const mark = await broker.tableMark(table, partition);
      const read = await summariesOf(broker, table, partition, since?.[partition]);
      const after = await progressOf(broker, table, partition);
      if (after?.nextOffset === before?.nextOffset && after?.epoch === before?.epoch) {
        summaries.push(...read);
        marks.push(mark);
        nextOffsets.push(before?.nextOffset ?? 0);
        if (before !== undefined) {
          epochs.add(before.epoch);
        }
        break;
      }
    }
  }
  return { summaries, marks, since, nextOffsets, epochs };
}

/** Brings all partitions' summaries up to what is committed now, by whomever. */
export async function refreshSummaries(
  broker: Broker,
  table: string,
  partitions: number,
  signal: AbortSignal,
): Promise<void> {
  const refreshing = Array.from({ length: partitions }, (_, partition) =>
    broker.refreshTable(table, partition),
  );
  await unlessAborted(
    Promise.all(refreshing).then(() => undefined),
    signal,
  );
}

/** How many rows each partition's summaries hold: what a model is made of has changed when this has. */
export async function committedCounts(broker: Broker, table: string, partitions: number): Promise<string> {
  const counts: string[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const progress = await progressOf(broker, table, partition);
    counts.push(`${String(progress?.epoch ?? 0)}:${String(progress?.counted ?? 0)}`);
  }
  return counts.join(',');
}

async function progressOf(
  broker: Broker,
  table: string,
  partition: number,
): Promise<PartitionProgress | undefined> {
  const stored = await broker.tableGet(table, partition, PROGRESS_KEY);
  return stored === undefined ? undefined : decodeProgress(stored);
}

/** Regions of which something may have changed since a mark, and of each the parts that may have. */
async function summariesOf(
  broker: Broker,
  table: string,
  partition: number,
  since: TableMark | undefined,
): Promise<EncodedSummary[]> {
  const parts = new SummaryParts();
  for await (const { key, value } of broker.tableEntries(table, partition, SUMMARY_PREFIX, since)) {
    parts.add(key, value);
  }
  return Array.from(parts.regions(), ([token, stored]) => ({ partition, token, parts: stored }));
}
