import type { RejectedExample } from '../../report/report-data.ts';
import type { ModelPorts } from '../models/model-at.ts';
import type { RejectedRow } from '../rejected/rejected-row.ts';
import { rejectedRows } from '../rejected/rejected-rows.ts';

/** So far back examples are looked for: the topic may hold millions. */
const LOOKED_AT = 1_000;
const EXAMPLES_A_REASON = 3;
/** Longer rows are cut. */
const SHOWN_CHARACTERS = 160;

/** By reason the last rows that were set aside and not redriven since, the newest first. */
export async function lastRejected(ports: ModelPorts): Promise<ReadonlyMap<string, readonly RejectedRow[]>> {
  const rows: RejectedRow[] = [];
  for await (const { redriven, row } of rejectedRows(ports, {}, ports.signal, LOOKED_AT)) {
    if (!redriven) {
      rows.push(row);
    }
  }
  const byReason = new Map<string, RejectedRow[]>();
  for (const row of rows.reverse()) {
    const last = byReason.get(row.reason) ?? [];
    byReason.set(row.reason, last);
    if (last.length < EXAMPLES_A_REASON) {
      last.push(row);
    }
  }
  return byReason;
}

/** @param paths of files, by their ids. */
export function exampleOf(row: RejectedRow, paths: ReadonlyMap<string, string>): RejectedExample {
  const { file, message, record } = row;
  const where =
    file !== undefined
      ? `${file.path ?? paths.get(file.id) ?? file.id}, line ${String(file.line)}`
      : record !== undefined
        ? `${record.topic}-${String(record.partition)}, offset ${String(record.offset)}, line ${String(record.line)}`
        : row.id;
  return { message, where, row: shown(row.row) };
}

function shown({ bytes, encoding, text }: RejectedRow['row']): string {
  if (encoding === 'base64') {
    return `${String(bytes)} bytes that are no text`;
  }
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text;
}
