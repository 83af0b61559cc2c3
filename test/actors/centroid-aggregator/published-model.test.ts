import { expect } from 'chai';
import { decodePublished, encodePublished } from '../../../src/actors/centroid-aggregator/published-model.ts';
import { buildModel } from '../../../src/clustering/model.ts';
import { lineageInShort, lineageText } from '../../../src/cli/lineage-text.ts';
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
      algorithm: 'summary',
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

  it('tells between which numbers of clusters k was chosen', () => {
    const { lineage } = published;
    const chosen = { ...lineage, settings: { ...lineage.settings, k: { kMin: 2, kMax: 9 } } };
    expect(lineageText(chosen, [3]).at(-1)).to.equal(
      'made by   Geoflock 1.2.3, summary, k auto from 2 to 9, regions of level 3, 100 features a pane',
    );
  });
});
