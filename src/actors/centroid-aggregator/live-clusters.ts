import type { Broker } from '../../broker/broker.ts';
import type { LiveClusters } from '../../clustering/identity.ts';
import { SETTINGS_PARTITION } from '../rewind/epoch.ts';
import { LIVE_KEY } from '../topics.ts';

/**
 * What is remembered of the last live model is an entry of the settings table, committed with the model in
 * one transaction: it outlives the models, which retention removes, and every owner finds it at once.
 */
const FORMAT_VERSION = 1;

export function encodeLiveClusters(live: LiveClusters): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...live }));
}

/** @throws Error when the entry was written by a format this version does not know. */
function decodeLiveClusters(bytes: Uint8Array): LiveClusters {
  const { version, nextId, clusters } = JSON.parse(new TextDecoder().decode(bytes)) as LiveClusters & {
    version: unknown;
  };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `the last live clusters have format version ${String(version)}, this program knows ` +
        `${String(FORMAT_VERSION)}: they were published by another version of Geoflock; run the same everywhere`,
    );
  }
  return { nextId, clusters };
}

/** Those of the last live model that was committed, by whomever; undefined before the first. */
export async function lastLiveClusters(broker: Broker, settings: string): Promise<LiveClusters | undefined> {
  await broker.refreshTable(settings, SETTINGS_PARTITION);
  const stored = await broker.tableGet(settings, SETTINGS_PARTITION, LIVE_KEY);
  return stored === undefined ? undefined : decodeLiveClusters(stored);
}
