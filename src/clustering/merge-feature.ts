/**
 * Merges `factor` times a feature, at `source[from]`, into the one at `target[at]`, which takes any while
 * its weight is 0. (Chan, Golub, LeVeque 1979, as `FeatureNodes.merge`.)
 */
export function mergeFeature(
  target: Float64Array,
  at: number,
  source: Float64Array,
  from: number,
  factor: number,
): void {
  const weight = factor * (source[from] as number);
  const sse = factor * (source[from + 4] as number);
  const own = target[at] as number;
  if (own === 0) {
    target[at] = weight;
    target[at + 1] = source[from + 1] as number;
    target[at + 2] = source[from + 2] as number;
    target[at + 3] = source[from + 3] as number;
    target[at + 4] = sse;
    return;
  }
  const total = own + weight;
  const share = weight / total;
  const mx = target[at + 1] as number;
  const my = target[at + 2] as number;
  const mz = target[at + 3] as number;
  const dx = (source[from + 1] as number) - mx;
  const dy = (source[from + 2] as number) - my;
  const dz = (source[from + 3] as number) - mz;
  target[at] = total;
  target[at + 1] = mx + share * dx;
  target[at + 2] = my + share * dy;
  target[at + 3] = mz + share * dz;
  target[at + 4] = (target[at + 4] as number) + sse + own * share * (dx * dx + dy * dy + dz * dz);
}
