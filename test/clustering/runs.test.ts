import { expect } from 'chai';
import fc from 'fast-check';
import { allocateFeatures, type FeatureColumns } from '../../src/clustering/features.ts';
import { searchCenters } from '../../src/clustering/kmeans.ts';
import { clustersOf } from '../../src/clustering/model.ts';
import { modelFeatures } from '../../src/clustering/model-features.ts';
import { mergeRuns } from '../../src/clustering/runs.ts';
import { finish } from '../../src/clustering/slices.ts';
import { cityPoints, sourcesOf, spherePoints } from './points.ts';

const featuresOf = (rows: number, seed: number, wide: boolean): FeatureColumns =>
  finish(
    modelFeatures(sourcesOf(wide ? spherePoints(rows, seed) : cityPoints(rows, 30, seed), 500, 4), {
      searchFeatures: 100_000,
    }),
  ).coarse;

/** Weight of all rows, and their sum of squares about the origin and sums: no merge changes them. */
const moments = ({ count, sse, weight, x, y, z }: FeatureColumns): number[] => {
  const sums = [0, 0, 0, 0, 0];
  for (let f = 0; f < count; f++) {
    const w = weight[f] as number;
    const [fx, fy, fz] = [x[f] as number, y[f] as number, z[f] as number];
    const parts = [w, w * fx, w * fy, w * fz, (sse[f] as number) + w * (fx * fx + fy * fy + fz * fz)];
    parts.forEach((part, at) => {
      sums[at] = (sums[at] as number) + part;
    });
  }
  return sums;
};

describe('runs of features', () => {
  it('are at most as many as asked for, and not much fewer, and stand for the same rows', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1_000, max: 4_000 }),
        fc.integer({ min: 1, max: 300 }),
        fc.boolean(),
        (seed, rows, most, wide) => {
          const all = featuresOf(rows, seed, wide);
          const runs = finish(mergeRuns(all, most));
          expect(runs.count).to.be.within(Math.ceil(most / 4), most);
          moments(runs).forEach((sum, at) => {
            expect(sum).to.be.closeTo(moments(all)[at] as number, 1e-9 * rows);
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  it('leave centers nearly where they are best for all features', () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const all = featuresOf(20_000, seed, false);
      const few = finish(mergeRuns(all, 1_000));
      const best = finish(searchCenters(all, { k: 12, seedings: 2 }));
      const moved = finish(searchCenters(few, { k: 12, seedings: 0, warmStart: best.centers }));
      expect(finish(clustersOf(all, 12, moved.centers)).cost / best.cost).to.be.within(0.9, 1.005);
    }
  });

  it('stay as they are where half the bound would make too many', () => {
    const features = allocateFeatures(12);
    for (let f = 0; f < 12; f++) {
      features.weight[f] = 1;
      features.x[f] = 1;
      features.y[f] = f % 2 === 0 ? 1e-3 : -1e-3;
    }
    // Two that follow each other cost more than half of what three do: runs of three, or of one.
    expect(finish(mergeRuns(features, 10)).count).to.equal(4);
  });

  it('of one place are one, though it was too many features, and any weights fit in the end', () => {
    const same = { ...allocateFeatures(50), weight: new Float64Array(50).fill(2) };
    same.x.fill(1);
    expect(moments(finish(mergeRuns(same, 10)))).to.deep.equal([100, 100, 0, 0, 100]);
    expect(finish(mergeRuns(same, 10)).count).to.equal(1);
    for (const weight of [1e-120, 1, 1e200]) {
      const distinct = { ...allocateFeatures(2_000), weight: new Float64Array(2_000).fill(weight) };
      distinct.x.forEach((_, f) => {
        // Patches of one place each: only all together they are spread.
        distinct.x[f] = f < 1_024 ? 0.25 : 0.5;
        distinct.y[f] = Math.floor(f / 256) / 16;
      });
      expect(finish(mergeRuns(distinct, 8)).count).to.equal(8);
      expect(finish(mergeRuns(distinct, 7)).count).to.be.within(2, 7);
      expect(finish(mergeRuns(distinct, 1)).count).to.equal(1);
    }
  });
});
