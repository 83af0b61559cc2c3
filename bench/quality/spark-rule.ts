import { chanceOf } from './chance.ts';
import { costOf } from './cost.ts';
import type { Rows } from './stream.ts';

/** Rows of a batch. */
const BATCH = 10_000;
/** Spark's default: nothing is forgotten. */
const DECAY = 1;
/** Below this share of the greatest weight a cluster is dying, and takes half of the greatest. */
const DYING = 1e-8;

export type SparkStart = 'random' | 'best-case';

/**
 * The cost of the rows after Spark's `StreamingKMeans` has seen them all in batches (Spark 3.5 MLlib,
 * `StreamingKMeansModel.update`), from random centers, which is its default (`setRandomCenters`: normal
 * in each dimension, weight 0), or from the best case: rows of the data, chosen by k-means++.
 */
export function sparkRuleCost(rows: Rows, k: number, seed: number, start: SparkStart): number {
  const centers = start === 'random' ? randomCenters(k, seed) : plusPlusCenters(rows, k, seed);
  const weights = new Float64Array(k);
  for (let from = 0; from < rows.count; from += BATCH) {
    update(centers, weights, rows, from, Math.min(rows.count, from + BATCH));
  }
  return costOf(rows, centers);
}

type Center = [number, number, number];

function randomCenters(k: number, seed: number): Center[] {
  const { normal } = chanceOf('random centers', seed);
  return Array.from({ length: k }, () => [normal(), normal(), normal()]);
}

function update(centers: Center[], weights: Float64Array, rows: Rows, from: number, to: number): void {
  const sums = centers.map(() => ({ count: 0, x: 0, y: 0, z: 0 }));
  for (let row = from; row < to; row++) {
    const sum = sums[nearest(centers, rows, row).index] as (typeof sums)[number];
    sum.count++;
    sum.x += rows.x[row] as number;
    sum.y += rows.y[row] as number;
    sum.z += rows.z[row] as number;
  }
  sums.forEach(({ count, x, y, z }, index) => {
    const kept = (weights[index] as number) * DECAY;
    weights[index] = kept + count;
    if (count > 0) {
      const share = count / (kept + count);
      const [cx, cy, cz] = centers[index] as Center;
      const move = (own: number, sum: number): number => (1 - share) * own + share * (sum / count);
      centers[index] = [move(cx, x), move(cy, y), move(cz, z)];
    }
  });
  splitTheGreatest(centers, weights);
}

function splitTheGreatest(centers: Center[], weights: Float64Array): void {
  const greatest = weights.indexOf(Math.max(...weights));
  const least = weights.indexOf(Math.min(...weights));
  if ((weights[least] as number) < DYING * (weights[greatest] as number)) {
    const half = ((weights[greatest] as number) + (weights[least] as number)) / 2;
    weights[greatest] = half;
    weights[least] = half;
    const [x, y, z] = centers[greatest] as Center;
    const apart = (value: number): number => 1e-14 * Math.max(Math.abs(value), 1);
    centers[greatest] = [x + apart(x), y + apart(y), z + apart(z)];
    centers[least] = [x - apart(x), y - apart(y), z - apart(z)];
  }
}

/** k-means++ (Arthur and Vassilvitskii 2007) over all rows. */
function plusPlusCenters(rows: Rows, k: number, seed: number): Center[] {
  const { unit } = chanceOf('k-means++', seed);
  const at = (row: number): Center => [rows.x[row], rows.y[row], rows.z[row]] as Center;
  const centers = [at(Math.floor(unit() * rows.count))];
  const least = new Float64Array(rows.count).fill(Infinity);
  while (centers.length < k) {
    const newest = [centers.at(-1) as Center];
    let total = 0;
    for (let row = 0; row < rows.count; row++) {
      least[row] = Math.min(least[row] as number, nearest(newest, rows, row).squared);
      total += least[row] as number;
    }
    let left = unit() * total;
    let row = 0;
    while (row < rows.count - 1 && (left -= least[row] as number) > 0) {
      row++;
    }
    centers.push(at(row));
  }
  return centers;
}

function nearest(centers: Center[], { x, y, z }: Rows, row: number): { index: number; squared: number } {
  let [index, squared] = [0, Infinity];
  for (let at = 0; at < centers.length; at++) {
    const [cx, cy, cz] = centers[at] as Center;
    const dx = (x[row] as number) - cx;
    const dy = (y[row] as number) - cy;
    const dz = (z[row] as number) - cz;
    const distance = dx * dx + dy * dy + dz * dz;
    if (distance < squared) {
      [index, squared] = [at, distance];
    }
  }
  return { index, squared };
}
