import { readToEnd } from '../../broker/read-to-end.ts';
import type { PublishedModel } from '../centroid-aggregator/messages.ts';
import { decodePublished, type ModelKind } from '../centroid-aggregator/published-model.ts';
import type { ModelPorts } from './model-at.ts';

export interface KeptModel extends PublishedModel {
  readonly kind: ModelKind;
  /** Offset in the models topic: the model's number. */
  readonly offset: number;
  /** Wall-clock ms at which it was published. */
  readonly publishedAt: number;
}

const MODELS_PARTITION = 0;
const LOOK_BACK = 16;

/** The models that were published and are kept, the oldest first; about so many of the last ones. */
export async function* publishedModels(ports: ModelPorts, last = Infinity): AsyncGenerator<KeptModel> {
  const { broker, clock, signal, topics } = ports;
  const { end, first } = await broker.offsets(topics.models, MODELS_PARTITION);
  const from = Math.max(first, end - last);
  const reader = await broker.openReader(topics.models, MODELS_PARTITION, from);
  try {
    for await (const records of readToEnd(reader, end, clock, signal)) {
      for (const { offset, timestamp, value } of records) {
        if (value !== null) {
          yield { ...decodePublished(value), offset, publishedAt: timestamp };
        }
      }
    }
  } finally {
    await reader.close();
  }
}

/** The last model that was published and is kept; undefined where there is none. */
export async function lastPublishedModel(ports: ModelPorts): Promise<KeptModel | undefined> {
  // Some offsets are markers of transactions: a look back that finds nothing is followed by all.
  for (const back of [LOOK_BACK, Infinity]) {
    let last: KeptModel | undefined;
    for await (const model of publishedModels(ports, back)) {
      last = model;
    }
    if (last !== undefined) {
      return last;
    }
  }
  return undefined;
}
