import { branch, layer, type Tree } from './tree.ts';
import type { ConfigurationEntry } from './load.ts';

/** Aligned lines of key, value as written (paths: as used) and source, for a human. */
export function configurationTable(entries: readonly ConfigurationEntry[]): string {
  const rows = entries.map((entry) => [entry.key, shown(entry), entry.source] as const);
  const width = (column: 0 | 1): number => Math.max(0, ...rows.map((row) => row[column].length));
  const keyWidth = width(0);
  const valueWidth = width(1);
  return rows
    .map(([key, value, source]) => `${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`)
    .join('');
}

function shown({ key, written, value }: ConfigurationEntry): string {
  if (written === null) {
    return '-';
  }
  const isPath = /\.directory$|^input\.moveTo$|^admin\.tokenFile$|\.tls\.(?:ca|cert|key)$/.test(key);
  const printed = isPath ? value : written;
  return typeof printed === 'string' && printed !== '' ? printed : JSON.stringify(printed);
}

/**
 * The same as nested objects whose leaves are `{ value, written, source }`; durations are in
 * milliseconds and sizes in bytes in `value`.
 */
export function configurationJson(entries: readonly ConfigurationEntry[]): string {
  const tree = entries.reduce<Tree>(
    (all, { key, value, written, source }) => layer(all, branch(key.split('.'), { value, written, source })),
    {},
  );
  return `${JSON.stringify(tree, undefined, 2)}\n`;
}
