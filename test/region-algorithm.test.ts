import { expect } from 'chai';
import { BatchedKMeans } from '../src/clustering/batched-kmeans.ts';
import type { RegionAlgorithm } from '../src/clustering/region-algorithm.ts';
import { StreamingKMeans, type StreamingKMeansOptions } from '../src/clustering/streaming-kmeans.ts';
import { loadConfiguration } from '../src/config/load.ts';
import { regionAlgorithmOf } from '../src/region-algorithm.ts';
import { latitude, longitude } from '../src/geo/axes.ts';
import { unitVector } from '../src/geo/sphere.ts';

function algorithm(settings: Readonly<Record<string, string>> = {}): RegionAlgorithm {
  const flags = Object.entries({ 'clustering.algorithm': 'streaming-kmeans', ...settings });
  const { configuration } = loadConfiguration({
    environment: {},
    flags: flags.map(([key, value]) => ({ flag: 'test', key, value })),
  });
  return regionAlgorithmOf(configuration);
}

const own = (settings: Readonly<Record<string, string>>): RegionAlgorithm =>
  algorithm(
    Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`clustering.streamingKMeans.${key}`, value]),
    ),
  );

/** The state before the first row. */
const first = (made: RegionAlgorithm): BatchedKMeans => {
  const state = made.empty(5, 3);
  return state instanceof BatchedKMeans ? state : expect.fail('not of streaming k-means');
};

describe('the algorithm of the regions', () => {
  it('is that of the settings', () => {
    const paris = unitVector({ longitude: longitude(2.35), latitude: latitude(48.86) });
    const cases: [RegionAlgorithm, Omit<StreamingKMeansOptions, 'dimension'>][] = [
      [
        algorithm({ 'clustering.k': '7' }),
        {
          k: 7,
          forgetting: { decayFactor: 1, timeUnit: 'batches' },
          firstCenters: { from: 'data', seed: 1 },
        },
      ],
      [
        own({ k: '3', halfLife: '5.5', timeUnit: 'points', seed: '9' }),
        {
          k: 3,
          forgetting: { halfLife: 5.5, timeUnit: 'points' },
          firstCenters: { from: 'data', seed: 9 },
        },
      ],
      [
        own({ decayFactor: '0.25', initialCenters: 'random', seed: '4' }),
        {
          k: 5,
          forgetting: { decayFactor: 0.25, timeUnit: 'batches' },
          firstCenters: { from: 'random', seed: 4, weight: 0 },
        },
      ],
      ...(['', '[3]'] as const).map((weights): (typeof cases)[0] => [
        own({
          initialCenters: 'given',
          centers: '[[2.35, 48.86]]',
          ...(weights === '' ? {} : { weights }),
        }),
        {
          k: 1,
          forgetting: { decayFactor: 1, timeUnit: 'batches' },
          firstCenters: {
            from: 'given',
            centers: Float64Array.from(paris),
            weights: Float64Array.of(weights === '' ? 0 : 3),
          },
        },
      ]),
    ];
    for (const [made, options] of cases) {
      const expected = StreamingKMeans.create({ ...options, dimension: 3 });
      expect(first(made).model.encode()).to.deep.equal(expected.encode());
      expect(first(made).batchRows).to.equal(1000);
    }
    expect(first(own({ batchRows: '17' })).batchRows).to.equal(17);
  });

  it('is described by all that makes other states, so that they are not taken for the same', () => {
    const given = { initialCenters: 'given', centers: '[[2, 48]]' };
    const descriptions = [
      algorithm({ 'clustering.algorithm': 'summary' }),
      ...[
        {},
        { k: '4' },
        { batchRows: '999' },
        { decayFactor: '0.5' },
        { halfLife: '0.5' },
        { timeUnit: 'points' },
        { seed: '2' },
        { initialCenters: 'random' },
        given,
        { ...given, centers: '[[2, 48.5]]' },
        { ...given, weights: '[1]' },
      ].map(own),
    ].map(({ description }) => description);
    expect(new Set(descriptions).size).to.equal(descriptions.length);
    expect(descriptions[0]).to.equal('summary');
    // What is the same by default is the same.
    expect(own({ decayFactor: '1', k: '5' }).description).to.equal(descriptions[1]);
    expect(own({ ...given, seed: '8' }).description).to.equal(own(given).description);
    expect(algorithm({ 'clustering.seeds': '3' }).description).to.equal(descriptions[1]);
  });
});
