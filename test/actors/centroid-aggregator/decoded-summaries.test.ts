import { expect } from 'chai';
import fc from 'fast-check';
import {
  DecodedSummaries,
  type EncodedSummary,
  type KnowsPart,
} from '../../../src/actors/centroid-aggregator/decoded-summaries.ts';
import { FeatureTree } from '../../../src/clustering/feature-tree.ts';
import { SummaryFormatError } from '../../../src/clustering/features.ts';
import { type LiveModel, liveModelSteps } from '../../../src/clustering/live-model.ts';
import { type PlacedPane, sourcesAt } from '../../../src/clustering/model-time.ts';
import { paneGrid } from '../../../src/clustering/panes.ts';
import { RegionSummary } from '../../../src/clustering/region-summary.ts';
import { finish } from '../../../src/clustering/slices.ts';
import { regionOf } from '../../../src/geo/s2.ts';
import { spherePoints } from '../../clustering/points.ts';

const LEVEL = 1;
const MINUTE = 60_000;
const OPTIONS = { features: 40, grid: paneGrid(15 * MINUTE, 60 * MINUTE) };

/** Summaries of one partition that grow, as they stand in the table after each of its checkpoints. */
class Partition {
  readonly #partition: number;
  readonly #summaries = new Map<number, RegionSummary>();

  constructor(partition: number) {
    this.#partition = partition;
  }

  /** Rows all over the globe, of which those of `regions` regions are counted. */
  count(rows: number, seed: number, regions = Infinity, step = 1): void {
    const { x, y, z } = spherePoints(rows, seed);
    const time = Float64Array.from(x, (_, row) => (row % 90) * MINUTE);
    for (let at = 0; at < rows; at++) {
      const row = step > 0 ? at : rows - 1 - at;
      const region = regionOf(x[row] as number, y[row] as number, z[row] as number, LEVEL);
      if (region < regions) {
        const summary = this.#summaries.get(region) ?? RegionSummary.empty(region, LEVEL, OPTIONS);
        this.#summaries.set(region, summary);
        summary.fold(x, y, z, time, row, row + 1);
      }
    }
  }

  stored(): EncodedSummary[] {
    return [...this.#summaries].map(([region, summary]) => ({
      partition: this.#partition,
      token: String(region),
      parts: new Map(summary.parts().map(({ encode, name }) => [name, encode()])),
    }));
  }
}

const afresh = (stored: readonly EncodedSummary[]): readonly PlacedPane[] =>
  finish(new DecodedSummaries(0).decode(stored));

/** As they are read by one who knows some of their parts. */
const withoutKnown = (stored: readonly EncodedSummary[], knows: KnowsPart): EncodedSummary[] =>
  stored.map(({ partition, parts, token }) => {
    const known = new Set([...parts].filter((one) => knows(partition, token, ...one)).map(([name]) => name));
    return { partition, token, parts: new Map([...parts].filter(([name]) => !known.has(name))), known };
  });

const contents = (panes: readonly PlacedPane[]): unknown[] =>
  panes.map(({ pane, partition, region }) => {
    const features: number[][] = [];
    pane.tree.forEachFeature((...feature) => features.push(feature));
    const { earliest, latest, meanTime, rows, span } = pane;
    const cells = [...pane.tree.cellFeatures()];
    return { partition, region, earliest, latest, meanTime, rows, span, features, cells };
  });

