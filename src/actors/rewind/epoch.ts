import type { Broker } from '../../broker/broker.ts';
import { EPOCH_KEY } from '../topics.ts';

/**
 * A rewind, as it was asked for: all partitions are to be counted anew, each from its own offset. Each
 * partition's owner applies it once, in one transaction; `PartitionProgress.epoch` says that it has.
 */
export interface Epoch {
  /** 1 for the first rewind of a state, then one more each time. */
  readonly number: number;
  /** Offset for each input partition. */
  readonly targets: readonly number[];
  /** Wall-clock ms. */
  readonly requestedAt: number;
  /** What was asked for, in words. */
  readonly asked: string;
}

/** Before any rewind. */
const FIRST_EPOCH: Epoch = { number: 0, targets: [], requestedAt: 0, asked: 'nothing' };

/** The settings table has one partition. */
export const SETTINGS_PARTITION = 0;

const FORMAT_VERSION = 1;

export function encodeEpoch(epoch: Epoch): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...epoch }));
}

/** @throws Error when the record was written by a format this version does not know. */
function decodeEpoch(bytes: Uint8Array): Epoch {
  const { version, ...epoch } = JSON.parse(new TextDecoder().decode(bytes)) as Epoch & { version: unknown };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `the last rewind has format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}: it ` +
        'was asked for by another version of Geoflock; run the same everywhere',
    );
  }
  return epoch;
}

/** The epoch that is to be, as committed now. */
export async function currentEpoch(broker: Broker, settings: string): Promise<Epoch> {
  await broker.refreshTable(settings, SETTINGS_PARTITION);
  const stored = await broker.tableGet(settings, SETTINGS_PARTITION, EPOCH_KEY);
  return stored === undefined ? FIRST_EPOCH : decodeEpoch(stored);
}
