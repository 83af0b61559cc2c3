import type { Rows } from './stream.ts';

/** Points of R^3. */
export type Centers = readonly (readonly [number, number, number])[];

/** What is read of a `model.json`. */
export interface ExportedModel {
  readonly weight: number;
  readonly bounds: { readonly lower: number; readonly upper: number };
  readonly centers: Centers;
}

/** @throws Error when it is not of the form that is documented. */
export function readModel(json: string): ExportedModel {
  const model = JSON.parse(json) as {
    weight: number;
    costBounds: { lower: number; upper: number };
    clusters: { center: number[] }[];
  };
  const centers = model.clusters.map(({ center }) => center);
  const { lower, upper } = model.costBounds;
  const numbers = [model.weight, lower, upper, ...centers.flat()];
  if (centers.length === 0 || !numbers.every(Number.isFinite) || centers.some(({ length }) => length !== 3)) {
    throw new Error('an exported model has no centers, or not the form of model.json');
  }
  return { weight: model.weight, bounds: { lower, upper }, centers: centers as unknown as Centers };
}

/**
 * Sum over the rows of the squared distance to the nearest center: row by row, with Neumaier's
 * compensation (1974), so that the sum is exact to the last digits. Nothing of the program is in it.
 */
export function costOf({ count, x, y, z }: Rows, centers: Centers): number {
  const flat = Float64Array.from(centers.flat());
  let sum = 0;
  let lost = 0;
  for (let row = 0; row < count; row++) {
    const px = x[row] as number;
    const py = y[row] as number;
    const pz = z[row] as number;
    let least = Infinity;
    for (let at = 0; at < flat.length; at += 3) {
      const dx = px - (flat[at] as number);
      const dy = py - (flat[at + 1] as number);
      const dz = pz - (flat[at + 2] as number);
      const squared = dx * dx + dy * dy + dz * dz;
      if (squared < least) {
        least = squared;
      }
    }
    const next = sum + least;
    lost += sum >= least ? sum - next + least : least - next + sum;
    sum = next;
  }
  return sum + lost;
}
