import { serializeModel } from '../../clustering/geojson.ts';
import type { Model } from '../../clustering/model.ts';
import type { ModelLineage } from '../models/lineage.ts';
import type { ModelEvent, PublishedModel } from './messages.ts';

export type ModelKind = 'live' | 'canonical';

const FORMAT_VERSION = 1;

/** A record of the models topic: a model, the offsets it reflects, and how it differs from the live one before. */
export function encodePublished(
  kind: ModelKind,
  { epoch, events, lineage, model, nextOffsets }: PublishedModel,
): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({
      version: FORMAT_VERSION,
      kind,
      epoch,
      nextOffsets,
      model: JSON.parse(serializeModel(model)) as unknown,
      events,
      lineage,
    }),
  );
}

/** @throws Error when the record was written by a format this version does not know. */
export function decodePublished(bytes: Uint8Array): PublishedModel & { readonly kind: ModelKind } {
  const {
    version,
    kind,
    epoch,
    events = [],
    lineage,
    model,
    nextOffsets,
  } = JSON.parse(new TextDecoder().decode(bytes)) as {
    version: unknown;
    kind: ModelKind;
    epoch: number;
    model: Model;
    nextOffsets: readonly number[];
    events?: readonly ModelEvent[];
    lineage?: ModelLineage;
  };
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `published model has format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}: ` +
        'a replica is of another version of Geoflock; run the same in all',
    );
  }
  return { kind, epoch, events, lineage, model, nextOffsets };
}
