import type { LogRecord } from '../../broker/broker.ts';

/**
 * Where parsing stands inside the messages last read. A message is left in the middle when credit
 * ends there; the rest of it stays in the log's bytes and is not in flight.
 */
export interface MessageCursor {
  records: readonly LogRecord[];
  index: number;
  /** Bytes and lines of the current message that are parsed. */
  byte: number;
  line: number;
}

export function emptyCursor(): MessageCursor {
  return { records: [], index: 0, byte: 0, line: 0 };
}

export function load(cursor: MessageCursor, records: readonly LogRecord[]): void {
  cursor.records = records;
  cursor.index = 0;
  cursor.byte = 0;
  cursor.line = 0;
}

export function current(cursor: MessageCursor): LogRecord | undefined {
  return cursor.records[cursor.index];
}

/** Between two messages: the only places where progress can be written as an offset. */
export function atMessageBoundary(cursor: MessageCursor): boolean {
  return cursor.byte === 0;
}

export function advance(cursor: MessageCursor, bytes: number, lines: number, messageBytes: number): void {
  cursor.byte += bytes;
  cursor.line += lines;
  if (cursor.byte >= messageBytes) {
    cursor.index++;
    cursor.byte = 0;
    cursor.line = 0;
  }
}
