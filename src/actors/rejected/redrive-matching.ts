import type { Configuration } from '../../config/schema.ts';
import type { Random } from '../../system/clock.ts';
import { redrive, REDRIVE_BATCH } from './redrive.ts';
import type { RejectedRow } from './rejected-row.ts';
import { ledgerByFileId, type RejectedFilter, type RejectedPorts, rejectedRows } from './rejected-rows.ts';

const MOST_TOLD = 1_000;

export interface RedriveTally {
  redriven: number;
  /** They had been redriven before. */
  already: number;
  stillRejectedRows: number;
  /** The first of them. */
  readonly stillRejected: { readonly id: string; readonly reason: string; readonly message: string }[];
  /** Ids that were named and of which no row is kept. */
  readonly missing: string[];
}

/**
 * Redrives all rows that match.
 * @param replacement a line in the topic's columns to be sent in the place of the (one) row
 * @param most of the rows that stay rejected so many are told one by one
 */
export async function redriveMatching(
  ports: RejectedPorts & { readonly random: Random },
  { regions, source }: Pick<Configuration, 'regions' | 'source'>,
  filter: RejectedFilter,
  replacement: string | undefined,
  signal: AbortSignal,
  most = MOST_TOLD,
): Promise<RedriveTally> {
  const files = await ledgerByFileId(ports);
  const missing = new Set(filter.ids ?? []);
  const tally: RedriveTally = {
    redriven: 0,
    already: 0,
    stillRejectedRows: 0,
    stillRejected: [],
    missing: [],
  };
  const settings = {
    columns: source.columns,
    utcOffsetMinutes: source.timezone,
    maxLineBytes: source.maxLineBytes,
    maxFutureMs: source.maxFuture,
    level: regions.level,
  };
  const headerOf = (fileId: string) => files.get(fileId)?.header;
  let batch: RejectedRow[] = [];
  const send = async (): Promise<void> => {
    const rows = batch;
    batch = [];
    const outcomes = await redrive({ ...ports, settings, headerOf }, rows, replacement);
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind === 'rejected') {
        const { message, reason } = outcome;
        tally.stillRejectedRows++;
        if (tally.stillRejected.length < most) {
          tally.stillRejected.push({ id: (rows[index] as RejectedRow).id, reason, message });
        }
      } else {
        tally[outcome.kind]++;
      }
    }
  };
  for await (const { redriven, row } of rejectedRows(ports, filter, signal)) {
    missing.delete(row.id);
    if (redriven) {
      tally.already++;
      continue;
    }
    batch.push(row);
    if (batch.length === REDRIVE_BATCH) {
      await send();
    }
  }
  signal.throwIfAborted();
  await send();
  tally.missing.push(...missing);
  return tally;
}
