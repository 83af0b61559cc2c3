import type { NamedModel } from '../../clustering/geojson.ts';
import { Predictor } from '../../clustering/predict.ts';
import { nameModel } from '../../places/places.ts';
import type { ModelPorts } from '../models/model-at.ts';
import { type KeptModel, lastPublishedModel } from '../models/published-models.ts';

/** The model that was published last, as the doors answer by it. */
export interface LastModel {
  readonly kept: KeptModel;
  readonly model: NamedModel;
  /** Undefined: it has no clusters. */
  readonly predictor: Predictor | undefined;
}

/** Reads the last published model when it is asked for, and keeps it until there is another. */
export class ServedModel {
  #last: Promise<LastModel | undefined> | undefined;

  /** There is another. */
  changed(): void {
    this.#last = undefined;
  }

  async get(ports: ModelPorts): Promise<LastModel | undefined> {
    const last = (this.#last ??= read(ports));
    try {
      const found = await last;
      if (found === undefined) {
        this.#forget(last);
      }
      return found;
    } catch (error) {
      this.#forget(last);
      throw error;
    }
  }

  #forget(last: Promise<unknown>): void {
    if (this.#last === last) {
      this.#last = undefined;
    }
  }
}

async function read(ports: ModelPorts): Promise<LastModel | undefined> {
  const kept = await lastPublishedModel(ports);
  if (kept === undefined) {
    return undefined;
  }
  const model = await nameModel(kept.model, ports.clock);
  return { kept, model, predictor: model.clusters.length === 0 ? undefined : new Predictor(model) };
}
