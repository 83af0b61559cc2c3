import type { Broker, Transaction } from '../../broker/broker.ts';
import { SETTINGS_PARTITION } from '../rewind/epoch.ts';
import { RETRY_PREFIX, SET_PREFIX } from '../topics.ts';

/** A value that was set while it runs. */
export interface SetValue {
  /** As it is written in the configuration. */
  readonly value: string | number;
  /** Wall-clock ms, and by whom. */
  readonly at: number;
  readonly by: string;
}

/** What was asked for while it runs, for all replicas, as committed. */
export interface RunTimeSettings {
  /** By key of the configuration. */
  readonly values: ReadonlyMap<string, SetValue>;
  /** Wall-clock ms by path of a file: it is tried again if it failed before. */
  readonly retries: ReadonlyMap<string, number>;
}

const FORMAT_VERSION = 1;

export async function readRunTimeSettings(
  broker: Pick<Broker, 'refreshTable' | 'tableEntries'>,
  table: string,
): Promise<RunTimeSettings> {
  await broker.refreshTable(table, SETTINGS_PARTITION);
  const values = new Map<string, SetValue>();
  for await (const { key, value } of broker.tableEntries(table, SETTINGS_PARTITION, SET_PREFIX)) {
    values.set(key.slice(SET_PREFIX.length), decode(value) as SetValue);
  }
  const retries = new Map<string, number>();
  for await (const { key, value } of broker.tableEntries(table, SETTINGS_PARTITION, RETRY_PREFIX)) {
    retries.set(key.slice(RETRY_PREFIX.length), (decode(value) as { readonly at: number }).at);
  }
  return { values, retries };
}

/** Sets a value, or goes back to the configuration's (`null`). */
export function putValue(transaction: Transaction, table: string, key: string, value: SetValue | null): void {
  transaction.put(table, SETTINGS_PARTITION, SET_PREFIX + key, value === null ? null : encode(value));
}

/** Files at this path that failed before `at` are tried again; null: there is none any more. */
export function putRetry(transaction: Transaction, table: string, path: string, at: number | null): void {
  transaction.put(table, SETTINGS_PARTITION, RETRY_PREFIX + path, at === null ? null : encode({ at }));
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...value }));
}

/** @throws Error when it was written by a format this version does not know. */
function decode(bytes: Uint8Array): object {
  const { version, ...value } = JSON.parse(new TextDecoder().decode(bytes)) as { version: unknown };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `a setting has format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}: it was ` +
        'set by another version of Geoflock; run the same everywhere',
    );
  }
  return value;
}
