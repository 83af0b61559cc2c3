import { StreamingKMeans } from '../../src/clustering/streaming-kmeans.ts';
import { chanceOf } from './chance.ts';
import { type Centers, costOf } from './cost.ts';
import type { Rows } from './stream.ts';

/** Rows of a batch. */
const BATCH = 10_000;

export type SparkStart = 'random' | 'best-case';

/**
 * The cost of the rows after Spark's `StreamingKMeans` has seen them all in batches, with its default
 * decay factor of 1: from random centers (`setRandomCenters`, weight 0), or from the best case, which no
 * user of a stream has beforehand: rows of the whole stream, chosen by k-means++.
 */
export function sparkRuleCost(rows: Rows, k: number, seed: number, start: SparkStart): number {
  const clusters = StreamingKMeans.create({
    k,
    dimension: 3,
    forgetting: { decayFactor: 1, timeUnit: 'batches' },
    firstCenters:
      start === 'random'
        ? { from: 'random', seed, weight: 0 }
        : { from: 'given', centers: plusPlusCenters(rows, k, seed), weights: new Float64Array(k) },
  });
  const batch = new Float64Array(3 * BATCH);
  for (let from = 0; from < rows.count; from += BATCH) {
    const to = Math.min(rows.count, from + BATCH);
    for (let row = from; row < to; row++) {
      batch.set(rowAt(rows, row), 3 * (row - from));
    }
    clusters.update(batch, to - from);
  }
  const { centers } = clusters;
  const list = Array.from({ length: k }, (_, at) => [...centers.subarray(3 * at, 3 * at + 3)]);
  return costOf(rows, list as unknown as Centers);
}

function rowAt({ x, y, z }: Rows, row: number): [number, number, number] {
  return [x[row] as number, y[row] as number, z[row] as number];
}

/** k-means++ (Arthur and Vassilvitskii 2007) over all rows: k rows of coordinates. */
function plusPlusCenters(rows: Rows, k: number, seed: number): Float64Array {
  const { unit } = chanceOf('k-means++', seed);
  const centers = new Float64Array(3 * k);
  const least = new Float64Array(rows.count).fill(Infinity);
  let chosen = Math.floor(unit() * rows.count);
  for (let center = 0; center < k; center++) {
    const [cx, cy, cz] = rowAt(rows, chosen);
    centers.set([cx, cy, cz], 3 * center);
    let total = 0;
    for (let row = 0; row < rows.count; row++) {
      const dx = (rows.x[row] as number) - cx;
      const dy = (rows.y[row] as number) - cy;
      const dz = (rows.z[row] as number) - cz;
      least[row] = Math.min(least[row] as number, dx * dx + dy * dy + dz * dz);
      total += least[row] as number;
    }
    let left = unit() * total;
    chosen = 0;
    while (chosen < rows.count - 1 && (left -= least[chosen] as number) > 0) {
      chosen++;
    }
  }
  return centers;
}
