import { expect } from 'chai';
import fc from 'fast-check';
import { FoldError, SummaryFormatError } from '../../src/clustering/features.ts';
import { FeatureTree } from '../../src/clustering/feature-tree.ts';
import type { Pane } from '../../src/clustering/pane.ts';
import { paneGrid } from '../../src/clustering/panes.ts';
import { RegionSummary, type SummaryOptions } from '../../src/clustering/region-summary.ts';
import { encodeHead } from '../../src/clustering/summary-format.ts';
import { regionOf } from '../../src/geo/s2.ts';
import { joined, partsOf, sameBytes } from './parts.ts';
import { cityPoints, within } from './points.ts';

const level = 3;
const all = cityPoints(3000, 6, 11);
const region = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, level);
const { x, y, z } = within(all, region, level);
const rows = x.length;
/** Over some days, not in their order: several panes, some of which are merged on the way. */
const HOUR = 3_600_000;
const BEGIN = Date.UTC(2026, 10, 24);
const time = Float64Array.from(
  x,
  (_, row) => BEGIN + (50 * HOUR * row) / rows + HOUR * Math.sin(row * row) * (row % 7),
);
const options: SummaryOptions = { features: 100, grid: paneGrid(HOUR, 24 * HOUR) };

function folded(): RegionSummary {
  const summary = RegionSummary.empty(region, level, options);
  summary.fold(x, y, z, time, 0, rows);
  return summary;
}

function restored(summary: RegionSummary, own = options): RegionSummary {
  return RegionSummary.decode(partsOf(summary), own);
}

