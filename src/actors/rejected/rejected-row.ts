import type { OutgoingRecord } from '../../broker/broker.ts';
import type { RejectReason } from '../../rows/reasons.ts';

/**
 * A row that was set aside, as it stands on the rejected topic. The id is what a redrive names:
 * `<file id>:<byte>` for a row of a file, `<topic>-<partition>-<offset>-<line>` for any other.
 */
export interface RejectedRow {
  readonly id: string;
  readonly reason: RejectReason;
  /** The reason in words, with the value and the remedy. */
  readonly message: string;
  readonly stage: 'publisher' | 'partition' | 'region';
  readonly file?: {
    readonly id: string;
    readonly path?: string;
    /** 1-based line number in the file. */
    readonly line: number;
    /** Byte offset of the line's first byte in the file. */
    readonly byte: number;
  };
  readonly record?: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
    /** 0-based line inside the message. */
    readonly line: number;
  };
  /** The row's bytes: as text where they are UTF-8, else base64. Cut at `KEPT_BYTES`. */
  readonly row: { readonly encoding: 'utf8' | 'base64'; readonly text: string; readonly bytes: number };
}

/** An over-long line is kept up to here; its full length is told beside it. */
export const KEPT_BYTES = 64 * 1024;

const FORMAT_VERSION = 1;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The kept form of a row's bytes; `length` is the whole row's, where `bytes` is only its beginning. */
export function keptRow(bytes: Uint8Array, length: number = bytes.length): RejectedRow['row'] {
  const kept = bytes.subarray(0, KEPT_BYTES);
  try {
    return { encoding: 'utf8', text: strictUtf8.decode(kept), bytes: length };
  } catch {
    return { encoding: 'base64', text: Buffer.from(kept).toString('base64'), bytes: length };
  }
}

export function rejectedRecord(row: RejectedRow, timestamp: number): OutgoingRecord {
  return {
    key: row.id,
    value: new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...row })),
    timestamp,
  };
}

export function parseRejectedRow(value: Uint8Array): RejectedRow {
  const { version, ...row } = JSON.parse(new TextDecoder().decode(value)) as RejectedRow & {
    version: unknown;
  };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `rejected row has format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}`,
    );
  }
  return row;
}
