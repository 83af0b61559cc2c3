import { expect } from 'chai';
import fc from 'fast-check';
import {
  BatchedKMeans,
  type BatchedKMeansOptions,
  decodeKMeansHead,
} from '../../src/clustering/batched-kmeans.ts';
import { FoldError, InvalidPointError, SummaryFormatError } from '../../src/clustering/features.ts';
import { StreamingKMeans } from '../../src/clustering/streaming-kmeans.ts';
import { regionOf } from '../../src/geo/s2.ts';
import { cityPoints, within } from './points.ts';

const level = 3;
const all = cityPoints(3000, 6, 11);
const region = regionOf(all.x[0] as number, all.y[0] as number, all.z[0] as number, level);
const { x, y, z } = within(all, region, level);
const rows = x.length;
const time = Float64Array.from(x, (_, row) => 1_000_000 + ((row * 7919) % 1000));
/** The rows one after another. */
const flat = Float64Array.from(
  { length: 3 * rows },
  (_, at) => ([x, y, z][at % 3] as Float64Array)[Math.floor(at / 3)] as number,
);

const options: BatchedKMeansOptions = {
  k: 4,
  batchRows: 97,
  forgetting: { halfLife: 300, timeUnit: 'points' },
  firstCenters: { from: 'data', seed: 5 },
};

function folded(to = rows, change: Partial<BatchedKMeansOptions> = {}): BatchedKMeans {
  const batched = BatchedKMeans.empty(region, level, { ...options, ...change });
  batched.fold(x, y, z, time, 0, to);
  return batched;
}

