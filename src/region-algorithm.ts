import { createHash } from 'node:crypto';
import type { BatchedKMeansOptions } from './clustering/batched-kmeans.ts';
import {
  type RegionAlgorithm,
  streamingKMeansAlgorithm,
  summaryAlgorithm,
} from './clustering/region-algorithm.ts';
import type { FirstCenters, Forgetting } from './clustering/streaming-kmeans.ts';
import type { Configuration } from './config/schema.ts';
import { centersOfRegion } from './config/streaming-kmeans-schema.ts';
import { paneGridOf } from './clustering-options.ts';
import { unitVector } from './geo/sphere.ts';

/** What the configuration wants a region to do with its rows. */
export function regionAlgorithmOf(
  configuration: Pick<Configuration, 'clustering' | 'regions'>,
): RegionAlgorithm {
  const { clustering, regions } = configuration;
  switch (clustering.algorithm) {
    case 'summary':
      return summaryAlgorithm({ features: regions.features, grid: paneGridOf(configuration) });
    case 'streaming-kmeans':
      return streamingKMeansAlgorithm(streamingKMeansOptionsOf(clustering), describe(clustering));
  }
}

type Clustering = Configuration['clustering'];

function streamingKMeansOptionsOf(clustering: Clustering): BatchedKMeansOptions {
  const { streamingKMeans: own } = clustering;
  return {
    k: centersOfRegion(clustering),
    batchRows: own.batchRows,
    forgetting: forgettingOf(own),
    firstCenters: firstCentersOf(own),
  };
}

function forgettingOf({ decayFactor, halfLife, timeUnit }: Clustering['streamingKMeans']): Forgetting {
  return halfLife === null ? { decayFactor: decayFactor ?? 1, timeUnit } : { halfLife, timeUnit };
}

function firstCentersOf({
  centers,
  initialCenters,
  seed,
  weights,
}: Clustering['streamingKMeans']): FirstCenters {
  switch (initialCenters) {
    case 'data':
      return { from: 'data', seed };
    case 'random':
      return { from: 'random', seed, weight: 0 };
    case 'given':
      return {
        from: 'given',
        centers: Float64Array.from(centers.flatMap(unitVector)),
        weights: Float64Array.from(centers, (_, center) => weights[center] ?? 0),
      };
  }
}

/** All that makes other states, so that two of them can be compared and told. */
function describe(clustering: Clustering): string {
  const { batchRows, centers, decayFactor, halfLife, initialCenters, seed, timeUnit, weights } =
    clustering.streamingKMeans;
  const forgetting =
    halfLife === null ? `decayFactor ${String(decayFactor ?? 1)}` : `halfLife ${String(halfLife)}`;
  const given = JSON.stringify([centers.map(({ latitude, longitude }) => [longitude, latitude]), weights]);
  const start =
    initialCenters === 'given'
      ? `initialCenters given (${createHash('sha256').update(given).digest('hex').slice(0, 12)})`
      : `initialCenters ${initialCenters}, seed ${String(seed)}`;
  return (
    `streaming-kmeans (k ${String(centersOfRegion(clustering))}, batchRows ${String(batchRows)}, ` +
    `${forgetting} in ${timeUnit}, ${start})`
  );
}
