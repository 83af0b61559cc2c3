import type { Broker } from '../../broker/broker.ts';
import { decodeProgress, type PartitionProgress } from '../partition/progress.ts';
import { parseSummaryKey, SummaryParts } from '../partition/summary-chunks.ts';
import { PROGRESS_KEY, SUMMARY_PREFIX } from '../topics.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { EncodedSummary, KnowsPart } from './decoded-summaries.ts';

export interface CommittedSummaries {
  readonly summaries: readonly EncodedSummary[];
  readonly nextOffsets: readonly number[];
  /** Epoch of each partition that has counted anything: no model is made of several. */
  readonly epochs: ReadonlySet<number>;
}

/**
 * The summaries as last committed, partition by partition, and the next offset of each. A partition
 * whose checkpoint moved while it was read is read again, so that its summaries belong together.
 * @param knows parts that need not be read
 */
export async function committedSummaries(
  broker: Broker,
  table: string,
  partitions: number,
  knows: KnowsPart = () => false,
): Promise<CommittedSummaries> {
  const summaries: EncodedSummary[] = [];
  const nextOffsets: number[] = [];
  const epochs = new Set<number>();
  for (let partition = 0; partition < partitions; partition++) {
    for (;;) {
      const before = await progressOf(broker, table, partition);
      const read = await summariesOf(broker, table, partition, knows);
      const after = await progressOf(broker, table, partition);
      if (after?.nextOffset === before?.nextOffset && after?.epoch === before?.epoch) {
        summaries.push(...read);
        nextOffsets.push(before?.nextOffset ?? 0);
        if (before !== undefined) {
          epochs.add(before.epoch);
        }
        break;
      }
    }
  }
  return { summaries, nextOffsets, epochs };
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

async function summariesOf(
  broker: Broker,
  table: string,
  partition: number,
  knows: KnowsPart,
): Promise<EncodedSummary[]> {
  const parts = new SummaryParts();
  const isKnown = (key: string, value: Uint8Array): boolean => {
    const { chunk, part, token } = parseSummaryKey(key);
    // The first chunk tells, and comes first.
    if (chunk > 0 ? !parts.isKnown(token, part) : !knows(partition, token, part, value)) {
      return false;
    }
    parts.addKnown(token, part);
    return true;
  };
  for await (const { key, value } of broker.tableEntries(table, partition, SUMMARY_PREFIX, isKnown)) {
    parts.add(key, value);
  }
  return Array.from(parts.regions(), ([token, stored, known]) => ({
    partition,
    token,
    parts: stored,
    known,
  }));
}
