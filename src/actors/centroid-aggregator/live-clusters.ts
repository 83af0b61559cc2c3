import type { Broker } from '../../broker/broker.ts';
import type { Drift } from '../../clustering/drift.ts';
import type { KnownClusters } from '../../clustering/live-model.ts';
import { SETTINGS_PARTITION } from '../rewind/epoch.ts';
import { LIVE_KEY } from '../topics.ts';

/**
 * What is remembered of the last live model is an entry of the settings table, committed with the model in
 * one transaction: it outlives the models, which retention removes, and every owner finds it at once.
 */
const FORMAT_VERSION = 1;

/** What the next live model is to know of the last one. */
export interface LiveState {
  readonly clusters: KnownClusters;
  /** What is known of drift; undefined: no pane was judged. */
  readonly drift: Drift | undefined;
}

export function encodeLiveState({ clusters, drift }: LiveState): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...clusters, drift }));
}

/** @throws Error when the entry was written by a format this version does not know. */
function decodeLiveState(bytes: Uint8Array): LiveState {
  const { version, drift, ...clusters } = JSON.parse(new TextDecoder().decode(bytes)) as KnownClusters & {
    version: unknown;
    drift?: Partial<Drift> & Pick<Drift, 'pane' | 'alarm'>;
  };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `the last live clusters have format version ${String(version)}, this program knows ` +
        `${String(FORMAT_VERSION)}: they were published by another version of Geoflock; run the same everywhere`,
    );
  }
  // JSON has no undefined.
  return {
    clusters,
    drift: drift === undefined ? undefined : { ratio: undefined, since: undefined, ...drift },
  };
}

/** That of the last live model that was committed, by whomever; undefined before the first. */
export async function lastLiveState(broker: Broker, settings: string): Promise<LiveState | undefined> {
  await broker.refreshTable(settings, SETTINGS_PARTITION);
  const stored = await broker.tableGet(settings, SETTINGS_PARTITION, LIVE_KEY);
  return stored === undefined ? undefined : decodeLiveState(stored);
}
