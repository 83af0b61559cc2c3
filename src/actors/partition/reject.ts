import type { LogRecord } from '../../broker/broker.ts';
import { explainRejection } from '../../rows/explain.ts';
import { TOPIC_LAYOUT } from '../../rows/kernel.ts';
import { decodeOrigin, type Origin } from '../../rows/origin.ts';
import type { RejectReason } from '../../rows/reasons.ts';
import { keptRow, type RejectedRow } from '../rejected-row.ts';
import { ORIGIN_HEADER } from '../topics.ts';

/** What is kept of a row that this stage sets aside; its file and line where the message tells them. */
export function rejectedOnTopic(
  topic: string,
  partition: number,
  record: LogRecord,
  line: number,
  bytes: Uint8Array,
  reason: RejectReason,
): RejectedRow {
  const origin = originOf(record, line);
  return {
    id:
      origin === undefined
        ? `${topic}-${String(partition)}-${String(record.offset)}-${String(line)}`
        : `${origin.id}:${String(origin.byte)}`,
    reason,
    message: explainRejection(bytes, TOPIC_LAYOUT, reason),
    stage: reason === 'poison' ? 'region' : 'partition',
    ...(origin === undefined ? {} : { file: origin }),
    record: { topic, partition, offset: record.offset, line },
    row: keptRow(bytes),
  };
}

function originOf(record: LogRecord, line: number): RejectedRow['file'] {
  const header = record.headers[ORIGIN_HEADER];
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
