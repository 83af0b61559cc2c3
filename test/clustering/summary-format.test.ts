import { expect } from 'chai';
import fc from 'fast-check';
import { FoldError, SummaryFormatError } from '../../src/clustering/features.ts';
import { FeatureTree } from '../../src/clustering/feature-tree.ts';
import { RegionSummary } from '../../src/clustering/region-summary.ts';
import { regionOf } from '../../src/geo/s2.ts';
import { cityPoints, within } from './points.ts';

const level = 3;
const all = cityPoints(3000, 6, 11);
const region = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, level);
const { x, y, z } = within(all, region, level);
const rows = x.length;
const time = Float64Array.from(x, (_, row) => 1_000_000 + ((row * 7919) % 1000));

function folded(): RegionSummary {
  const summary = RegionSummary.empty(region, level, 100);
  summary.fold(x, y, z, time, 0, rows);
  return summary;
}

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('RegionSummary', () => {
  it('counts rows and keeps the greatest event time', () => {
    const summary = folded();
    expect(summary.rows).to.equal(rows);
    expect(summary.tree.totalWeight()).to.equal(rows);
    expect(summary.watermark).to.equal(Math.max(...time));
    const empty = RegionSummary.empty(region, level, 100);
    expect([empty.rows, empty.watermark]).to.deep.equal([0, -Infinity]);
    expect(RegionSummary.decode(empty.encode()).watermark).to.equal(-Infinity);
  });

  it('is the same to the byte however it is cut and restored', () => {
    const whole = folded().encode();
    fc.assert(
      fc.property(fc.array(fc.nat(rows), { maxLength: 10 }), (cuts) => {
        let summary = RegionSummary.empty(region, level, 100);
        let from = 0;
        for (const to of [...cuts, rows].sort((a, b) => a - b)) {
          summary.fold(x, y, z, time, from, to);
          from = to;
          summary = RegionSummary.decode(summary.encode());
        }
        expect(Buffer.compare(summary.encode(), whole)).to.equal(0);
        expect([summary.region, summary.level, summary.rows]).to.deep.equal([region, level, rows]);
      }),
      { numRuns: 20 },
    );
  });

  it('counts exactly the rows before a poison row, by place or by time', () => {
    const before = RegionSummary.empty(region, level, 100);
    before.fold(x, y, z, time, 0, 40);
    const badX = x.slice();
    badX[40] = Number.NaN;
    const badTime = time.slice();
    badTime[40] = Number.NaN;
    for (const [xs, times] of [
      [badX, time],
      [x, badTime],
      [badX, badTime],
    ] as const) {
      const summary = RegionSummary.empty(region, level, 100);
      const error = caught(() => {
        summary.fold(xs, y, z, times, 0, rows);
      });
      expect(error).to.be.instanceOf(FoldError);
      expect((error as FoldError).index).to.equal(40);
      expect(Buffer.compare(summary.encode(), before.encode())).to.equal(0);
    }
  });

  it('reads bytes that lie inside a larger buffer', () => {
    const bytes = folded().encode();
    const larger = new Uint8Array(bytes.length + 13).fill(0xff);
    larger.set(bytes, 5);
    const inside = larger.subarray(5, 5 + bytes.length);
    expect(Buffer.compare(RegionSummary.decode(inside).encode(), bytes)).to.equal(0);
  });

  it('refuses another version, and says which', () => {
    const bytes = folded().encode();
    bytes[0] = 2;
    expect(() => RegionSummary.decode(bytes)).to.throw(
      SummaryFormatError,
      'version 2; this program reads version 1',
    );
    const tree = folded().tree.encode();
    tree[0] = 9;
    expect(() => FeatureTree.decode(tree)).to.throw(
      SummaryFormatError,
      'version 9; this program reads version 1',
    );
  });

  it('refuses cut bytes, at every length', () => {
    const bytes = folded().encode();
    for (let length = 0; length < bytes.length; length += length < 200 ? 1 : 97) {
      expect(caught(() => RegionSummary.decode(bytes.subarray(0, length)))).to.be.instanceOf(
        SummaryFormatError,
      );
    }
    expect(() => FeatureTree.decode(new Uint8Array(0))).to.throw(SummaryFormatError, 'empty');
  });

  it('never fails in another way on damaged bytes, and what it reads it writes again', () => {
    const small = RegionSummary.empty(region, level, 12);
    small.fold(x, y, z, time, 0, 60);
    const bytes = small.encode();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = bytes.slice();
        damaged[at] = (damaged[at] as number) ^ flip;
        const error = caught(() => {
          const again = RegionSummary.decode(damaged);
          expect(again.encode().length).to.equal(bytes.length);
        });
        if (error !== undefined) {
          expect(error).to.be.instanceOf(SummaryFormatError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a summary of the whole sphere, and a row count that is none', () => {
    const header = folded().encode().slice(0, 24);
    const sphere = new FeatureTree('sphere', 8).encode();
    expect(() => RegionSummary.decode(Buffer.concat([header, sphere]))).to.throw(
      SummaryFormatError,
      'no region',
    );
    const bytes = folded().encode();
    new DataView(bytes.buffer).setFloat64(8, -1, true);
    expect(() => RegionSummary.decode(bytes)).to.throw(SummaryFormatError, 'row count');
  });
});
