import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, systemClock } from '../system/clock.ts';
import { HEADERS, type WriteRows } from './rows.ts';
import { rowMaker, type ShapeOptions } from './shapes.ts';

export interface GenerateOptions extends ShapeOptions {
  /** Made when it is missing. */
  readonly directory: string;
  /** Rows in each file; 0 makes files of a header only. */
  readonly rows: number;
  /** Number of files; endless without. */
  readonly files?: number | undefined;
  /** From the start of one file to the start of the next, ms; 0 for no pause. */
  readonly everyMs: number;
  /** Fixes names and bytes. */
  readonly seed?: string | undefined;
}

export interface GeneratedFile {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
}

export interface Generated {
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
}

/** Simulated time starts here when there is a seed. */
const SIMULATED_START_MS = Date.UTC(2026, 0, 1);

/** Simulated time from file to file when there is no pause between them. */
const DEFAULT_INTERVAL_MS = 10_000;

/** About 3 ms of work between two turns of the event loop. */
const ROWS_PER_SLICE = 2048;

/**
 * Writes files until there are enough or `signal` aborts; then the file in work ends after a whole
 * row. Each file is written in place, as the replaced generator did, and never over another one:
 * where its name is taken, it gets the next nanosecond's. Between slices of at most some
 * milliseconds the event loop turns.
 *
 * With a seed, file `i` starts at 2026-01-01T00:00Z + i intervals (the pause, else 10 s) and its rows
 * spread evenly over its interval. Without one they spread over the interval that ends now.
 *
 * @param onFile called after each file
 * @throws the file system's error when the folder or a file cannot be written
 */
export async function generateFiles(
  options: GenerateOptions,
  signal: AbortSignal,
  onFile?: (file: GeneratedFile) => void,
  clock: Clock = systemClock,
): Promise<Generated> {
  const seed = options.seed ?? randomUUID();
  const spanMs = options.everyMs > 0 ? options.everyMs : DEFAULT_INTERVAL_MS;
  const maker = await rowMaker(options, seed, clock);
  const buffer = Buffer.allocUnsafe(maker.bytesOf(ROWS_PER_SLICE));
  const total = { files: 0, rows: 0, bytes: 0 };
  let due = clock.monotonic();
  await fs.mkdir(options.directory, { recursive: true });
  for (let index = 0; index < (options.files ?? Infinity) && !signal.aborted; index++) {
    const nowMs = clock.now();
    const simulatedMs = SIMULATED_START_MS + index * spanMs;
    const startMs = options.seed === undefined ? nowMs - spanMs : simulatedMs;
    const nameMs = options.seed === undefined ? nowMs : simulatedMs;
    const write = maker.file(index, { startMs, spanMs, rows: options.rows });
    const file = await writeFile(options, nameMs, write, buffer, signal);
    total.files++;
    total.rows += file.rows;
    total.bytes += file.bytes;
    onFile?.(file);
    due += options.everyMs;
    const pause = due - clock.monotonic();
    if (pause <= 0) {
      due = clock.monotonic();
    } else if (index + 1 < (options.files ?? Infinity)) {
      await sleep(pause, signal);
    }
  }
  return total;
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  }
}

async function writeFile(
  options: GenerateOptions,
  nameMs: number,
  write: WriteRows,
  buffer: Buffer,
  signal: AbortSignal,
): Promise<GeneratedFile> {
  const { handle, file } = await createFile(options.directory, BigInt(Math.floor(nameMs)) * 1_000_000n);
  let rows = 0;
  let bytes = 0;
  try {
    bytes += await writeFully(handle, buffer, buffer.write(HEADERS[options.header], 'latin1'));
    while (rows < options.rows && !signal.aborted) {
      const count = Math.min(ROWS_PER_SLICE, options.rows - rows);
      bytes += await writeFully(handle, buffer, write(buffer, rows, count));
      rows += count;
    }
  } finally {
    await handle.close();
  }
  return { path: file, rows, bytes };
}

async function createFile(
  directory: string,
  nameNs: bigint,
): Promise<{ readonly handle: fs.FileHandle; readonly file: string }> {
  for (let ns = nameNs; ; ns++) {
    const file = path.join(directory, `mobile_data_${String(ns)}.csv`);
    try {
      return { handle: await fs.open(file, 'wx'), file };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) {
        throw error;
      }
    }
  }
}

/** A write may take fewer bytes than it was given. */
async function writeFully(handle: fs.FileHandle, bytes: Uint8Array, length: number): Promise<number> {
  let written = 0;
  while (written < length) {
    written += (await handle.write(bytes, written, length - written)).bytesWritten;
  }
  return length;
}
