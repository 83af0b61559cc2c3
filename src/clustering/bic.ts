import { POSITION_NOISE } from './position-noise.ts';

/** A clustering as the criterion sees it. */
export interface Clustering {
  /** Number of clusters that were asked for, at least 1: the parameters that are paid for. */
  readonly k: number;
  /** Weight of each cluster's rows. */
  readonly weights: Float64Array;
  /** Sum over the rows of weight * squared chord to the center, in squared earth radii. */
  readonly cost: number;
  /** Number of independent rows that the weights are worth, above 0. */
  readonly effectiveRows: number;
}

/** Rows differ along the surface. Clusters are small against the earth, so it is taken for a plane. */
export const DIMENSIONS = 2;

/**
 * Bayesian information criterion of a clustering, -2 ln L + p ln n: the less, the better (Schwarz: Estimating
 * the dimension of a model, Annals of Statistics 6, 1978). Differences are on the scale of twice the logarithm
 * of a Bayes factor.
 *
 * L is the likelihood under spherical normal distributions with one variance in common, each row belonging to
 * the cluster that it is in (Pelleg, Moore: X-means, ICML 2000, section 3.2): the share of its cluster times
 * the density there. p = k (d + 1): k - 1 shares, k centers of d = 2 coordinates and the variance. Three
 * things differ from the paper:
 * - n is the effective number of rows; of them each cluster has its share by weight. (Their unequal weights
 *   are those of a survey; Kish: Survey Sampling, 1965.)
 * - The variance, without bias as in the paper, is that of one coordinate: it has the factor 1 / d that
 *   the paper lost, and the exponent follows from it.
 * - The mean squared chord is never taken for less than POSITION_NOISE. Without that the criterion of
 *   duplicates is -infinity.
 *
 * Because of the shares in L, to cut one normal distribution into pieces costs more than it gains, in
 * proportion to n: no number of rows makes it look good. Rows that no normal distribution made are another
 * matter: see `chooseK`.
 */
export function bicOf({ k, weights, cost, effectiveRows: n }: Clustering): number {
  let total = 0;
  for (const weight of weights) {
    total += weight;
  }
  let logShares = 0;
  for (const weight of weights) {
    const share = weight / total;
    // An empty cluster has no rows whose share it would be.
    logShares += share === 0 ? 0 : share * Math.log(share);
  }
  const meanSquare = cost / total;
  const freedom = Math.max(1, n - k);
  const variance = Math.max((meanSquare * n) / freedom, POSITION_NOISE) / DIMENSIONS;
  const logLikelihood =
    n * (logShares - (DIMENSIONS / 2) * Math.log(2 * Math.PI * variance) - meanSquare / (2 * variance));
  return -2 * logLikelihood + k * (DIMENSIONS + 1) * Math.log(n);
}