/** Of an encoded pane. */
function rowsOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(8, true);
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
  it('counts rows, by panes too, and keeps the greatest event time', () => {
    const summary = folded();
    expect(summary.rows).to.equal(rows);
    expect(summary.panes.length).to.be.within(9, 18);
    expect(summary.panes.reduce((total, { tree }) => total + tree.totalWeight(), 0)).to.equal(rows);
    expect(summary.watermark).to.equal(Math.max(...time));
    const empty = RegionSummary.empty(region, level, options);
    expect([empty.rows, empty.watermark, empty.panes.length]).to.deep.equal([0, -Infinity, 0]);
    expect(restored(empty).watermark).to.equal(-Infinity);
  });

  it('is the same to the byte however it is cut and restored', () => {
    const whole = joined(folded());
    fc.assert(
      fc.property(fc.array(fc.nat(rows), { maxLength: 10 }), (cuts) => {
        let summary = RegionSummary.empty(region, level, options);
        let from = 0;
        for (const to of [...cuts, rows].sort((a, b) => a - b)) {
          summary.fold(x, y, z, time, from, to);
          from = to;
          summary = restored(summary);
        }
        expect(Buffer.compare(joined(summary), whole)).to.equal(0);
        expect([summary.region, summary.level, summary.rows]).to.deep.equal([region, level, rows]);
      }),
      { numRuns: 20 },
    );
  });

  it('gives a part another revision whenever its bytes change, and else the same', () => {
    const summary = RegionSummary.empty(region, level, options);
    const known = new Map<string, Uint8Array>();
    for (let from = 0; from < rows; from += 100) {
      summary.fold(x, y, z, time, from, Math.min(rows, from + 100));
      for (const { encode, name, revision } of summary.parts()) {
        const key = `${name} ${revision}`;
        const bytes = encode();
        expect(Buffer.compare(known.get(key) ?? bytes, bytes), key).to.equal(0);
        known.set(key, bytes);
      }
    }
  });

  it('keeps each row in the pane of its time, the older the wider, and none beside it', () => {
    const { panes } = folded();
    const spans = panes.map(({ span }) => span);
    for (const [index, { earliest, latest, span }] of panes.entries()) {
      expect(earliest).to.be.at.least(span.from);
      expect(latest).to.be.below(span.to);
      expect(span.from).to.be.at.least(spans[index - 1]?.to ?? -Infinity);
    }
    const widths = spans.slice(1).map(({ from, to }) => to - from);
    expect(widths).to.deep.equal([...widths].sort((a, b) => b - a));
    expect([widths.at(-1), spans[0]?.name]).to.deep.equal([HOUR, 'rest']);
    for (const { meanTime, span } of panes) {
      const own = time.filter((at) => at >= span.from && at < span.to);
      const mean = own.reduce((sum, at) => sum + (at - BEGIN) / own.length, 0);
      expect(meanTime - BEGIN).to.be.closeTo(mean, 1);
    }
  });

  it('goes on with another grid, from its next row on', () => {
    for (const grid of [paneGrid(HOUR / 4, 24 * HOUR), paneGrid(4 * HOUR, 24 * HOUR), paneGrid(HOUR, HOUR)]) {
      const once = restored(folded(), { ...options, grid });
      const later = Float64Array.from(time, (at) => at + 10 * HOUR);
      once.fold(x, y, z, later, 0, rows);
      const cut = restored(folded(), { ...options, grid });
      cut.fold(x, y, z, later, 0, 500);
      const again = restored(cut, { ...options, grid });
      again.fold(x, y, z, later, 500, rows);
      sameBytes(again, once);
      expect(once.panes.reduce((total, { tree }) => total + tree.totalWeight(), 0)).to.equal(2 * rows);
    }
  });

  it('counts exactly the rows before a poison row, by place or by time', () => {
    const before = RegionSummary.empty(region, level, options);
    before.fold(x, y, z, time, 0, 40);
    const badX = x.slice();
    badX[40] = Number.NaN;
    const badTime = time.slice();
    badTime[40] = Number.NaN;
    const counted = ({ panes, rows: own }: RegionSummary): unknown => [
      own,
      panes.filter((pane) => pane.rows > 0).map((pane) => [pane.span, pane.rows, pane.tree.totalWeight()]),
    ];
    for (const [xs, times] of [
      [badX, time],
      [x, badTime],
      [badX, badTime],
    ] as const) {
      const summary = RegionSummary.empty(region, level, options);
      const error = caught(() => {
        summary.fold(xs, y, z, times, 0, rows);
      });
      expect(error).to.be.instanceOf(FoldError);
      expect((error as FoldError).index).to.equal(40);
      expect(counted(summary)).to.deep.equal(counted(before));
    }
  });

  it('reads bytes that lie inside a larger buffer', () => {
    const summary = folded();
    const inside = [...partsOf(summary)].map(([name, bytes]): [string, Uint8Array] => {
      const larger = new Uint8Array(bytes.length + 13).fill(0xff);
      larger.set(bytes, 5);
      return [name, larger.subarray(5, 5 + bytes.length)];
    });
    sameBytes(RegionSummary.decode(new Map(inside), options), summary);
  });

  it('refuses another version, and says which', () => {
    for (const name of partsOf(folded()).keys()) {
      const parts = new Map(partsOf(folded()));
      (parts.get(name) as Uint8Array)[0] = 3;
      expect(() => RegionSummary.decode(parts, options)).to.throw(
        SummaryFormatError,
        'version 3; this program reads version 2',
      );
    }
    const tree = (folded().panes[0] as Pane).tree.encode();
    tree[0] = 9;
    expect(() => FeatureTree.decode(tree)).to.throw(
      SummaryFormatError,
      'version 9; this program reads version 1',
    );
  });

  it('refuses cut bytes, at every length, and a part that is missing', () => {
    const whole = partsOf(folded());
    for (const [name, bytes] of whole) {
      for (let length = 0; length < bytes.length; length += length < 100 ? 1 : 97) {
        const parts = new Map(whole);
        parts.set(name, bytes.subarray(0, length));
        expect(
          caught(() => RegionSummary.decode(parts, options)),
          name,
        ).to.be.instanceOf(SummaryFormatError);
      }
      const parts = new Map(whole);
      parts.delete(name);
      expect(() => RegionSummary.decode(parts, options)).to.throw(SummaryFormatError, /no head|missing/);
    }
    expect(() => FeatureTree.decode(new Uint8Array(0))).to.throw(SummaryFormatError, 'empty');
  });

  it('never fails in another way on damaged bytes, and what it reads it writes again', () => {
    const small = RegionSummary.empty(region, level, { ...options, features: 12 });
    small.fold(x, y, z, time, 0, 60);
    const whole = partsOf(small);
    const names = [...whole.keys()];
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (part, place, flip) => {
        const name = names[part % names.length] as string;
        const damaged = (whole.get(name) as Uint8Array).slice();
        const at = place % damaged.length;
        damaged[at] = (damaged[at] as number) ^ flip;
        const error = caught(() => {
          const again = RegionSummary.decode(new Map([...whole, [name, damaged]]), options);
          expect(again.rows).to.equal(60);
          expect(partsOf(again).size).to.equal(whole.size);
        });
        if (error !== undefined) {
          expect(error).to.be.instanceOf(SummaryFormatError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a head that names a pane twice, or not in their order', () => {
    const parts = partsOf(folded());
    const [, ...panes] = parts.keys();
    const [first = '', second = '', third = ''] = panes;
    // As many rows as there are, and the newest: only the names are wrong.
    const equal = new Map([...parts, [third, parts.get(second) as Uint8Array]]);
    const refused: [ReadonlyMap<string, Uint8Array>, string[]][] = [
      [equal, [first, second, second, ...panes.slice(3)]],
      [parts, [second, first, ...panes.slice(2)]],
      [parts, [first, first, ...panes.slice(1)]],
    ];
    for (const [stored, names] of refused) {
      const total = names.reduce((sum, name) => sum + rowsOf(stored.get(name) as Uint8Array), 0);
      const head = encodeHead({ region, level, rows: total, watermark: Math.max(...time), panes: names });
      expect(() => RegionSummary.decode(new Map([...stored, ['head', head]]), options)).to.throw(
        SummaryFormatError,
        'not in their order',
      );
    }
  });

  it('refuses a head that names what is no pane', () => {
    const parts = partsOf(folded());
    const [name = '', bytes] = [...parts][1] ?? [];
    const head = encodeHead({ region, level, rows, watermark: Math.max(...time), panes: ['0@x'] });
    expect(name).to.equal('rest');
    const damaged = new Map([
      ['head', head],
      ['0@x', bytes as Uint8Array],
    ]);
    expect(() => RegionSummary.decode(damaged, options)).to.throw(
      SummaryFormatError,
      '0@x is not the name of a pane',
    );
  });

  it('refuses a pane of another region, and row counts that are none', () => {
    const parts = partsOf(folded());
    const name = [...parts.keys()][1] as string;
    const header = (parts.get(name) as Uint8Array).subarray(0, 40);
    const sphere = new FeatureTree('sphere', 8).encode();
    expect(() =>
      RegionSummary.decode(new Map([...parts, [name, Buffer.concat([header, sphere])]]), options),
    ).to.throw(SummaryFormatError, 'another region');
    for (const damagedPart of ['head', name]) {
      const bytes = (parts.get(damagedPart) as Uint8Array).slice();
      new DataView(bytes.buffer).setFloat64(8, -1, true);
      expect(() => RegionSummary.decode(new Map([...parts, [damagedPart, bytes]]), options)).to.throw(
        SummaryFormatError,
        'row count',
      );
    }
  });
});
