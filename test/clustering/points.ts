import { FeatureTree } from '../../src/clustering/feature-tree.ts';
import type { ModelSource } from '../../src/clustering/model-features.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { regionAddress, regionOf } from '../../src/geo/s2.ts';
import { fillUnitVectors } from '../../src/geo/sphere.ts';

export interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
}

export function pointsAt(positions: readonly (readonly [east: number, north: number])[]): Points {
  const n = positions.length;
  const [x, y, z] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  const east = Float64Array.from(positions, (position) => position[0]);
  const north = Float64Array.from(positions, (position) => position[1]);
  fillUnitVectors(east, north, x, y, z, 0, n);
  return { x, y, z };
}

/** `n` points around `cities` places of unequal weight and spread, in a box of 12 by 8 degrees. */
export function cityPoints(n: number, cities: number, seed: number, east = 4, north = 44): Points {
  const random = createRandom(seed);
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const places = Array.from({ length: cities }, () => [
    east + 12 * random(),
    north + 8 * random(),
    0.02 + 0.15 * random(),
  ]);
  const positions: [number, number][] = [];
  for (let row = 0; row < n; row++) {
    const [a, b, spread] = places[Math.floor(cities * random() ** 1.5)] as [number, number, number];
    positions.push([a + spread * gauss(), b + spread * gauss()]);
  }
  return pointsAt(positions);
}

/** `n` points uniform on the sphere. */
export function spherePoints(n: number, seed: number): Points {
  const random = createRandom(seed);
  const [x, y, z] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  for (let row = 0; row < n; row++) {
    const h = 2 * random() - 1;
    const turn = 2 * Math.PI * random();
    const r = Math.sqrt(1 - h * h);
    x[row] = r * Math.cos(turn);
    y[row] = r * Math.sin(turn);
    z[row] = h;
  }
  return { x, y, z };
}

/** Those of the points that are in one region, in their order. */
export function within(points: Points, region: number, level: number): Points {
  const rows = Array.from(points.x, (_, row) => row).filter(
    (row) =>
      regionOf(points.x[row] as number, points.y[row] as number, points.z[row] as number, level) === region,
  );
  const pick = (column: Float64Array): Float64Array =>
    Float64Array.from(rows, (row) => column[row] as number);
  return { x: pick(points.x), y: pick(points.y), z: pick(points.z) };
}

/** One summary a region, as the actors keep them. */
export function sourcesOf(
  { x, y, z }: Points,
  limit = 2000,
  level = 3,
): (ModelSource & { readonly tree: FeatureTree })[] {
  const trees = new Map<number, FeatureTree>();
  for (let row = 0; row < x.length; row++) {
    const region = regionOf(x[row] as number, y[row] as number, z[row] as number, level);
    const tree = trees.get(region) ?? new FeatureTree(regionAddress(region, level), limit);
    trees.set(region, tree);
    tree.insertColumns(x, y, z, row, row + 1);
  }
  return [...trees].sort((a, b) => a[0] - b[0]).map(([region, tree]) => ({ region, partition: 0, tree }));
}
