import type { Clock } from '../system/clock.ts';
import type { LogRecord, PartitionReader } from './broker.ts';

const READ_BYTES = 256 * 1024;
/** Between two looks at the position: markers pass without waking a reader. */
const LOOK_MS = 20;

/**
 * Reads from where `reader` is up to the offset `end`, which the log has come to: what is there, and no
 * more. Each batch is valid until the next; records at `end` and behind it may be among the last ones.
 */
export async function* readToEnd(
  reader: PartitionReader,
  end: number,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<readonly LogRecord[]> {
  while (reader.position < end && !signal.aborted) {
    const stop = new AbortController();
    const abort = (): void => {
      stop.abort();
    };
    const look = (): void => {
      if (reader.position >= end) {
        abort();
      }
      cancel = clock.after(LOOK_MS, look);
    };
    let cancel = clock.after(LOOK_MS, look);
    signal.addEventListener('abort', abort, { once: true });
    try {
      const records = await reader.read(READ_BYTES, stop.signal);
      if (records.length > 0) {
        yield records;
      }
    } finally {
      cancel();
      signal.removeEventListener('abort', abort);
    }
  }
}

/** Offset of the first record before `end` of this time (ms since the epoch) or later. Closes the reader. */
export async function firstRecordSince(
  reader: PartitionReader,
  end: number,
  timestamp: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    for await (const records of readToEnd(reader, end, clock, signal)) {
      const found = records.find((record) => record.timestamp >= timestamp);
      if (found !== undefined) {
        return found.offset;
      }
    }
    signal.throwIfAborted();
    return undefined;
  } finally {
    await reader.close();
  }
}