const bytesEqual = (a: BatchedKMeans, b: BatchedKMeans): boolean =>
  Buffer.compare(a.encode(), b.encode()) === 0;

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('BatchedKMeans', () => {
  it('updates its model once for each batchRows rows, and lets the others wait', () => {
    const model = StreamingKMeans.create({ ...options, dimension: 3 });
    for (let first = 0; first + 97 <= rows; first += 97) {
      model.update(flat.subarray(3 * first, 3 * (first + 97)), 97);
    }
    const batched = folded();
    expect(Math.floor(rows / 97)).to.be.above(5);
    expect(batched.model.encode()).to.deep.equal(model.encode());
    expect([batched.rows, batched.waitingRows]).to.deep.equal([rows, rows % 97]);
    expect(batched.watermark).to.equal(Math.max(...time));
    expect([batched.region, batched.level, batched.batchRows]).to.deep.equal([region, level, 97]);
    const empty = BatchedKMeans.empty(region, level, options);
    expect([empty.rows, empty.watermark]).to.deep.equal([0, -Infinity]);
    expect(BatchedKMeans.decode(empty.encode()).watermark).to.equal(-Infinity);
  });

  it('is the same to the byte however it is cut and restored', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(rows), { maxLength: 12 }),
        fc.constantFrom(1, 2, 5, 97, 10_000),
        fc.constantFrom('random', 'data'),
        fc.constantFrom('batches', 'points'),
        fc.infiniteStream(fc.boolean()),
        (cuts, batchRows, from, timeUnit, restores) => {
          const change: Partial<BatchedKMeansOptions> = {
            batchRows,
            forgetting: { halfLife: 7, timeUnit },
            firstCenters: { from, seed: 3, weight: 0 },
          };
          let batched = BatchedKMeans.empty(region, level, { ...options, ...change });
          let start = 0;
          for (const to of [...cuts, rows].sort((a, b) => a - b)) {
            batched.fold(x, y, z, time, start, to);
            start = to;
            if (restores.next().value) {
              batched = BatchedKMeans.decode(batched.encode());
            }
          }
          expect(bytesEqual(batched, folded(rows, change))).to.equal(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('adds up, discounted, what clusters weighed that were given up', () => {
    // At first all rows are at one place, then all at another: a cluster that gets none dies in the end.
    const [here, there] = [0, x.findIndex((value) => Math.abs(value - (x[0] as number)) > 1e-3)];
    const forgetting = { decayFactor: 0.01, timeUnit: 'batches' as const };
    const change = { k: 2, batchRows: 2, forgetting };
    const batched = BatchedKMeans.empty(region, level, { ...options, ...change });
    const model = StreamingKMeans.create({ ...options, ...change, dimension: 3 });
    let displaced = 0;
    const seen: number[] = [];
    for (let batch = 0; batch < 14; batch++) {
      const rowsOfBatch = batch === 0 ? [here, there] : [there, there];
      for (const row of rowsOfBatch) {
        batched.fold(x, y, z, time, row, row + 1);
      }
      const points = Float64Array.from(
        rowsOfBatch.flatMap((row) => [...flat.subarray(3 * row, 3 * row + 3)]),
      );
      displaced = displaced * 0.01 + model.update(points, 2);
      expect(batched.displaced).to.equal(displaced);
      seen.push(displaced);
    }
    expect(seen.slice(0, 3)).to.deep.equal([0, 0, 0]);
    // 0.01^5 of a row is less than 1e-8 of the two rows and more of the other place.
    expect(seen.filter((value) => value > 0)).to.not.deep.equal([]);
    expect(BatchedKMeans.decode(batched.encode()).displaced).to.equal(displaced);
    expect(folded().displaced).to.equal(0);
  });

  it('knows, also from its bytes, whether first centers were given weight', () => {
    const given = (weight: number): BatchedKMeans =>
      folded(10, {
        k: 1,
        firstCenters: {
          from: 'given',
          centers: Float64Array.of(0, 0.6, 0.8),
          weights: Float64Array.of(weight),
        },
      });
    for (const weight of [0, 3]) {
      expect(given(weight).weighted).to.equal(weight > 0);
      expect(BatchedKMeans.decode(given(weight).encode()).weighted).to.equal(weight > 0);
    }
  });

  it('is stored in one part, which changes with its rows', () => {
    const batched = folded(140);
    const [part, ...others] = batched.parts();
    expect([part?.name, part?.revision, others]).to.deep.equal(['kmeans', '140', []]);
    expect(part?.encode()).to.deep.equal(batched.encode());
    expect(decodeKMeansHead(batched.encode().subarray(0, 48))).to.deep.equal({
      region,
      level,
      rows: 140,
      watermark: batched.watermark,
      batchRows: 97,
      displaced: 0,
      weighted: false,
    });
  });

  it('counts exactly the rows before a poison row, by place or by time', () => {
    const other = all.x.findIndex(
      (_, row) =>
        regionOf(all.x[row] as number, all.y[row] as number, all.z[row] as number, level) !== region,
    );
    expect(other).to.be.above(0);
    const before = folded(140);
    const at = (column: Float64Array, value: number): Float64Array =>
      column.map((old, row) => (row === 140 ? value : old));
    const late = at(time, 2e6);
    for (const [xs, ys, zs, times, message] of [
      [at(x, Number.NaN), y, z, late, 'is not a unit vector'],
      [x, at(y, 0), z, late, 'is not a unit vector'],
      [
        at(x, all.x[other] as number),
        at(y, all.y[other] as number),
        at(z, all.z[other] as number),
        late,
        "is outside the region's cell",
      ],
      [x, y, z, at(time, Infinity), 'event time Infinity is not finite'],
      [at(x, Number.NaN), y, z, at(time, Number.NaN), 'event time NaN is not finite'],
    ] as const) {
      const batched = BatchedKMeans.empty(region, level, options);
      const error = caught(() => {
        batched.fold(xs, ys, zs, times, 0, rows);
      });
      expect(error).to.be.instanceOf(FoldError);
      expect((error as FoldError).index).to.equal(140);
      expect((error as FoldError).cause).to.be.instanceOf(InvalidPointError);
      expect((error as FoldError).message).to.include(message);
      expect(bytesEqual(batched, before)).to.equal(true);
      batched.fold(x, y, z, time, 140, rows);
      expect(bytesEqual(batched, folded())).to.equal(true);
    }
  });

  it('refuses options that are out of range', () => {
    const create = (change: Partial<BatchedKMeansOptions>): unknown =>
      BatchedKMeans.empty(region, level, { ...options, ...change });
    for (const batchRows of [0, 1.5, 10_001, Number.NaN]) {
      expect(() => create({ batchRows })).to.throw(RangeError, 'batchRows');
    }
    expect(() => create({ k: 0 })).to.throw(RangeError, 'k 0');
    expect(() => create({ firstCenters: { from: 'random', seed: 1, weight: 1 } })).to.throw(
      RangeError,
      'unit vector',
    );
    expect(() => BatchedKMeans.empty(384, level, options)).to.throw(RangeError, 'region');
  });

  it('refuses another version, and says which', () => {
    const bytes = folded().encode();
    bytes[0] = 2;
    expect(() => BatchedKMeans.decode(bytes)).to.throw(
      SummaryFormatError,
      'version 2; this program reads version 1',
    );
  });

  it('refuses cut bytes, at every length, and reads those inside a larger buffer', () => {
    const bytes = folded().encode();
    for (let length = 0; length < bytes.length; length++) {
      expect(caught(() => BatchedKMeans.decode(bytes.subarray(0, length)))).to.be.instanceOf(
        SummaryFormatError,
      );
    }
    const larger = Buffer.concat([Buffer.alloc(5, 0xff), bytes, Buffer.alloc(9, 0xff)]);
    expect(BatchedKMeans.decode(larger.subarray(5, 5 + bytes.length)).encode()).to.deep.equal(bytes);
  });

  it('refuses what no state can be', () => {
    const damages: [what: string, to: number, (view: DataView, length: number) => void][] = [
      [
        'header',
        9,
        (view) => {
          view.setUint8(3, 1);
        },
      ],
      [
        'header',
        9,
        (view) => {
          view.setUint8(7, 1);
        },
      ],
      [
        'header',
        9,
        (view) => {
          view.setUint8(36, 1);
        },
      ],
      [
        'header',
        9,
        (view) => {
          view.setUint8(1, 2);
        },
      ],
      ...[-1, -0, Infinity].map((value): [string, number, (view: DataView) => void] => [
        'displaced',
        9,
        (view) => {
          view.setFloat64(40, value, true);
        },
      ]),
      [
        'region',
        9,
        (view) => {
          view.setUint32(24, 384, true);
        },
      ],
      [
        'region',
        9,
        (view) => {
          view.setUint32(28, 13, true);
        },
      ],
      [
        'batch size',
        9,
        (view) => {
          view.setUint32(32, 0, true);
        },
      ],
      [
        'row count',
        9,
        (view) => {
          view.setFloat64(8, -1, true);
        },
      ],
      [
        'row count',
        9,
        (view) => {
          view.setFloat64(8, 2 ** 53, true);
        },
      ],
      [
        'watermark',
        9,
        (view) => {
          view.setFloat64(16, -Infinity, true);
        },
      ],
      [
        'watermark',
        0,
        (view) => {
          view.setFloat64(16, 5, true);
        },
      ],
      [
        'waiting rows',
        9,
        (view) => {
          view.setFloat64(8, 96, true);
        },
      ],
      [
        'waiting row',
        9,
        (view) => {
          view.setFloat64(48, 0.9, true);
        },
      ],
      [
        'first batch',
        9,
        (view) => {
          view.setFloat64(8, 97 + 9, true);
        },
      ],
      // The dimension 3 becomes 15 with 1 center of the same bytes.
      [
        'centers',
        97,
        (view) => {
          view.setUint32(52, 1, true);
          view.setUint32(56, 15, true);
        },
      ],
      [
        'centers',
        97,
        (view) => {
          view.setFloat64(48 + 32, 1, true);
          view.setFloat64(48 + 40, 1, true);
        },
      ],
    ];
    for (const [what, to, damage] of damages) {
      const bytes = folded(to).encode();
      damage(new DataView(bytes.buffer), bytes.length);
      expect(() => BatchedKMeans.decode(bytes), what).to.throw(SummaryFormatError, what);
    }
  });

  it('never fails in another way on damaged bytes, and what it reads it writes again', () => {
    const bytes = folded(97 + 9).encode();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = bytes.slice();
        damaged[at] = (damaged[at] as number) ^ flip;
        let batched: BatchedKMeans;
        try {
          batched = BatchedKMeans.decode(damaged);
        } catch (error) {
          expect(error).to.be.instanceOf(SummaryFormatError);
          return;
        }
        expect(Buffer.compare(batched.encode(), damaged)).to.equal(0);
      }),
      { numRuns: 2000 },
    );
  });
});
