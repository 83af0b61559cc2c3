import type { FeatureColumns } from './features.ts';
import type { Centers } from './kmeans-passes.ts';
import type { Steps } from './slices.ts';

/**
 * Which centers can be the nearest of some features of a block: those for which not all of a ball that
 * holds the block lies beyond the plane in the middle, on the side of another. The others need not be looked
 * at, and no feature is assigned otherwise than if they had been (Kanungo et al.: An efficient k-means
 * clustering algorithm: analysis and implementation, PAMI 2002, with blocks in the place of a kd-tree's
 * cells). Features come in the order of their cells, so that those of a block are near each other.
 */
export interface Blocks {
  readonly features: FeatureColumns;
  readonly count: number;
  /** Middle of each block's ball, and its radius. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly radius: Float64Array;
}

export const FEATURES_PER_BLOCK = 64;
const BLOCKS_PER_STEP = 512;
/**
 * Share of the squared distances involved by which rounding may deceive: those compared here are sums of
 * three squared differences, each wrong by a few times 2^-53 of itself.
 */
const FUZZ = 1e-12;

export function* blocksOf(features: FeatureColumns): Steps<Blocks> {
  const count = Math.ceil(features.count / FEATURES_PER_BLOCK);
  const blocks: Blocks = {
    features,
    count,
    x: new Float64Array(count),
    y: new Float64Array(count),
    z: new Float64Array(count),
    radius: new Float64Array(count),
  };
  for (let from = 0; from < count; from += BLOCKS_PER_STEP) {
    measure(blocks, from, Math.min(count, from + BLOCKS_PER_STEP));
    yield;
  }
  return blocks;
}

function measure({ features, radius, x, y, z }: Blocks, from: number, to: number): void {
  const { count, x: fx, y: fy, z: fz } = features;
  for (let block = from; block < to; block++) {
    const first = block * FEATURES_PER_BLOCK;
    const end = Math.min(count, first + FEATURES_PER_BLOCK);
    let mx = 0;
    let my = 0;
    let mz = 0;
    for (let f = first; f < end; f++) {
      mx += fx[f] as number;
      my += fy[f] as number;
      mz += fz[f] as number;
    }
    mx /= end - first;
    my /= end - first;
    mz /= end - first;
    let farthest = 0;
    for (let f = first; f < end; f++) {
      const ex = (fx[f] as number) - mx;
      const ey = (fy[f] as number) - my;
      const ez = (fz[f] as number) - mz;
      farthest = Math.max(farthest, ex * ex + ey * ey + ez * ez);
    }
    x[block] = mx;
    y[block] = my;
    z[block] = mz;
    radius[block] = Math.sqrt(farthest) * (1 + FUZZ);
  }
}

/** The centers left for the features of a block, written into the same array for each. */
export class Rivals {
  /** Ascending indices of centers; so many as `left` said. */
  readonly indices: Int32Array;
  readonly #blocks: Blocks;
  readonly #centers: Centers;
  readonly #squared: Float64Array;

  constructor(blocks: Blocks, centers: Centers) {
    this.#blocks = blocks;
    this.#centers = centers;
    this.#squared = new Float64Array(centers.count);
    this.indices = new Int32Array(centers.count);
  }

  /** Finds the centers that can be the nearest to a feature of the block; tells how many they are. */
  left(block: number): number {
    const { count, x, y, z } = this.#centers;
    const { indices } = this;
    const squared = this.#squared;
    const mx = this.#blocks.x[block] as number;
    const my = this.#blocks.y[block] as number;
    const mz = this.#blocks.z[block] as number;
    const radius = this.#blocks.radius[block] as number;
    let nearest = 0;
    let least = Infinity;
    for (let c = 0; c < count; c++) {
      const ex = (x[c] as number) - mx;
      const ey = (y[c] as number) - my;
      const ez = (z[c] as number) - mz;
      const d = ex * ex + ey * ey + ez * ez;
      squared[c] = d;
      if (d < least) {
        least = d;
        nearest = c;
      }
    }
    const nx = x[nearest] as number;
    const ny = y[nearest] as number;
    const nz = z[nearest] as number;
    let left = 0;
    for (let c = 0; c < count; c++) {
      const d = squared[c] as number;
      const ex = (x[c] as number) - nx;
      const ey = (y[c] as number) - ny;
      const ez = (z[c] as number) - nz;
      // Over the ball |p - c|^2 - |p - nearest|^2 falls by no more than this below its value in the middle.
      const fall = 2 * radius * Math.sqrt(ex * ex + ey * ey + ez * ez);
      if (!(d - least > fall + FUZZ * (d + least + radius * radius))) {
        indices[left++] = c;
      }
    }
    return left;
  }
}