describe('summaries that were decoded before', () => {
  it('give the same panes and models, to the bit, as all decoded anew', () => {
    const turns = fc.array(
      fc.record({
        partition: fc.integer({ min: 0, max: 1 }),
        rows: fc.integer({ min: 0, max: 60 }),
        regions: fc.integer({ min: 1, max: 24 }),
        seed: fc.integer(),
      }),
      { minLength: 2, maxLength: 6 },
    );
    fc.assert(
      fc.property(turns, fc.constantFrom(undefined, 0, 9_000), fc.boolean(), (all, most, unread) => {
        const partitions = [new Partition(0), new Partition(1)];
        const decoded = new DecodedSummaries(most);
        let before: LiveModel | undefined;
        const model = (panes: readonly PlacedPane[]): LiveModel =>
          finish(liveModelSteps(sourcesAt(panes, {}).sources, { k: 3, seedings: 1 }, before?.live));
        for (const { partition, regions, rows, seed } of all) {
          partitions[partition]?.count(rows, seed, regions);
          const stored = partitions.flatMap((one) => one.stored());
          const panes = finish(decoded.decode(unread ? withoutKnown(stored, decoded.knows(0)) : stored));
          expect(contents(panes)).to.deep.equal(contents(afresh(stored)));
          const now = model(panes);
          expect(now).to.deep.equal(model(afresh(stored)));
          before = now;
        }
      }),
      { numRuns: 40 },
    );
  });

  it('take over the memory of those that have changed, but not of such as are lent', () => {
    const partition = new Partition(0);
    partition.count(400, 1);
    const decoded = new DecodedSummaries();
    const memoryOf = (panes: readonly PlacedPane[]): ReadonlySet<unknown> =>
      new Set(
        panes.map(({ pane: { tree } }) =>
          tree instanceof FeatureTree ? tree.quadtree.nodes.features.buffer : expect.fail('it is no tree'),
        ),
      );
    const common = (a: ReadonlySet<unknown>, b: ReadonlySet<unknown>): number =>
      [...a].filter((one) => b.has(one)).length;
    const next = (seed: number): readonly PlacedPane[] => {
      partition.count(5, seed);
      const stored = partition.stored();
      const panes = finish(decoded.decode(stored));
      expect(contents(panes)).to.deep.equal(contents(afresh(stored)));
      return panes;
    };
    finish(decoded.decode(partition.stored()));
    // What finds too little gets more than it needs.
    next(2);
    const third = next(2);
    const fourth = next(2);
    const unchanged = third.filter((one) => fourth.some(({ pane }) => pane === one.pane)).length;
    expect(common(memoryOf(third), memoryOf(fourth))).to.be.above(unchanged);
    const lent = contents(fourth);
    decoded.lend();
    for (const seed of [3, 4, 5, 6]) {
      next(seed);
      expect(contents(fourth)).to.deep.equal(lent);
    }
  });

  it('are those that have got no rows, also when their bytes were read again', () => {
    const partition = new Partition(0);
    partition.count(400, 1);
    const decoded = new DecodedSummaries();
    const first = new Map(finish(decoded.decode(partition.stored())).map(({ pane }) => [pane, pane.rows]));
    partition.count(30, 2, 1);
    const second = finish(decoded.decode(partition.stored()));
    const changed = second.filter(({ pane }) => !first.has(pane));
    expect(changed.map(({ region }) => region)).to.not.deep.equal([]);
    expect(changed.every(({ region }) => region === 0)).to.equal(true);
    // Also of that region there are panes that got no row.
    expect(second.filter(({ region }) => region === 0).length).to.be.above(changed.length);
    expect(second.every(({ pane }) => (first.get(pane) ?? pane.rows) === pane.rows)).to.equal(true);
    expect(second).to.have.length.above(20);
  });

  it('need not be read: all but the first part of each region and what has changed', () => {
    const partition = new Partition(0);
    partition.count(400, 1);
    const decoded = new DecodedSummaries();
    const partsOf = (stored: readonly EncodedSummary[]): readonly string[] =>
      stored.flatMap(({ parts, token }) => [...parts.keys()].map((name) => `${token} ${name}`));
    const first = partition.stored();
    expect(partsOf(withoutKnown(first, decoded.knows(0)))).to.deep.equal(partsOf(first));
    finish(decoded.decode(first));
    const heads = partsOf(first).filter((name) => name.endsWith(' head'));
    expect(heads).to.have.length(first.length);
    expect(partsOf(withoutKnown(first, decoded.knows(0)))).to.deep.equal(heads);
    // Of another epoch nothing is known.
    expect(partsOf(withoutKnown(first, decoded.knows(1)))).to.deep.equal(partsOf(first));
    partition.count(30, 2, 1);
    const changed = partsOf(withoutKnown(partition.stored(), decoded.knows(0))).filter(
      (name) => !heads.includes(name),
    );
    expect(changed).to.have.length.above(0);
    expect(changed.every((name) => name.startsWith('0 '))).to.equal(true);
    // A part that is not there and was not known is missing, whoever says so.
    const never = partition.stored().map(({ parts, ...one }) => ({
      ...one,
      parts: new Map([...parts].filter(([name]) => name === 'head')),
      known: new Set(parts.keys()),
    }));
    expect(() => finish(new DecodedSummaries().decode(never))).to.throw(SummaryFormatError, 'is missing');
  });

  it('are not kept where they would take too much, nor when they are gone', () => {
    const partition = new Partition(0);
    partition.count(400, 1);
    const stored = partition.stored();
    const all = afresh(stored).length;
    const kept = (decoded: DecodedSummaries): number => {
      const before = new Set(finish(decoded.decode(stored)).map(({ pane }) => pane));
      return finish(decoded.decode(stored)).filter(({ pane }) => before.has(pane)).length;
    };
    expect(kept(new DecodedSummaries(0))).to.equal(0);
    expect(kept(new DecodedSummaries(9_000))).to.be.within(1, all - 1);
    expect(kept(new DecodedSummaries())).to.equal(all);

    const decoded = new DecodedSummaries();
    const first = finish(decoded.decode(stored))[0]?.pane;
    expect(finish(decoded.decode([]))).to.deep.equal([]);
    expect(finish(decoded.decode(stored))[0]?.pane).to.not.equal(first);
  });

  it('are decoded anew in another epoch, in which as many rows may be other ones', () => {
    const [partition, rewound] = [new Partition(0), new Partition(0)];
    partition.count(300, 1);
    // As many rows in each of the panes, at other places.
    rewound.count(300, 1, Infinity, -1);
    const decoded = new DecodedSummaries();
    const revisions = (panes: readonly PlacedPane[]): unknown =>
      panes.map(({ pane, region }) => [region, pane.span.name, pane.rows]);
    const before = finish(decoded.decode(partition.stored(), 3));
    const after = finish(decoded.decode(rewound.stored(), 4));
    expect(revisions(after)).to.deep.equal(revisions(before));
    expect(contents(after)).to.deep.equal(contents(afresh(rewound.stored())));
    expect(contents(after)).to.not.deep.equal(contents(before));
  });

  it('are decoded, and found to be damaged, also after one that was not', () => {
    const partition = new Partition(0);
    partition.count(200, 1);
    const stored = partition.stored();
    const decoded = new DecodedSummaries();
    finish(decoded.decode(stored));
    const damaged = stored.map((one, at) => (at === 3 ? { ...one, parts: new Map() } : one));
    expect(() => finish(decoded.decode(damaged))).to.throw(SummaryFormatError);
    const cut = stored.map((one) => ({
      ...one,
      parts: new Map(
        [...one.parts].map(([name, bytes]) => [name, name === 'head' ? bytes : bytes.slice(0, 30)]),
      ),
    }));
    expect(() => finish(decoded.decode(cut))).to.throw(SummaryFormatError);
    const withoutPanes = stored.map((one) => ({
      ...one,
      parts: new Map([...one.parts].filter(([name]) => name === 'head')),
    }));
    expect(() => finish(decoded.decode(withoutPanes))).to.throw(SummaryFormatError, 'is missing');
    expect(contents(finish(decoded.decode(stored)))).to.deep.equal(contents(afresh(stored)));
  });
});
