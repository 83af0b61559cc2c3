import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TopicSettings } from '../../src/actors/topics.ts';

/** Writes the settings of the replicas of a group into a folder that is made for it. */
export function configure(
  folder: string,
  topics: TopicSettings,
  transactionBytes: string,
  sessionMs: number,
): void {
  mkdirSync(folder);
  const { group, partitions, prefix } = topics;
  writeFileSync(
    join(folder, 'default.yaml'),
    [
      'input: { after: delete, events: false, scanEvery: 300ms }',
      `topics: { prefix: '${prefix}', group: ${group}, partitions: ${String(partitions)} }`,
      // Who starts while the broker is away waits for it.
      `broker: { wait: 300s, kafka: { sessionTimeout: ${String(sessionMs)}ms } }`,
      // Small steps, so that the blows find many different places.
      'source: { maxLineBytes: 1KiB }',
      `publisher: { transactionBytes: ${transactionBytes} }`,
      'checkpoint: { every: 300ms }',
      // A checkpoint writes every summary that changed, here nearly all of them. With the usual number of
      // features that would be some 40 MB, three times a second.
      // Rows of several files are published at a time: some are late, and by whom they are sent decides.
      'regions: { features: 100, pane: 1s, history: 60s, lateness: 12s }',
      'clustering: { halfLife: 30s, window: 90s }',
      '',
    ].join('\n'),
  );
}
