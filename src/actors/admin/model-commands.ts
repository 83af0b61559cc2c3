import { CommandError } from '../../admin/outcome.ts';
import { serializeModel } from '../../clustering/geojson.ts';
import { nameModel } from '../../places/places.ts';
import type { ModelPorts } from '../models/model-at.ts';
import { type KeptModel, publishedModels } from '../models/published-models.ts';
import { type ToldModel, toldModel } from '../models/told-model.ts';
import type { Call, CommandPorts, Handler } from './command-ports.ts';

export function modelCommands(ports: CommandPorts): {
  readonly predict: Handler<'predict'>;
  readonly 'models.list': Handler<'models.list'>;
  readonly 'models.show': Handler<'models.show'>;
} {
  return {
    predict: async ({ positions }, call) => {
      const last = await ports.served.get(modelPorts(ports, call));
      if (last === undefined) {
        throw noModel();
      }
      const { kept, predictor } = last;
      if (predictor === undefined) {
        throw new CommandError('refused', 'the model has no clusters: no rows are counted in it');
      }
      const predictions = positions.map(({ latitude, longitude }) => {
        const { distanceKm, id, marginKm, place, ...at } = predictor.predict(longitude, latitude);
        return { cluster: id, ...at, place: place?.text ?? null, distanceKm, marginKm };
      });
      return { model: kept.offset, predictions };
    },
    'models.list': async ({ limit }, call) => {
      const models: KeptModel[] = [];
      for await (const kept of publishedModels(modelPorts(ports, call))) {
        models.push(kept);
        if (models.length > limit) {
          models.shift();
        }
      }
      const told: ToldModel[] = [];
      for (const kept of models.toReversed()) {
        told.push(toldModel(kept, await nameModel(kept.model, call.context.clock)));
      }
      return { models: told };
    },
    'models.show': async ({ model: wanted }, call) => {
      const kept = await find(ports, wanted, call);
      const named = await nameModel(kept.model, call.context.clock);
      const { cost, epoch, k, kind, lineage, model, nextOffsets, publishedAt, weight } = toldModel(
        kept,
        named,
      );
      const detail = JSON.parse(serializeModel(named)) as Record<string, unknown>;
      return { model, kind, publishedAt, k, weight, cost, epoch, nextOffsets, lineage, detail };
    },
  };
}

export function modelPorts(
  { broker, partitions, topics }: CommandPorts,
  { context, signal }: Call,
): ModelPorts {
  return { broker, partitions, topics, clock: context.clock, signal };
}

async function find(ports: CommandPorts, wanted: number | 'latest', call: Call): Promise<KeptModel> {
  if (wanted === 'latest') {
    const last = await ports.served.get(modelPorts(ports, call));
    if (last === undefined) {
      throw noModel();
    }
    return last.kept;
  }
  for await (const kept of publishedModels(modelPorts(ports, call))) {
    if (kept.offset === wanted) {
      return kept;
    }
  }
  throw new CommandError('not-found', `no model ${String(wanted)} is kept; models list tells those that are`);
}

function noModel(): CommandError {
  return new CommandError('not-found', 'no model is published yet: that takes rows, and model.every of time');
}
