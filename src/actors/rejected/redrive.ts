import { randomUUID } from 'node:crypto';
import type { OutgoingRecord } from '../../broker/broker.ts';
import { partitionOf } from '../../broker/partitioner.ts';
import { regionToken } from '../../geo/s2.ts';
import type { HeaderDecision } from '../../rows/header.ts';
import { encodeOrigin } from '../../rows/origin.ts';
import type { Random } from '../../system/clock.ts';
import { withContestedWriter } from '../writer-race.ts';
import { judgeAgain, judgeReplacement, type JudgeSettings, type Verdict } from './judge-again.ts';
import { encodeRedriven, RedrivenMarks } from './redriven.ts';
import type { RejectedRow } from './rejected-row.ts';
import type { RejectedPorts } from './rejected-rows.ts';

export interface RedrivePorts extends RejectedPorts {
  readonly random: Random;
  readonly settings: JudgeSettings;
  /** How a file is read, by its id. */
  readonly headerOf: (fileId: string) => HeaderDecision | undefined;
}

export type RedriveOutcome =
  /** It is on the log, and marked, by this call. */
  | { readonly kind: 'redriven' }
  /** It had been redriven before, by whomever. */
  | { readonly kind: 'already' }
  | Extract<Verdict, { readonly kind: 'rejected' }>;

const WRITER = 'redrive-0';
/** Rows of one transaction. */
export const REDRIVE_BATCH = 500;

/**
 * Sends rejected rows to the log that are good by the settings of now, and marks them, in one
 * transaction: each once, however many do so at the same time, and whatever is killed meanwhile. The
 * row keeps its file, line and byte; where it is counted it moves from rejected to counted.
 *
 * @param replacement a line in the topic's columns to be sent in the place of the (one) row
 * @returns what became of each, in order
 */
export async function redrive(
  ports: RedrivePorts,
  rows: readonly RejectedRow[],
  replacement?: string,
): Promise<readonly RedriveOutcome[]> {
  const { broker, clock, partitions, settings, topics } = ports;
  const marks = new RedrivenMarks(broker, topics.files, partitions);
  const now = clock.now();
  const verdicts = rows.map((row): Verdict => {
    const header = row.file === undefined ? undefined : ports.headerOf(row.file.id);
    return replacement === undefined
      ? judgeAgain(row, header, settings, now)
      : judgeReplacement(replacement, settings, now);
  });
  // After a commit whose end is not known, a mark says whether it was this call's.
  const by = randomUUID();
  return await withContestedWriter(broker, WRITER, ports, async (writer) => {
    await marks.refresh();
    const outcomes: RedriveOutcome[] = [];
    const sent = new Map<string, Sent>();
    for (const [index, row] of rows.entries()) {
      const verdict = verdicts[index] as Verdict;
      const mark = await marks.of(row.id);
      if (mark !== undefined || sent.has(row.id)) {
        outcomes.push({ kind: mark?.by === by ? 'redriven' : 'already' });
      } else if (verdict.kind === 'rejected') {
        outcomes.push(verdict);
      } else {
        sent.set(row.id, { row, ...verdict });
        outcomes.push({ kind: 'redriven' });
      }
    }
    if (sent.size > 0) {
      const transaction = writer.begin();
      for (const [id, one] of sent) {
        const { partition, record } = messageOf(ports, one, now);
        transaction.append(topics.rows, partition, [record]);
        marks.put(transaction, id, { by, at: now });
      }
      await (await transaction.commit()).flushed;
    }
    return outcomes;
  });
}

interface Sent extends Extract<Verdict, { readonly kind: 'accepted' }> {
  readonly row: RejectedRow;
}

/**
 * A row of the log goes to the partition that rejected it, where it is in the books; a row of a file to
 * that of its region, as all rows of files do.
 */
function messageOf(
  { partitions, settings, topics }: RedrivePorts,
  { line, region, row }: Sent,
  timestamp: number,
): { readonly partition: number; readonly record: OutgoingRecord } {
  const { file, reason, record } = row;
  const key = regionToken(region, settings.level);
  const redriven = encodeRedriven({ reason, fileId: file?.id, rejectedAt: record?.offset });
  const origin = file === undefined ? undefined : encodeOrigin(file.id, [file.line], [file.byte]);
  return {
    partition: record?.partition ?? partitionOf(key, partitions),
    record: {
      key,
      value: line,
      timestamp,
      headers: {
        [topics.redrivenHeader]: redriven,
        ...(origin === undefined ? {} : { [topics.originHeader]: origin }),
      },
    },
  };
}
