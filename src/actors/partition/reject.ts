import type { LogRecord } from '../../broker/broker.ts';
import { explainRejection } from '../../rows/explain.ts';
import { TOPIC_LAYOUT } from '../../rows/kernel.ts';
import { decodeOrigin, type Origin } from '../../rows/origin.ts';
import type { RejectReason } from '../../rows/reasons.ts';
import { keptRow, type RejectedRow } from '../rejected/rejected-row.ts';
import type { TopicNames } from '../topics.ts';

/** What is kept of a row that this stage sets aside; its file and line where the message tells them. */
export function rejectedOnTopic(
  { originHeader, redrivenHeader, rows }: Pick<TopicNames, 'originHeader' | 'redrivenHeader' | 'rows'>,
  partition: number,
  record: LogRecord,
  line: number,
  bytes: Uint8Array,
  reason: RejectReason,
): RejectedRow {
  const origin = originOf(record.headers[originHeader], line);
  // The name by its place in the file is that of its first rejection.
  const again = record.headers[redrivenHeader] !== undefined;
  return {
    id:
      origin === undefined || again
        ? `${rows}-${String(partition)}-${String(record.offset)}-${String(line)}`
        : `${origin.id}:${String(origin.byte)}`,
    reason,
    message: explainRejection(bytes, TOPIC_LAYOUT, reason),
    stage: reason === 'poison' ? 'region' : 'partition',
    ...(origin === undefined ? {} : { file: origin }),
    record: { topic: rows, partition, offset: record.offset, line },
    row: keptRow(bytes),
  };
}

function originOf(header: Uint8Array | undefined, line: number): RejectedRow['file'] {
  if (header === undefined) {
    return undefined;
  }
  let origin: Origin;
  try {
    origin = decodeOrigin(header);
  } catch {
    // Whoever wrote it, a row that is set aside anyhow must not end the process.
    return undefined;
  }
  const at = origin.lines[line];
  const byte = origin.bytes[line];
  return at === undefined || byte === undefined ? undefined : { id: origin.fileId, line: at, byte };
}
