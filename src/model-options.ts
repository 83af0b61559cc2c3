import type { ModelOptions } from './clustering/model.ts';
import type { Configuration } from './config/schema.ts';

/** How the configuration wants models to be made. */
export function modelOptionsOf(clustering: Configuration['clustering']): ModelOptions {
  const { features, k, seed, seeds } = clustering;
  return { k, seed, seedings: seeds, searchFeatures: features };
}
