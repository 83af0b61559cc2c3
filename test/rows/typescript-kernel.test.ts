import { expect } from 'chai';
import fc from 'fast-check';

import { allocateColumns } from '../../src/rows/columns.ts';
import type { KernelOptions } from '../../src/rows/kernel.ts';
import { ACCEPTED, type RejectReason } from '../../src/rows/reasons.ts';
import { createTypeScriptKernel } from '../../src/rows/typescript-kernel.ts';
import { naiveRows } from './naive.ts';
import { bytesOf, latin1, OPTIONS, parseRow, parseRows, rowLine, SHORT_LAYOUT } from './support.ts';

const TIME = Date.UTC(2026, 10, 22, 10);
const VALUES = { longitude: 152.03699879955013, latitude: -84.77905890895934, time: TIME };

describe('the TypeScript kernel', () => {
  describe('accepts', () => {
    const forms: readonly (readonly [string, string])[] = [
      ['the plain form', rowLine()],
      ['quoted fields', rowLine({ time: '"2026-11-22 10:00:00.000"', longitude: '"152.03699879955013"' })],
      ['a comma and a doubled quote inside quotes', rowLine({ device: '"a,b""c"' })],
      [
        'spaces and tabs around numbers and times',
        rowLine({ time: ' 2026-11-22 10:00:00\t', latitude: ' -84.77905890895934 ' }),
      ],
      ['exponents', rowLine({ longitude: '1.5203699879955013e2', latitude: '-8477905890895934E-14' })],
      ['an ISO time', rowLine({ time: '2026-11-22T10:00:00.000Z' })],
      ['a zone', rowLine({ time: '2026-11-22T12:00:00+0200' })],
      ['UTF-8 in a column that is only carried', rowLine({ device: 'téléphone 📱' })],
      [
        'any text in a column that is only carried',
        rowLine({ device: "!#$%&'()*+-./:;<=>?@[\\]^_`{|}~\x7f\x01\r x" }),
      ],
      ['empty columns that are only carried', rowLine({ device: '', locked: '' })],
    ];
    for (const [name, line] of forms) {
      it(name, () => {
        expect(parseRow(line)).to.deep.equal({
          line: 0,
          text: latin1(bytesOf(line)),
          verdict: 'accepted',
          ...VALUES,
        });
        expect(parseRow(`${line}\n`)).to.deep.include(VALUES);
        expect(parseRow(`${line}\r\n`)).to.deep.include({ text: latin1(bytesOf(line)), ...VALUES });
      });
    }

    it('the ends of the ranges', () => {
      expect(parseRow(rowLine({ longitude: '-180', latitude: '90' }))).to.include({
        longitude: -180,
        latitude: 90,
      });
      expect(parseRow(rowLine({ longitude: '180.0', latitude: '-90.0' }))).to.include({
        longitude: 180,
        latitude: -90,
      });
    });

    it('a line of exactly the longest length, and a time of exactly the latest', () => {
      const line = rowLine();
      expect(parseRow(`${line}\r\n`, { maxLineBytes: line.length, maxTime: TIME }).verdict).to.equal(
        'accepted',
      );
    });

    it('columns in any order', () => {
      const row = parseRow('-84.5,152.25,2026-11-22 10:00:00\n', { layout: SHORT_LAYOUT });
      expect(row).to.include({ verdict: 'accepted', longitude: 152.25, latitude: -84.5, time: TIME });
    });
  });

  describe('rejects', () => {
    const long = 'x'.repeat(1000);
    const cases: readonly (readonly [string, RejectReason, string | Uint8Array])[] = [
      ['a line above the longest length', 'line-too-long', rowLine({ device: long })],
      ['... before anything else', 'line-too-long', `${long}\0"`],
      ['a NUL byte', 'nul-byte', rowLine({ device: 'a\0b' })],
      ['... before bad UTF-8 and quotes', 'nul-byte', Uint8Array.of(0x22, 0xff, 0)],
      ['a stray continuation byte', 'invalid-utf8', Uint8Array.of(0x61, 0x80)],
      ['an overlong form', 'invalid-utf8', Uint8Array.of(0xc0, 0xaf)],
      ['a surrogate', 'invalid-utf8', Uint8Array.of(0xed, 0xa0, 0x80)],
      ['more than U+10FFFF', 'invalid-utf8', Uint8Array.of(0xf4, 0x90, 0x80, 0x80)],
      ['a cut sequence', 'invalid-utf8', Uint8Array.of(0xe2, 0x82)],
      ['... before quotes', 'invalid-utf8', Uint8Array.of(0x22, 0xff)],
      ['an open quote', 'quote', rowLine({ device: '"abc' })],
      ['a quote inside a field', 'quote', rowLine({ device: 'a"b' })],
      ['text after a closing quote', 'quote', rowLine({ device: '"a"b' })],
      ['a space before a quote', 'quote', rowLine({ device: ' "a"' })],
      ['... before the column count', 'quote', 'a,"b'],
      ['a column too few', 'column-count', '2026-11-22 10:00:00.000,a,1,2,3,4,5'],
      ['a column too many', 'column-count', `${rowLine()},`],
      [
        'a comma inside quotes that is no separator',
        'column-count',
        '2026-11-22 10:00:00.000,"a,1",2,3,4,5,6',
      ],
      ['a header', 'header-line', 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked'],
      [
        'a header with its axes swapped',
        'header-line',
        'timepoint,deviceId,acceloX,acceloY,acceloZ,latitude,longitude,locked',
      ],
      ['a header in other letters', 'header-line', 'T,D,X,Y,Z," LONGITUDE\t",Latitude,l'],
      ['names as long as the right ones', 'longitude-not-a-number', 'T,D,X,Y,Z,longitudx,latitude,l'],
      [
        'twice the same name',
        'longitude-not-a-number',
        rowLine({ longitude: 'latitude', latitude: 'latitude' }),
      ],
      ['half a header', 'longitude-not-a-number', rowLine({ longitude: 'longitude' })],
      [
        'a longitude that is no number',
        'longitude-not-a-number',
        rowLine({ longitude: 'east', latitude: 'north' }),
      ],
      ['an empty longitude', 'longitude-not-a-number', rowLine({ longitude: '' })],
      ['a doubled quote in a number', 'longitude-not-a-number', rowLine({ longitude: '"1""2"' })],
      [
        'a latitude that is no number',
        'latitude-not-a-number',
        rowLine({ longitude: '999', latitude: 'nan' }),
      ],
      [
        'a longitude out of range',
        'longitude-out-of-range',
        rowLine({ longitude: '180.00000000000003', latitude: '99' }),
      ],
      ['a longitude out of all range', 'longitude-out-of-range', rowLine({ longitude: '-1e400' })],
      [
        'a latitude out of range',
        'latitude-out-of-range',
        rowLine({ time: 'never', latitude: '-90.00000000000001' }),
      ],
      ['swapped axes', 'latitude-out-of-range', rowLine({ longitude: '12', latitude: '122.3' })],
      ['a date that does not exist', 'time-invalid', rowLine({ time: '2026-02-30 10:00:00.000' })],
      ['an empty time', 'time-invalid', rowLine({ time: '' })],
      ['a byte order mark', 'time-invalid', `\uFEFF${rowLine()}`],
    ];
    for (const [name, reason, line] of cases) {
      it(`${name}: ${reason}`, () => {
        const bytes = typeof line === 'string' ? bytesOf(line) : line;
        const text = latin1(bytes);
        const expected = { line: 0, text, verdict: reason };
        expect(parseRows(bytes)).to.deep.equal([expected]);
        // Between good rows as well: nothing is swallowed.
        const around = Buffer.concat([bytesOf(`${rowLine()}\n`), bytes, bytesOf(`\r\n${rowLine()}\n`)]);
        expect(parseRows(around).map((row) => row.verdict)).to.deep.equal(['accepted', reason, 'accepted']);
      });
    }

    it('a time after the latest: future', () => {
      expect(parseRow(rowLine(), { maxTime: TIME - 1 }).verdict).to.equal('future');
      expect(parseRow(rowLine({ device: '"q"' }), { maxTime: TIME - 1 }).verdict).to.equal('future');
    });

    it('a time after the latest at a bad position for its position', () => {
      expect(parseRow(rowLine({ longitude: '181' }), { maxTime: 0 }).verdict).to.equal(
        'longitude-out-of-range',
      );
    });
  });

  it('takes times without a zone as local', () => {
    expect(parseRow(rowLine(), { utcOffsetMinutes: 60 }).time).to.equal(TIME - 3_600_000);
    expect(parseRow(rowLine({ time: '2026-11-22 10:00:00Z' }), { utcOffsetMinutes: 60 }).time).to.equal(TIME);
  });

  it('takes blank lines for lines but not for rows', () => {
    const rows = parseRows(bytesOf(`\n \t\r\n${rowLine()}\n\r\r\n\n${rowLine()}\n  `));
    expect(rows.map((row) => [row.line, row.verdict])).to.deep.equal([
      [2, 'accepted'],
      [5, 'accepted'],
    ]);
  });

  it('consumes only ended lines unless they are the last', () => {
    const kernel = createTypeScriptKernel(OPTIONS);
    const columns = allocateColumns(8);
    const bytes = bytesOf(`${rowLine()}\n\n${rowLine()}`);
    const ended = rowLine().length + 2;
    expect(kernel.parse(bytes, 0, bytes.length, false, columns, 0, 8)).to.deep.equal({
      rows: 1,
      bytes: ended,
      lines: 2,
    });
    expect(kernel.parse(bytes, 0, bytes.length, true, columns, 0, 8)).to.deep.equal({
      rows: 2,
      bytes: bytes.length,
      lines: 3,
    });
    expect(kernel.parse(bytes, ended, bytes.length, false, columns, 0, 8)).to.deep.equal({
      rows: 0,
      bytes: 0,
      lines: 0,
    });
    expect(kernel.parse(bytes, 0, bytes.length, true, columns, 0, 1).rows).to.equal(1);
    expect(kernel.parse(bytes, 0, bytes.length, true, columns, 0, 0)).to.deep.equal({
      rows: 0,
      bytes: 0,
      lines: 0,
    });
  });

  it('reads the last line of a message of any length, ended or not', () => {
    const kernel = createTypeScriptKernel(OPTIONS);
    const columns = allocateColumns(64);
    for (const length of [1, 500, 4095, 4096, 4097, 5000]) {
      for (const end of ['', '\n', '\r', '\r\n']) {
        const line = `${rowLine()}${end}`;
        const filled = `${rowLine()}\n`.repeat(Math.floor(length / 200));
        const text = `${'\n'.repeat(Math.max(0, length - filled.length - line.length))}${filled}${line}`;
        const bytes = bytesOf(text);
        const counts = kernel.parse(bytes, 0, bytes.length, true, columns, 0, 64);
        const rows = filled.length / (rowLine().length + 1) + 1;
        expect(counts).to.deep.equal({ rows, bytes: bytes.length, lines: text.split(/\n(?!$)/).length });
        expect(columns.verdict.subarray(0, rows).every((verdict) => verdict === ACCEPTED)).to.equal(true);
        expect(columns.lineStart[rows - 1]).to.equal(bytes.length - line.length);
        expect(columns.lineLength[rows - 1]).to.equal(rowLine().length);
        expect(columns.latitude[rows - 1]).to.equal(-84.77905890895934);
      }
    }
  });

  it('refuses ranges that do not exist', () => {
    const kernel = createTypeScriptKernel(OPTIONS);
    const columns = allocateColumns(8);
    expect(() => kernel.parse(new Uint8Array(4), 0, 5, true, columns, 0, 8)).to.throw(RangeError, /bytes/);
    expect(() => kernel.parse(new Uint8Array(4), 3, 2, true, columns, 0, 8)).to.throw(RangeError, /bytes/);
    expect(() => kernel.parse(new Uint8Array(4), 0, 4, true, columns, 4, 8)).to.throw(
      RangeError,
      /capacity 8/,
    );
  });

  it('reads a Buffer that starts anywhere in its memory, and its changed contents', () => {
    const kernel = createTypeScriptKernel(OPTIONS);
    const columns = allocateColumns(8);
    const memory = Buffer.alloc(1024, '7');
    const buffer = memory.subarray(13, 13 + rowLine().length + 1);
    for (const longitude of ['152.03699879955013', '-52.03699879955013']) {
      buffer.write(`${rowLine({ longitude })}\n`);
      expect(kernel.parse(buffer, 0, buffer.length, false, columns, 2, 1).rows).to.equal(1);
      expect(columns.lineStart[2]).to.equal(0);
      expect(columns.longitude[2]).to.equal(Number(longitude));
    }
  });

  it('reads the original form by position: what is named latitude reaches 180 degrees', () => {
    const file = [
      'timepoint,deviceId,acceloX,acceloY,acceloZ,latitude,longitude,locked',
      '2021-03-04 17:25:01.123,a4d2f0de-98ba-4b0a-9b1b-2a3f0dc1c6a5,1.3,-1.9,9.1,-179.9512345678901,-89.5,0',
      '2021-03-04 17:25:01.124,0b38e3a1-0f0e-4c1c-8f0e-0e6a9a8b7c6d,-0.5,1e-05,0.2,180.0,45.25,1',
      '',
    ].join('\n');
    const rows = parseRows(bytesOf(file));
    expect(rows.map((row) => row.verdict)).to.deep.equal(['header-line', 'accepted', 'accepted']);
    expect(rows.map((row) => row.longitude)).to.deep.equal([undefined, -179.9512345678901, 180]);
    expect(rows.map((row) => row.latitude)).to.deep.equal([undefined, -89.5, 45.25]);
  });

  describe('on any bytes', () => {
    const options: readonly KernelOptions[] = [
      OPTIONS,
      { ...OPTIONS, maxLineBytes: 150, maxTime: TIME, utcOffsetMinutes: -90 },
      { ...OPTIONS, layout: SHORT_LAYOUT, maxLineBytes: 60 },
    ];
    const field = fc.oneof(
      { weight: 6, arbitrary: fc.double({ min: -200, max: 200, noNaN: true }).map(String) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          '2026-11-22 10:00:00.001',
          '2026-11-22T10:00:00Z',
          '2026-02-29 10:00:00.000',
        ),
      },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          '',
          ' ',
          'a"b',
          '"a,b"',
          '"1.5"',
          '"',
          'é',
          'longitude',
          'Latitude',
          '1e1',
          ' 2\t',
          '\r',
          '\0',
          '\n',
        ),
      },
    );
    const line = fc.oneof(
      { weight: 3, arbitrary: fc.record({ longitude: field, latitude: field, device: field }).map(rowLine) },
      { weight: 3, arbitrary: fc.record({ time: field, locked: field }).map(rowLine) },
      { weight: 4, arbitrary: fc.constant(rowLine()) },
      { weight: 2, arbitrary: fc.array(field, { maxLength: 9 }).map((fields) => fields.join(',')) },
      {
        weight: 2,
        arbitrary: fc.tuple(field, field).map(([lat, lon]) => `${lat},${lon},2026-11-22 10:00:00.001`),
      },
      { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(' ', '\t', '\r', '"', ',', '\n', '1') }) },
    );
    const text = fc
      .array(fc.tuple(line, fc.constantFrom('\n', '\n', '\r\n', '')), { maxLength: 12 })
      .map((lines) => bytesOf(lines.flat().join('')));
    const broken = fc
      .tuple(text, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }))
      .map(([bytes, changes]) => {
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        return bytes;
      });
    const bytes = fc.oneof(
      { weight: 4, arbitrary: broken },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    );

    it('judges as a plain second implementation does', () => {
      let accepted = 0;
      let rejected = 0;
      fc.assert(
        fc.property(bytes, fc.constantFrom(...options), fc.boolean(), (value, chosen, alone) => {
          const rows = parseRows(value, chosen, { chunks: [Number.POSITIVE_INFINITY], maxRows: [64], alone });
          expect(rows).to.deep.equal(naiveRows(value, chosen));
          for (const row of rows) {
            if (row.verdict === 'accepted') accepted++;
            else rejected++;
          }
        }),
        { numRuns: 2000 },
      );
      expect(accepted).to.be.above(300);
      expect(rejected).to.be.above(300);
    });

    it('counts as rows what a plain counter counts, in any split of bytes and rows', () => {
      const split = fc.record({
        chunks: fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 4 }),
        maxRows: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
        alone: fc.boolean(),
      });
      fc.assert(
        fc.property(bytes, split, (value, chosen) => {
          const rows = parseRows(value, OPTIONS, chosen);
          const counted = latin1(value)
            .split('\n')
            .filter((each) => /[^ \t\r]/.test(each)).length;
          expect(rows.length).to.equal(counted);
          expect(rows).to.deep.equal(parseRows(value));
        }),
        { numRuns: 800 },
      );
    });
  });
});
