import { z } from 'zod';
import { MAX_BATCH_ROWS } from '../clustering/batched-kmeans.ts';
import { MAX_CENTERS } from '../clustering/streaming-kmeans-format.ts';
import { count, countOrAuto, numberOrNone, oneOf } from './fields.ts';
import { numberList, positionList } from './list-fields.ts';

/** Spark's rule: `clustering.streamingKMeans`. */
export const streamingKMeansSchema = z.strictObject({
  k: countOrAuto({ min: 1, max: MAX_CENTERS }),
  batchRows: count({ min: 1, max: MAX_BATCH_ROWS }),
  decayFactor: numberOrNone({ max: 1 }),
  halfLife: numberOrNone({ above: 0 }),
  timeUnit: oneOf('batches', 'points'),
  seed: count({ max: 2 ** 32 - 1 }),
  initialCenters: oneOf('data', 'random', 'given'),
  centers: positionList(),
  weights: numberList({ max: 1e15 }),
});

type StreamingKMeansSettings = Readonly<z.output<typeof streamingKMeansSchema>>;

/** What of the other settings matters here. */
interface Clustering {
  readonly algorithm: 'summary' | 'streaming-kmeans';
  /** Number of global clusters. */
  readonly k: number | 'auto';
  readonly halfLife: number | null;
  readonly window: number | null;
  readonly streamingKMeans: StreamingKMeansSettings;
}

const BECAUSE = 'because clustering.algorithm is streaming-kmeans';
/** Why k cannot be auto under this rule. */
export const NO_CHOICE_OF_K = `${BECAUSE}, which does not keep how many rows are left of those that are forgotten`;

/**
 * Centers of a region: what is set, or as many as are given, or as many as there are clusters.
 * @throws RangeError when that would be k, and k is auto, which the checks refuse.
 */
export function centersOfRegion({
  k,
  streamingKMeans: own,
}: Pick<Clustering, 'k' | 'streamingKMeans'>): number {
  if (own.k !== 'auto') {
    return own.k;
  }
  if (own.initialCenters === 'given') {
    return own.centers.length;
  }
  if (k === 'auto') {
    throw new RangeError(`clustering.k auto: expected a number, ${NO_CHOICE_OF_K}`);
  }
  return k;
}

/** What must hold between the keys: the key to name and what it should have been. */
export function* streamingKMeansChecks(clustering: Clustering): Generator<readonly [string, string]> {
  if (clustering.algorithm !== 'streaming-kmeans') {
    return;
  }
  const { streamingKMeans: own } = clustering;
  if (clustering.k === 'auto') {
    yield ['clustering.k', `expected a number, ${NO_CHOICE_OF_K}`];
    return;
  }
  for (const name of ['halfLife', 'window'] as const) {
    if (clustering[name] !== null) {
      yield [
        `clustering.${name}`,
        `expected off, ${BECAUSE}, which does not tell rows apart by event time (clustering.streamingKMeans.halfLife forgets by batches or points)`,
      ];
    }
  }
  if (own.decayFactor !== null && own.halfLife !== null) {
    yield [
      'clustering.streamingKMeans.halfLife',
      'expected nothing, because clustering.streamingKMeans.decayFactor is set: one of them says how much is forgotten',
    ];
  }
  yield* centerChecks(clustering);
}

function* centerChecks(clustering: Clustering): Generator<readonly [string, string]> {
  const { centers, initialCenters, k, weights } = clustering.streamingKMeans;
  if (initialCenters !== 'given') {
    const because = `because clustering.streamingKMeans.initialCenters is ${initialCenters}`;
    for (const [name, list] of Object.entries({ centers, weights })) {
      if (list.length > 0) {
        yield [`clustering.streamingKMeans.${name}`, `expected nothing, ${because} and not given`];
      }
    }
    if (k === 'auto' && clustering.k !== 'auto' && clustering.k > MAX_CENTERS) {
      yield [
        'clustering.streamingKMeans.k',
        `expected a number up to ${String(MAX_CENTERS)}, because auto is clustering.k (${String(clustering.k)})`,
      ];
    }
    return;
  }
  const wanted = centersOfRegion(clustering);
  if (centers.length === 0 || centers.length !== wanted) {
    yield [
      'clustering.streamingKMeans.centers',
      centers.length === 0
        ? 'expected at least one [longitude, latitude], because clustering.streamingKMeans.initialCenters is given'
        : `expected as many as clustering.streamingKMeans.k (${String(wanted)})`,
    ];
  }
  if (centers.length > MAX_CENTERS) {
    yield ['clustering.streamingKMeans.centers', `expected at most ${String(MAX_CENTERS)}`];
  }
  if (weights.length > 0 && weights.length !== centers.length) {
    yield [
      'clustering.streamingKMeans.weights',
      `expected nothing, or as many as clustering.streamingKMeans.centers (${String(centers.length)})`,
    ];
  }
}
