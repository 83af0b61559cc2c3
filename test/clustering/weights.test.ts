import { expect } from 'chai';
import fc from 'fast-check';
import { liveModelSteps } from '../../src/clustering/live-model.ts';
import { buildModel, type Model } from '../../src/clustering/model.ts';
import type { ModelSource } from '../../src/clustering/model-features.ts';
import { finish } from '../../src/clustering/slices.ts';
import { cityPoints, type Points, pointsAt, sourcesOf } from './points.ts';

/** Weights of a row after any half-life and window that somebody may set. */
const FACTORS = [1e-12, 1e-6, 0.3, 1, 1e6, 1e12] as const;

function weighted(points: Points, factor: number): ModelSource[] {
  return sourcesOf(points).map((source) => ({ ...source, factor }));
}

/** The weighted squared distances of the raw points to the nearest centers. */
function costOf(parts: readonly { points: Points; factor: number }[], { clusters }: Model): number {
  let cost = 0;
  for (const { factor, points } of parts) {
    for (let row = 0; row < points.x.length; row++) {
      const distances = clusters.map(
        ({ center: [x, y, z] }) =>
          ((points.x[row] as number) - x) ** 2 +
          ((points.y[row] as number) - y) ** 2 +
          ((points.z[row] as number) - z) ** 2,
      );
      cost += factor * Math.min(...distances);
    }
  }
  return cost;
}

describe('weights from 1e-12 to 1e12', () => {
  const live = (sources: readonly ModelSource[], k: number): Model => {
    const first = finish(liveModelSteps(sources, { k, seedings: 4 }, undefined));
    return finish(liveModelSteps(sources, { k, seedings: 4 }, first.live)).model;
  };
  const makers = {
    canonical: (sources: readonly ModelSource[], k: number) => buildModel(sources, { k, seedings: 4 }),
    live,
  };

  for (const [name, make] of Object.entries(makers)) {
    it(`that all rows have change nothing but weight and cost of a ${name} model`, () => {
      fc.assert(
        fc.property(fc.integer(), fc.constantFrom(...FACTORS), (seed, factor) => {
          const points = cityPoints(2_000, 5, seed);
          const one = make(weighted(points, 1), 5);
          const model = make(weighted(points, factor), 5);
          expect(model.weight / (2_000 * factor)).to.be.closeTo(1, 1e-12);
          expect(model.cost / (one.cost * factor)).to.be.closeTo(1, 1e-9);
          for (const [index, { center, radiusKm, share }] of model.clusters.entries()) {
            const same = one.clusters[index];
            expect(share).to.be.closeTo(same?.share ?? Number.NaN, 1e-12);
            expect(radiusKm).to.be.closeTo(same?.radiusKm ?? Number.NaN, 1e-6);
            center.forEach((value, axis) => {
              expect(value).to.be.closeTo(same?.center[axis] ?? Number.NaN, 1e-12);
            });
          }
          const cost = costOf([{ points, factor }], model);
          expect(cost).to.be.within(model.costBounds.lower, model.costBounds.upper);
        }),
        { numRuns: 20 },
      );
    });

    it(`that differ give a ${name} model whose bounds hold, and a cluster to who has hardly any`, () => {
      fc.assert(
        fc.property(
          fc.integer(),
          fc.constantFrom(...FACTORS),
          fc.constantFrom(...FACTORS),
          (seed, here, there) => {
            const west = cityPoints(600, 1, seed);
            // In a region of its own, at one place: two centers are enough for all but the spread of the first.
            const east = pointsAt(Array.from({ length: 400 }, () => [-120 + (seed % 7), -40]));
            const sources = [...weighted(west, here), ...weighted(east, there)].sort(
              (a, b) => a.region - b.region,
            );
            fc.pre(new Set(sources.map(({ region }) => region)).size === sources.length);
            const model = make(sources, 2);
            expect(model.weight / (600 * here + 400 * there)).to.be.closeTo(1, 1e-12);
            const cost = costOf(
              [
                { points: west, factor: here },
                { points: east, factor: there },
              ],
              model,
            );
            expect(cost).to.be.within(model.costBounds.lower, model.costBounds.upper);
            for (const { center, weight } of model.clusters) {
              expect(Math.hypot(...center)).to.be.within(0, 1 + 1e-12);
              expect(weight).to.be.above(0);
            }
          },
        ),
        { numRuns: 40 },
      );
    });
  }
});
