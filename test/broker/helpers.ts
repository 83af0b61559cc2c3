import type { Broker, OutgoingRecord, TableMark } from '../../src/broker/broker.ts';

/** What a reader waits for so long is not there, or belongs to a transaction that is open. */
const NOT_THERE_MS = 30_000;

/** For reads that are bound to end. */
export const NEVER = new AbortController().signal;

export function record(value: string | Uint8Array | null, key: string | null = null): OutgoingRecord {
  return { key, value: typeof value === 'string' ? Buffer.from(value) : value, timestamp: 1_700_000_000_000 };
}

export function text(value: Uint8Array | null | undefined): string | null {
  return value === null || value === undefined ? null : Buffer.from(value).toString('utf8');
}

/** Appends in a transaction of a writer of its own. */
export async function append(
  broker: Broker,
  partition: number,
  records: readonly OutgoingRecord[],
  topic = 'log',
): Promise<void> {
  const writer = await broker.openWriter('helper');
  const transaction = writer.begin();
  transaction.append(topic, partition, records);
  await (await transaction.commit()).flushed;
  await writer.close();
}

/** Reads up to the present end; values as text. */
export async function readAll(broker: Broker, partition: number, from = 0, topic = 'log'): Promise<string[]> {
  const { end } = await broker.offsets(topic, partition);
  const reader = await broker.openReader(topic, partition, from);
  const values: string[] = [];
  while (reader.position < end) {
    const stop = new AbortController();
    const began = Date.now();
    // Where nothing but markers lies before the end the position comes to it with nothing to read.
    const timer = setInterval(() => {
      if (reader.position >= end || Date.now() - began > NOT_THERE_MS) {
        stop.abort();
      }
    }, 5);
    const records = await reader.read(1 << 20, stop.signal);
    clearInterval(timer);
    if (records.length === 0) {
      break;
    }
    values.push(...records.map((one) => text(one.value) ?? 'null'));
  }
  await reader.close();
  return values;
}

export async function entriesOf(
  broker: Broker,
  partition: number,
  prefix?: string,
  table = 'table',
  since?: TableMark,
): Promise<[string, string | null][]> {
  const entries: [string, string | null][] = [];
  for await (const { key, value } of broker.tableEntries(table, partition, prefix, since)) {
    entries.push([key, text(value)]);
  }
  return entries;
}

export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves once `check` no longer throws; rejects with what it threw last. */
export async function eventually(check: () => void | Promise<void>, withinMs = 30_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() >= deadline) {
        throw error;
      }
    }
    await pause(20);
  }
}
