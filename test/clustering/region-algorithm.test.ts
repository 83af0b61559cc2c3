import { expect } from 'chai';
import { BatchedKMeans, type BatchedKMeansOptions } from '../../src/clustering/batched-kmeans.ts';
import { SummaryFormatError } from '../../src/clustering/features.ts';
import { paneGrid } from '../../src/clustering/panes.ts';
import {
  formOf,
  formWithFirstPart,
  type RegionAlgorithm,
  streamingKMeansAlgorithm,
  summaryAlgorithm,
} from '../../src/clustering/region-algorithm.ts';
import type { RegionState } from '../../src/clustering/region-state.ts';
import { regionOf } from '../../src/geo/s2.ts';
import { cityPoints, within } from './points.ts';

const LEVEL = 3;
const all = cityPoints(2000, 3, 7);
const REGION = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, LEVEL);
const { x, y, z } = within(all, REGION, LEVEL);
const ROWS = x.length;
const time = Float64Array.from(x, (_, row) => 1_000_000 * ((row * 37) % 100));

const KMEANS_OPTIONS: BatchedKMeansOptions = {
  k: 4,
  batchRows: 50,
  forgetting: { decayFactor: 0.9, timeUnit: 'batches' },
  firstCenters: { from: 'data', seed: 1 },
};

const ALGORITHMS: readonly RegionAlgorithm[] = [
  summaryAlgorithm({ features: 60, grid: paneGrid(3_600_000, 86_400_000) }),
  streamingKMeansAlgorithm(KMEANS_OPTIONS, 'streaming-kmeans, as a test has it'),
];

const stored = (state: RegionState): Map<string, Uint8Array> =>
  new Map(state.parts().map(({ encode, name }) => [name, encode()]));

const folded = (algorithm: RegionAlgorithm, to: number): RegionState => {
  const state = algorithm.empty(REGION, LEVEL);
  state.fold(x, y, z, time, 0, to);
  return state;
};

for (const algorithm of ALGORITHMS) {
  describe(`the algorithm ${algorithm.description}`, () => {
    const { form } = algorithm;

    it('goes on from what was stored, at any row, as if nothing had been', () => {
      const whole = stored(folded(algorithm, ROWS));
      for (const row of [1, 49, 50, 137, ROWS - 1]) {
        const state = algorithm.decode(stored(folded(algorithm, row)));
        state.fold(x, y, z, time, row, ROWS);
        expect(stored(state)).to.deep.equal(whole);
      }
    });

    it('tells by its first part of the others, of its region and of its watermark', () => {
      const state = folded(algorithm, ROWS);
      const parts = stored(state);
      const [first = ''] = parts.keys();
      expect(first).to.equal(form.firstPart);
      const head = form.headOf(parts.get(first) as Uint8Array);
      expect([head.region, head.watermark]).to.deep.equal([REGION, state.watermark]);
      expect([first, ...head.others]).to.have.members([...parts.keys()]);
      expect(state.watermark).to.equal(Math.max(...time));
    });

    it('is known by what is stored, and by nothing else', () => {
      const parts = stored(folded(algorithm, 60));
      expect(formOf(parts)).to.equal(form);
      for (const other of ALGORITHMS) {
        expect(formWithFirstPart(other.form.firstPart)).to.equal(other.form);
      }
      expect(formWithFirstPart('rest')).to.equal(undefined);
      expect(() => formOf(new Map())).to.throw(SummaryFormatError, 'no head');
      expect(() => form.panesOf(new Map(), (_part, _revision, decode) => decode())).to.throw(
        SummaryFormatError,
      );
      expect(() => algorithm.decode(new Map())).to.throw(SummaryFormatError);
    });

    it('gives a model all rows, in panes that are decoded only when they have to be', () => {
      const parts = stored(folded(algorithm, ROWS));
      const decoded = new Map<string, ReturnType<typeof form.panesOf>['panes'][number]>();
      const state = folded(algorithm, ROWS);
      const revisions = new Map(state.parts().map(({ name, revision }) => [name, revision]));
      const first = form.panesOf(parts, (part, revision, decode) => {
        expect(revision).to.deep.equal(form.revisionOf(parts.get(part) as Uint8Array));
        const { limit, rows } = revision ?? expect.fail(`${part} has no revision`);
        expect(limit === undefined ? String(rows) : `${String(rows)}/${String(limit)}`).to.equal(
          revisions.get(part),
        );
        const pane = decode();
        decoded.set(part, pane);
        return pane;
      });
      expect(first.region).to.equal(REGION);
      expect(first.panes.reduce((sum, { rows }) => sum + rows, 0)).to.equal(ROWS);
      expect(Math.max(...first.panes.map(({ latest }) => latest))).to.equal(Math.max(...time));
      expect(first.panes.every(({ tree }) => tree.memoryBytes > 0 && tree.count > 0)).to.equal(true);
      const again = form.panesOf(parts, (part) => decoded.get(part) ?? expect.fail(`${part} is new`));
      expect(again.panes).to.deep.equal(first.panes);
    });
  });
}

describe('the algorithms', () => {
  it('tell which keeps event times', () => {
    expect(ALGORITHMS.map(({ form }) => form.inTime)).to.deep.equal([true, false]);
  });

  it('refuse options out of range before the first row', () => {
    expect(() => streamingKMeansAlgorithm({ ...KMEANS_OPTIONS, batchRows: 0 }, '')).to.throw(
      RangeError,
      'batchRows 0',
    );
  });

  it('are Spark’s where that is wanted', () => {
    const algorithm = streamingKMeansAlgorithm(KMEANS_OPTIONS, '');
    const expected = BatchedKMeans.empty(REGION, LEVEL, KMEANS_OPTIONS);
    expected.fold(x, y, z, time, 0, ROWS);
    expect(stored(folded(algorithm, ROWS)).get('kmeans')).to.deep.equal(expected.encode());
  });
});
