import { expect } from 'chai';
import fc from 'fast-check';
import { randomSource } from '../../src/generator/random.ts';
import { HEADERS, MAX_ROW_BYTES, type TimeSpread, uniformRows } from '../../src/generator/rows.ts';
import { TOPIC_COLUMNS } from '../../src/rows/kernel.ts';

const START = Date.UTC(2026, 0, 1);

function rowsOf(times: TimeSpread, slices: readonly number[] = [times.rows], seed = '1'): string {
  const write = uniformRows(randomSource(seed, 0), times);
  let first = 0;
  let text = '';
  for (const count of slices) {
    const bytes = Buffer.alloc(count * MAX_ROW_BYTES);
    text += bytes.toString('latin1', 0, write(bytes, first, count));
    first += count;
  }
  return text;
}

function fieldsOf(text: string): string[][] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));
}

function column(rows: readonly string[][], index: number): number[] {
  return rows.map((row) => Number(row[index]));
}

describe('generated rows', () => {
  const rows = fieldsOf(rowsOf({ startMs: START, spanMs: 10_000, rows: 20_000 }));

  it('have the columns of the topic under the true header', () => {
    expect(HEADERS.true).to.equal(`${TOPIC_COLUMNS.join(',')}\n`);
    expect(new Set(rows.map((row) => row.length))).to.deep.equal(new Set([8]));
  });

  it('have longitude and latitude named the other way round under the original header', () => {
    expect(HEADERS.original).to.equal(
      'timepoint,deviceId,acceloX,acceloY,acceloZ,latitude,longitude,locked\n',
    );
  });

  const ranges: readonly (readonly [string, number, number, number])[] = [
    ['acceloX', 2, -2, 10],
    ['acceloY', 3, -2, 10],
    ['acceloZ', 4, -2, 10],
    ['longitude', 5, -180, 180],
    ['latitude', 6, -90, 90],
  ];
  for (const [name, index, low, high] of ranges) {
    it(`have a ${name} uniform in [${String(low)}, ${String(high)}) at position ${String(index)}`, () => {
      const values = column(rows, index);
      const deciles = new Array<number>(10).fill(0);
      for (const value of values) {
        const decile = Math.floor(((value - low) / (high - low)) * 10);
        deciles[decile] = (deciles[decile] ?? 0) + 1;
      }
      expect(deciles).to.have.length(10);
      // 2,000 a decile, standard deviation 42.
      expect(Math.min(...deciles)).to.be.greaterThan(1750);
      expect(Math.max(...deciles)).to.be.lessThan(2250);
    });
  }

  it('are locked or not, half and half', () => {
    expect(new Set(rows.map((row) => row[7]))).to.deep.equal(new Set(['0', '1']));
    expect(column(rows, 7).reduce((sum, value) => sum + value, 0)).to.be.within(9700, 10_300);
  });

  it('have a uuid4 of their own', () => {
    const ids = new Set(rows.map((row) => row[1] ?? ''));
    expect(ids.size).to.equal(rows.length);
    for (const id of ids) {
      expect(id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  it('mostly have coordinates of 15 to 17 significant digits', () => {
    const long = rows.filter((row) =>
      /^\d{15,17}$/.test((row[5] ?? '').replace(/^-?0?\.?0*|\./g, '')),
    ).length;
    expect(long).to.be.greaterThan(rows.length * 0.85);
  });

  it('spread their times evenly over the file, in order', () => {
    const times = fieldsOf(rowsOf({ startMs: START + 59_000, spanMs: 4000, rows: 4 })).map((row) => row[0]);
    expect(times).to.deep.equal([
      '2026-01-01 00:00:59.000',
      '2026-01-01 00:01:00.000',
      '2026-01-01 00:01:01.000',
      '2026-01-01 00:01:02.000',
    ]);
  });

  it('print every time as Date does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (startMs) => {
        const [row] = fieldsOf(rowsOf({ startMs, spanMs: 1, rows: 1 }));
        expect(row?.[0]).to.equal(new Date(startMs).toISOString().replace('T', ' ').replace('Z', ''));
      }),
    );
  });

  it('do not depend on how the work is sliced', () => {
    const times = { startMs: START, spanMs: 10_000, rows: 500 };
    const whole = rowsOf(times);
    expect(rowsOf(times, [1, 99, 300, 100])).to.equal(whole);
    expect(rowsOf(times, [500], '2')).not.to.equal(whole);
  });

  it('never take more bytes than allowed for', () => {
    const text = rowsOf({ startMs: START, spanMs: 10_000, rows: 5000 });
    expect(Math.max(...text.split('\n').map((line) => line.length + 1))).to.be.lessThan(MAX_ROW_BYTES);
  });
});

describe('random streams', () => {
  it('are the same for the same seed and stream, and differ otherwise', () => {
    const draw = (seed: string, stream: number): number[] => {
      const random = randomSource(seed, stream);
      return [random.bits(), random.bits(), random.unit()];
    };
    expect(draw('a', 1)).to.deep.equal(draw('a', 1));
    const all = ['a', 'b', ''].flatMap((seed) =>
      [0, 1, 2, 2 ** 32].map((stream) => draw(seed, stream).join()),
    );
    expect(new Set(all).size).to.equal(all.length);
  });
});
