import { expect } from 'chai';
import fc from 'fast-check';
import { type CsvBatch, CsvFormatError, type CsvOptions, CsvReader } from '../../src/rows/csv-reader.ts';
import { ACCEPTED, reasonOf } from '../../src/rows/reasons.ts';
import { bytesOf } from './support.ts';

/** A row as told by a test: `<line>: <longitude> <latitude>`, or `<line>: <reason>: <why>`. */
function told(reader: CsvReader, batches: Iterable<CsvBatch>): readonly string[] {
  const rows: string[] = [];
  for (const batch of batches) {
    const { longitude, latitude, verdict } = batch.columns;
    for (let row = 0; row < batch.rows; row++) {
      const line = String(reader.lineOf(batch, row));
      const judged = verdict[row] as number;
      rows.push(
        judged === ACCEPTED
          ? `${line}: ${String(longitude[row])} ${String(latitude[row])}`
          : `${line}: ${reasonOf(judged)}: ${reader.explain(batch, row)}`,
      );
    }
  }
  return rows;
}

function read(
  text: string | Uint8Array,
  options: CsvOptions = {},
  sizes: readonly number[] = [Infinity],
): readonly string[] {
  const bytes = typeof text === 'string' ? bytesOf(text) : text;
  const reader = new CsvReader(options);
  const rows: string[] = [];
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const end = Math.min(bytes.length, at + (sizes[piece % sizes.length] as number));
    rows.push(...told(reader, reader.read(bytes.subarray(at, end))));
    at = end;
  }
  return [...rows, ...told(reader, reader.end())];
}

const TIME = '2026-01-01 00:00:00.000';
const TRUE_HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';
const SWAPPED_HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,latitude,longitude,locked';
const row = (east: number | string, north: number | string): string =>
  `${TIME},d,0,0,9.8,${String(east)},${String(north)},1`;

describe('a CSV reader', () => {
  const forms: readonly (readonly [string, string, readonly string[]])[] = [
    ['the plain header', [TRUE_HEADER, row(122.3, 45), ''].join('\n'), ['2: 122.3 45']],
    [
      "the original generator's header with its swapped names",
      [SWAPPED_HEADER, row(122.3, 45)].join('\r\n'),
      ['2: 122.3 45'],
    ],
    ['columns by name, in any order', `latitude,timepoint,longitude\n45,${TIME},122.3\n`, ['2: 122.3 45']],
    ['no header, as on the topic', `${row(122.3, 45)}\n${row(1, 2)}\n`, ['1: 122.3 45', '2: 1 2']],
    [
      'a byte order mark and blank lines',
      `\uFEFF\n \n${TRUE_HEADER}\n\n${row(1, 2)}\n\n${row(3, 4)}`,
      ['5: 1 2', '7: 3 4'],
    ],
    ['a byte order mark before a row', `\uFEFF${row(1, 2)}\n`, ['1: 1 2']],
    ['nothing', '', []],
    ['blank lines alone', ' \n\n', []],
    ['a header alone', TRUE_HEADER, []],
  ];
  for (const [name, text, rows] of forms) {
    it(`reads ${name}, whatever pieces it comes in`, () => {
      for (const size of [Infinity, 1, 2, 7, 50]) {
        expect(read(text, {}, [size])).to.deep.equal(rows);
      }
    });
  }

  it('tells a bad row by line and reason, and reads on', () => {
    const text = [TRUE_HEADER, row(1, 2), row(45, 122.3), 'x', '', row('', 3), row(5, 6), ''].join('\n');
    expect(read(text)).to.deep.equal([
      '2: 1 2',
      '3: latitude-out-of-range: latitude 122.3 is out of range [-90, 90]; is source.columns right?',
      '4: column-count: column count 1, expected 8',
      '6: longitude-not-a-number: longitude (empty) is not a number; is source.columns right?',
      '7: 5 6',
    ]);
  });

  it('goes by the columns, the zone and the limits that it is given', () => {
    const named = `lon,lat,at\n1,2,${TIME}\n3,4,2026-01-01 00:00:00.001\n`;
    const options = {
      columns: { longitude: 'lon', latitude: 'lat', timepoint: 'at' },
      utcOffsetMinutes: 60,
      maxTime: Date.UTC(2025, 11, 31, 23),
    };
    expect(read(named, options)).to.deep.equal([
      '2: 1 2',
      '3: future: timepoint "2026-01-01 00:00:00.001" is too far ahead of the row\'s arrival',
    ]);
    const reader = new CsvReader(options);
    expect(reader.mapping).to.equal(undefined);
    expect([...reader.read(bytesOf(named))].map(({ rows }) => rows)).to.deep.equal([2]);
    expect(reader.mapping).to.deep.include({ kind: 'named', header: ['lon', 'lat', 'at'] });
  });

  it('gives the same rows in any pieces', () => {
    const line = fc.oneof(
      fc
        .tuple(fc.integer({ min: -200, max: 200 }), fc.integer({ min: -100, max: 100 }))
        .map(([e, n]) => row(e, n)),
      fc.constantFrom('', ' ', 'x', `${row(1, 2)}\r`, `"${TIME}",d,0,0,9.8,"7",8,1`, 'a'.repeat(3_000)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(TRUE_HEADER, SWAPPED_HEADER, row(9, 9)),
        fc.array(line, { maxLength: 20 }),
        fc.boolean(),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }),
        (first, lines, ended, sizes) => {
          const text = [first, ...lines].join('\n') + (ended ? '\n' : '');
          const options = { maxLineBytes: 2_000 };
          expect(read(text, options, sizes)).to.deep.equal(read(text, options));
        },
      ),
    );
  });

  it('goes on behind a line that is longer than all that it holds, and tells its length', () => {
    const long = 'x'.repeat(700_001);
    const because = (bytes: number): string =>
      `line-too-long: line of ${String(bytes)} bytes is longer than 65536 bytes`;
    for (const size of [Infinity, 65_536, 99_991]) {
      expect(read([TRUE_HEADER, row(1, 2), long, row(3, 4), long].join('\n'), {}, [size])).to.deep.equal([
        '2: 1 2',
        `3: ${because(700_001)}`,
        '4: 3 4',
        `5: ${because(700_001)}`,
      ]);
      expect(read([TRUE_HEADER, 'y'.repeat(65_537), row(3, 4), ''].join('\n'), {}, [size])).to.deep.equal([
        `2: ${because(65_537)}`,
        '3: 3 4',
      ]);
    }
  });

  it('gives many rows in batches that it uses again', () => {
    const rows = 20_000;
    const reader = new CsvReader();
    const bytes = bytesOf(Array.from({ length: rows }, (_, n) => row(n / 1_000, 1)).join('\n'));
    let seen = 0;
    const columns = new Set<unknown>();
    for (const batches of [reader.read(bytes), reader.end()]) {
      for (const batch of batches) {
        columns.add(batch.columns);
        for (let at = 0; at < batch.rows; at++) {
          expect(batch.columns.longitude[at]).to.equal(seen / 1_000);
          expect(reader.lineOf(batch, at)).to.equal(++seen);
        }
      }
    }
    expect([seen, columns.size]).to.deep.equal([rows, 1]);
  });

  it('refuses what has neither a row nor a header with the needed columns at its beginning', () => {
    expect(() => read('a,b,c\n1,2,3\n')).to.throw(
      CsvFormatError,
      'missing in the header: timepoint, longitude, latitude',
    );
    expect(() => read('z'.repeat(400_000))).to.throw(
      CsvFormatError,
      'there is no line within the first 327680 bytes',
    );
  });
});
