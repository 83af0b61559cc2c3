import { expect } from 'chai';
import fc from 'fast-check';
import {
  DecodedSummaries,
  type EncodedSummary,
  type ReadSummaries,
} from '../../../src/actors/centroid-aggregator/decoded-summaries.ts';
import type { TableMark } from '../../../src/broker/broker.ts';
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

  /** Rows all over the globe, of which those of `regions` regions are counted; all of one minute, or of any. */
  count(rows: number, seed: number, regions = Infinity, step = 1, minute?: number): void {
    const { x, y, z } = spherePoints(rows, seed);
    const time = Float64Array.from(x, (_, row) => (minute ?? row % 90) * MINUTE);
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

const afresh = (summaries: readonly EncodedSummary[]): readonly PlacedPane[] =>
  finish(new DecodedSummaries(0).decode({ summaries }));

/** Reads what is stored as the aggregator does: on from its last mark, where what it decoded then is kept. */
class Reading {
  readonly decoded: DecodedSummaries;
  /** What was stored at each mark. */
  readonly #marks = new Map<TableMark, readonly EncodedSummary[]>();
  readonly #epoch: number;

  constructor(decoded: DecodedSummaries, epoch = 0) {
    this.decoded = decoded;
    this.#epoch = epoch;
  }

  read(stored: readonly EncodedSummary[]): ReadSummaries {
    const mark = { view: this, at: this.#marks.size };
    this.#marks.set(mark, stored);
    const since = this.decoded.since(this.#epoch);
    const summaries = since === undefined ? stored : changed(stored, this.#marks.get(since[0] as TableMark));
    return { summaries, marks: [mark], since };
  }

  decode(stored: readonly EncodedSummary[]): readonly PlacedPane[] {
    return finish(this.decoded.decode(this.read(stored), this.#epoch));
  }
}

/** Of each region the parts whose bytes are not those of before, and no region without such. */
function changed(
  stored: readonly EncodedSummary[],
  before: readonly EncodedSummary[] = [],
): readonly EncodedSummary[] {
  return stored.flatMap((one) => {
    const last = before.find(({ partition, token }) => partition === one.partition && token === one.token);
    const parts = [...one.parts].filter(
      ([name, bytes]) => Buffer.compare(bytes, last?.parts.get(name) ?? new Uint8Array()) !== 0,
    );
    return parts.length === 0 ? [] : [{ ...one, parts: new Map(parts) }];
  });
}

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
      fc.property(turns, fc.constantFrom(undefined, 0, 9_000), fc.boolean(), (all, most, onFromMarks) => {
        const partitions = [new Partition(0), new Partition(1)];
        const reading = new Reading(new DecodedSummaries(most));
        let before: LiveModel | undefined;
        const model = (panes: readonly PlacedPane[]): LiveModel =>
          finish(liveModelSteps(sourcesAt(panes, {}).sources, { k: 3, seedings: 1 }, before?.live));
        for (const { partition, regions, rows, seed } of all) {
          partitions[partition]?.count(rows, seed, regions);
          const stored = partitions.flatMap((one) => one.stored());
          const panes = onFromMarks
            ? reading.decode(stored)
            : finish(reading.decoded.decode({ summaries: stored }));
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
    const reading = new Reading(new DecodedSummaries());
    const placeOf = ({ pane: { tree } }: PlacedPane): string => {
      const { nodes } = tree instanceof FeatureTree ? tree.quadtree : expect.fail('it is no tree');
      const { buffer, byteOffset } = nodes.features;
      buffers.set(buffer, buffers.get(buffer) ?? buffers.size);
      return `${String(buffers.get(buffer))} ${String(byteOffset)}`;
    };
    const buffers = new Map<unknown, number>();
    const placesOf = (panes: readonly PlacedPane[]): ReadonlySet<string> => new Set(panes.map(placeOf));
    const next = (seed: number): readonly PlacedPane[] => {
      // All at one time: of each region one pane changes.
      partition.count(30, seed, Infinity, 1, 89);
      const stored = partition.stored();
      const panes = reading.decode(stored);
      expect(contents(panes)).to.deep.equal(contents(afresh(stored)));
      return panes;
    };
    reading.decode(partition.stored());
    // What finds too little gets more than it needs.
    next(2);
    next(3);
    const last = next(3);
    const before = new Set(last.map(({ pane }) => pane));
    const places = placesOf(last);
    const given = next(4);
    const now = given.filter(({ pane }) => !before.has(pane));
    expect(now).to.have.length.above(8);
    expect(now.filter((one) => places.has(placeOf(one)))).to.have.length.above(now.length / 2);
    const lent = contents(given);
    reading.decoded.lend();
    for (const seed of [5, 6, 7, 8]) {
      next(seed);
      expect(contents(given)).to.deep.equal(lent);
    }
  });

  it('lie in few buffers, those of a region in one when a few of them have changed', () => {
    const partition = new Partition(0);
    partition.count(2_000, 1);
    const reading = new Reading(new DecodedSummaries());
    const memoryOf = (panes: readonly PlacedPane[]): number =>
      new Set(
        panes.map(({ pane: { tree } }) =>
          tree instanceof FeatureTree ? tree.quadtree.nodes.features.buffer : expect.fail('it is no tree'),
        ),
      ).size;
    const regions = partition.stored().length;
    const first = reading.decode(partition.stored());
    expect(first.length).to.be.above(4 * regions);
    expect(memoryOf(first)).to.be.at.most(2);
    const next = (minute: number): number => {
      partition.count(200, minute, Infinity, 1, minute);
      const stored = partition.stored();
      const panes = reading.decode(stored);
      expect(contents(panes)).to.deep.equal(contents(afresh(stored)));
      return memoryOf(panes);
    };
    // One that is changed time and again, the newest or another, keeps memory of its own.
    expect(Math.max(...[89, 89, 30, 30, 30].map(next))).to.be.within(1.5 * regions, 2 + 2 * regions);
    const apart = Math.max(...[5, 15, 35, 50, 65].map(next));
    expect(apart).to.be.above(3 * regions);
    expect(next(89)).to.be.below(apart - regions);
  });

  it('are those that have got no rows, also when their bytes were read again', () => {
    const partition = new Partition(0);
    partition.count(400, 1);
    const decoded = new DecodedSummaries();
    const first = new Map(
      finish(decoded.decode({ summaries: partition.stored() })).map(({ pane }) => [pane, pane.rows]),
    );
    partition.count(30, 2, 1);
    const second = finish(decoded.decode({ summaries: partition.stored() }));
    const changed = second.filter(({ pane }) => !first.has(pane));
    expect(changed.map(({ region }) => region)).to.not.deep.equal([]);
    expect(changed.every(({ region }) => region === 0)).to.equal(true);
    // Also of that region there are panes that got no row.
    expect(second.filter(({ region }) => region === 0).length).to.be.above(changed.length);
    expect(second.every(({ pane }) => (first.get(pane) ?? pane.rows) === pane.rows)).to.equal(true);
    expect(second).to.have.length.above(20);
  });

  it('need not be read: only what has changed since the last time, in the same epoch', () => {
    const partition = new Partition(0);
    partition.count(400, 1);
    const decoded = new DecodedSummaries();
    const reading = new Reading(decoded);
    const namesOf = ({ summaries }: ReadSummaries): readonly string[] =>
      summaries.flatMap(({ parts, token }) => [...parts.keys()].map((name) => `${token} ${name}`));
    const first = partition.stored();
    expect(namesOf(reading.read(first))).to.deep.equal(namesOf({ summaries: first }));
    reading.decode(first);
    expect(namesOf(reading.read(first))).to.deep.equal([]);
    // Of another epoch nothing is known.
    expect(decoded.since(1)).to.equal(undefined);
    partition.count(30, 2, 1);
    const stored = partition.stored();
    const changes = namesOf(reading.read(stored));
    expect(changes).to.have.length.within(2, namesOf({ summaries: stored }).length / 4);
    expect(changes.every((name) => name.startsWith('0 '))).to.equal(true);
    expect(contents(reading.decode(stored))).to.deep.equal(contents(afresh(stored)));
    // A part may be told again, also without the one that tells of the others.
    const again = stored.map((one) => ({
      ...one,
      parts: new Map([...one.parts].filter(([name]) => name !== 'head').slice(0, 1)),
    }));
    const panes = finish(decoded.decode({ summaries: again, since: decoded.since(0) }));
    expect(contents(panes)).to.deep.equal(contents(afresh(stored)));
    // Without a mark to go on from.
    expect(decoded.since(0)).to.equal(undefined);
  });

  it('are read as a whole where not all are kept, and after they were given up half way', () => {
    const partition = new Partition(0);
    partition.count(400, 1);
    const stored = partition.stored();
    for (const [most, onFromMarks] of [
      [0, false],
      [9_000, false],
      [undefined, true],
    ] as const) {
      const reading = new Reading(new DecodedSummaries(most));
      reading.decode(stored);
      expect(reading.decoded.since(0) !== undefined).to.equal(onFromMarks);
      expect(contents(reading.decode(stored))).to.deep.equal(contents(afresh(stored)));
    }
    const reading = new Reading(new DecodedSummaries());
    reading.decode(stored);
    partition.count(40, 2);
    const steps = reading.decoded.decode(reading.read(partition.stored()));
    steps.next();
    steps.return([]);
    expect(reading.decoded.since(0)).to.equal(undefined);
    expect(contents(reading.decode(partition.stored()))).to.deep.equal(contents(afresh(partition.stored())));
    expect(reading.decoded.since(0)).to.not.equal(undefined);
  });

  it('may outgrow what is kept by what changes, and are all there', () => {
    const partition = new Partition(0);
    partition.count(60, 1);
    const [all] = [afresh(partition.stored())];
    const bytes = all.reduce((sum, { pane }) => sum + pane.tree.memoryBytes, 0);
    const reading = new Reading(new DecodedSummaries(2 * bytes));
    reading.decode(partition.stored());
    let isAllKept = true;
    for (let turn = 2; turn < 9; turn++) {
      expect(reading.decoded.since(0) !== undefined).to.equal(isAllKept);
      partition.count(60, turn);
      const stored = partition.stored();
      expect(contents(reading.decode(stored))).to.deep.equal(contents(afresh(stored)));
      isAllKept &&= reading.decoded.since(0) !== undefined;
    }
    expect(isAllKept).to.equal(false);
  });

  it('refuse what was read from another mark on than that of the last time', () => {
    const partition = new Partition(0);
    partition.count(40, 1);
    const reading = new Reading(new DecodedSummaries());
    const { marks } = reading.read(partition.stored());
    reading.decode(partition.stored());
    expect(() => finish(reading.decoded.decode({ summaries: [], since: marks }))).to.throw(
      RangeError,
      'another mark',
    );
  });

  it('are not kept where they would take too much, nor when they are gone', () => {
    const partition = new Partition(0);
    partition.count(400, 1);
    const stored = partition.stored();
    const all = afresh(stored).length;
    const kept = (decoded: DecodedSummaries): number => {
      const before = new Set(finish(decoded.decode({ summaries: stored })).map(({ pane }) => pane));
      return finish(decoded.decode({ summaries: stored })).filter(({ pane }) => before.has(pane)).length;
    };
    expect(kept(new DecodedSummaries(0))).to.equal(0);
    expect(kept(new DecodedSummaries(9_000))).to.be.within(1, all - 1);
    expect(kept(new DecodedSummaries())).to.equal(all);

    const decoded = new DecodedSummaries();
    const first = finish(decoded.decode({ summaries: stored }))[0]?.pane;
    expect(finish(decoded.decode({ summaries: [] }))).to.deep.equal([]);
    expect(finish(decoded.decode({ summaries: stored }))[0]?.pane).to.not.equal(first);
  });

  it('are decoded anew in another epoch, in which as many rows may be other ones', () => {
    const [partition, rewound] = [new Partition(0), new Partition(0)];
    partition.count(300, 1);
    // As many rows in each of the panes, at other places.
    rewound.count(300, 1, Infinity, -1);
    const decoded = new DecodedSummaries();
    const revisions = (panes: readonly PlacedPane[]): unknown =>
      panes.map(({ pane, region }) => [region, pane.span.name, pane.rows]);
    const before = finish(decoded.decode({ summaries: partition.stored() }, 3));
    const after = finish(decoded.decode({ summaries: rewound.stored() }, 4));
    expect(revisions(after)).to.deep.equal(revisions(before));
    expect(contents(after)).to.deep.equal(contents(afresh(rewound.stored())));
    expect(contents(after)).to.not.deep.equal(contents(before));
  });

  it('are decoded, and found to be damaged, also after one that was not', () => {
    const partition = new Partition(0);
    partition.count(200, 1);
    const stored = partition.stored();
    const decoded = new DecodedSummaries();
    finish(decoded.decode({ summaries: stored }));
    const damaged = stored.map((one, at) => (at === 3 ? { ...one, parts: new Map() } : one));
    expect(() => finish(decoded.decode({ summaries: damaged }))).to.throw(SummaryFormatError);
    const cut = stored.map((one) => ({
      ...one,
      parts: new Map(
        [...one.parts].map(([name, bytes]) => [name, name === 'head' ? bytes : bytes.slice(0, 30)]),
      ),
    }));
    expect(() => finish(decoded.decode({ summaries: cut }))).to.throw(SummaryFormatError);
    const withoutPanes = stored.map((one) => ({
      ...one,
      parts: new Map([...one.parts].filter(([name]) => name === 'head')),
    }));
    expect(() => finish(decoded.decode({ summaries: withoutPanes }))).to.throw(
      SummaryFormatError,
      'is missing',
    );
    expect(contents(finish(decoded.decode({ summaries: stored })))).to.deep.equal(contents(afresh(stored)));
  });
});
