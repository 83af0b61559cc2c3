import { expect } from 'chai';
import { decodePublished, encodePublished } from '../../../src/actors/centroid-aggregator/published-model.ts';
import { buildModel } from '../../../src/clustering/model.ts';
import { lineageInShort } from '../../../src/cli/lineage-text.ts';
import { pointsAt, sourcesOf } from '../../clustering/points.ts';

const published = {
  model: buildModel(sourcesOf(pointsAt([[1, 2]])), { k: 1 }),
  nextOffsets: [3, 0],
  events: [],
  epoch: 1,
  lineage: {
    version: '1.2.3',
    span: { earliest: null, latest: null },
    files: { done: 1, names: ['a.csv'] },
    settings: {
      k: 1,
      seed: null,
      seedings: null,
      searchFeatures: null,
      halfLifeSeconds: null,
      windowSeconds: null,
      level: 3,
      features: 100,
    },
  },
};

describe('a published model', () => {
  it('reads back with its lineage', () => {
    expect(decodePublished(encodePublished('live', published))).to.deep.equal({ kind: 'live', ...published });
  });

  it('of a version that recorded no lineage is read, and listed without', () => {
    const text = new TextDecoder().decode(encodePublished('canonical', published));
    const { lineage: _, ...before } = JSON.parse(text) as Record<string, unknown>;
    const read = decodePublished(new TextEncoder().encode(JSON.stringify(before)));
    expect(read).to.deep.equal({ kind: 'canonical', ...published, lineage: undefined });
    expect(lineageInShort(null)).to.deep.equal([]);
  });
});
