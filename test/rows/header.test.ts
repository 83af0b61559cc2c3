import { expect } from 'chai';
import {
  byteOrderMarkLength,
  type ColumnOverride,
  describeMapping,
  ORIGINAL_HEADER,
  readHeader,
} from '../../src/rows/header.ts';
import { TOPIC_COLUMNS, TOPIC_LAYOUT } from '../../src/rows/kernel.ts';
import { bytesOf, rowLine } from './support.ts';

const IN_ORDER = [0, 1, 2, 3, 4, 5, 6, 7];
const TRUE_HEADER = TOPIC_COLUMNS.join(',');

function usable(line: string, override?: ColumnOverride) {
  const decision = readHeader(line, override);
  if (decision.kind === 'unusable') throw new Error(decision.message);
  return decision;
}

function problem(line: string, override?: ColumnOverride): string {
  const decision = readHeader(line, override);
  if (decision.kind !== 'unusable') throw new Error(`usable: ${describeMapping(decision)}`);
  return decision.message;
}

describe('the header', () => {
  describe('that is a row', () => {
    const rows: readonly (readonly [string, string])[] = [
      ['a valid one', rowLine()],
      ['with a byte order mark and CR', `\uFEFF${rowLine()}\r`],
      ['out of range', rowLine({ latitude: '122.3' })],
      ['without a number where the longitude stands', rowLine({ longitude: 'unknown' })],
      ['quoted', rowLine({ time: '"2026-11-22T10:00:00Z"' })],
    ];
    for (const [name, line] of rows) {
      it(`${name}: headerless, by position`, () => {
        expect(readHeader(line)).to.deep.equal({
          kind: 'headerless',
          layout: TOPIC_LAYOUT,
          sources: IN_ORDER,
          header: [],
        });
      });
    }

    it('follows positions in source.columns', () => {
      const { kind, layout, sources } = usable(rowLine(), { longitude: 6, latitude: 5 });
      expect(kind).to.equal('headerless');
      expect(layout).to.deep.equal({ columns: 8, timepoint: 0, longitude: 6, latitude: 5 });
      expect(sources).to.deep.equal([0, 1, 2, 3, 4, 6, 5, 7]);
    });

    it('takes the names of the topic for its positions', () => {
      expect(usable(rowLine(), { longitude: 'Latitude', latitude: 'longitude' }).layout).to.include({
        longitude: 6,
        latitude: 5,
      });
    });

    it('may have any number of columns where source.columns gives all positions', () => {
      const decision = usable('x7,12.5,-33,2026-11-22 10:00:00', { timepoint: 3, longitude: 1, latitude: 2 });
      expect(decision.layout).to.deep.equal({ columns: 4, timepoint: 3, longitude: 1, latitude: 2 });
      expect(decision.sources).to.deep.equal([3, -1, -1, -1, -1, 1, 2, -1]);
      expect(describeMapping(decision)).to.equal(
        'no header, read by position: timepoint = column 3, longitude = column 1, latitude = column 2',
      );
    });

    it('is no use where source.columns names what no header names', () => {
      expect(problem(rowLine(), { longitude: 'lon' })).to.match(/first line is a row.*0-based positions/);
      expect(problem(rowLine(), { longitude: 8 })).to.match(/first line is a row/);
    });
  });

  it('of the original generator is read by position', () => {
    for (const line of [ORIGINAL_HEADER, `\uFEFF${ORIGINAL_HEADER}`, `${ORIGINAL_HEADER}\r`]) {
      const decision = usable(line);
      expect(decision).to.deep.include({ kind: 'original', layout: TOPIC_LAYOUT, sources: IN_ORDER });
      expect(describeMapping(decision)).to.equal(
        "the original generator's header, read by position: timepoint = column 0, " +
          "longitude = column 5 (named latitude in the file: the original generator's swapped header), " +
          "latitude = column 6 (named longitude in the file: the original generator's swapped header)",
      );
    }
  });

  it('that is nearly the original one is read by its names', () => {
    for (const line of [
      ORIGINAL_HEADER.toUpperCase(),
      ORIGINAL_HEADER.replace('locked', 'lock'),
      `${ORIGINAL_HEADER},x`,
      ORIGINAL_HEADER.replaceAll(',', ', '),
    ]) {
      expect(usable(line)).to.deep.include({ kind: 'named' });
      expect(usable(line).layout).to.include({ longitude: 6, latitude: 5 });
    }
  });

  it('of the original generator follows source.columns', () => {
    const named = usable(ORIGINAL_HEADER, { longitude: 'longitude' });
    expect(named.kind).to.equal('named');
    expect(named.layout).to.include({ longitude: 6, latitude: 5 });
    expect(usable(ORIGINAL_HEADER, { longitude: 6, latitude: 5 }).layout).to.include({
      longitude: 6,
      latitude: 5,
    });
    const other = usable(ORIGINAL_HEADER, { deviceId: 'locked', locked: 'deviceId' });
    expect(other.kind).to.equal('original');
    expect(other.sources).to.deep.equal([0, 7, 2, 3, 4, 5, 6, 1]);
  });

  it('in the true order is read by its names', () => {
    const decision = usable(TRUE_HEADER);
    expect(decision).to.deep.equal({
      kind: 'named',
      layout: TOPIC_LAYOUT,
      sources: IN_ORDER,
      header: [...TOPIC_COLUMNS],
    });
    expect(describeMapping(decision)).to.equal(
      'read by the header: timepoint = column 0, longitude = column 5, latitude = column 6',
    );
  });

  it('may be in any order, letters and quotes, with other columns and without the optional ones', () => {
    const decision = usable('\uFEFF"Latitude" , x'.replace(' ,', ',') + ', LONGITUDE ,"TimePoint"\r');
    expect(decision.layout).to.deep.equal({ columns: 4, timepoint: 3, longitude: 2, latitude: 0 });
    expect(decision.sources).to.deep.equal([3, -1, -1, -1, -1, 2, 0, -1]);
  });

  it('follows names and positions in source.columns', () => {
    const decision = usable('id,lat,lon,when', {
      timepoint: 'WHEN',
      longitude: 'lon',
      latitude: 1,
      deviceId: 'id',
    });
    expect(decision.kind).to.equal('named');
    expect(decision.sources).to.deep.equal([3, 0, -1, -1, -1, 2, 1, -1]);
    expect(describeMapping(decision)).to.equal(
      'read by the header: timepoint = column 3 (named when in the file), ' +
        'longitude = column 2 (named lon in the file), latitude = column 1 (named lat in the file)',
    );
  });

  it('is plain data', () => {
    const decision = usable('id,lat,longitude,timepoint', { latitude: 'lat' });
    expect(JSON.parse(JSON.stringify(decision))).to.deep.equal(decision);
  });

  describe('is unusable, naming problem, header and remedy,', () => {
    const cases: readonly (readonly [string, string, ColumnOverride, RegExp])[] = [
      ['a needed column missing', 'timepoint,lat,longitude', {}, /missing in the header: latitude;/],
      ['all missing', 'a,b,c', {}, /missing in the header: timepoint, longitude, latitude;/],
      [
        'a row in another form',
        '2026-11-22 10:00:00,1,2',
        {},
        /missing in the header: timepoint, longitude, latitude;/,
      ],
      ['an overriding name missing', TRUE_HEADER, { latitude: 'lat' }, /lat \(source.columns.latitude\)/],
      [
        'an optional overriding name missing',
        TRUE_HEADER,
        { locked: 'lock' },
        /lock \(source.columns.locked\)/,
      ],
      [
        'a position that does not exist',
        TRUE_HEADER,
        { latitude: 8 },
        /source.columns.latitude is 8, .* columns 0 to 7/,
      ],
      ['a position that is none', TRUE_HEADER, { latitude: 1.5 }, /source.columns.latitude is 1.5/],
      ['a name twice', 'timepoint,longitude,latitude,Longitude', {}, /column name longitude is ambiguous/],
      ['an optional name twice', `${TRUE_HEADER},locked`, {}, /column name locked is ambiguous/],
      [
        'two columns from one',
        TRUE_HEADER,
        { longitude: 6 },
        /longitude and latitude would both be column 6/,
      ],
      [
        'lines that end in CR alone',
        `${TRUE_HEADER}\r2026-11-22 10:00:00,d,0,0,9,1,2,1`,
        {},
        /end in CR alone: they have to end in LF or CRLF/,
      ],
      [
        'wrong quotes',
        'timepoint,"longitude,latitude',
        {},
        /quotes are wrong \(a quoted field is not closed/,
      ],
    ];
    for (const [name, line, override, message] of cases) {
      it(name, () => {
        const found = problem(line, override);
        expect(found).to.match(message);
        expect(found).to.include(`found: ${line}`);
        expect(found).to.include('source.columns');
        expect(describeMapping(readHeader(line, override))).to.equal(found);
      });
    }

    it('shortening a long header', () => {
      expect(problem('x,'.repeat(5000)).length).to.be.below(600);
    });
  });

  it('may name columns twice that are not used, or are given by position', () => {
    expect(usable('timepoint,longitude,latitude,x,x,,').kind).to.equal('named');
    expect(usable('timepoint,longitude,latitude,latitude', { latitude: 3 }).layout.latitude).to.equal(3);
  });

  it("is preceded by a byte order mark's three bytes or none", () => {
    expect(byteOrderMarkLength(bytesOf('\uFEFFtimepoint'))).to.equal(3);
    expect(byteOrderMarkLength(bytesOf('timepoint'))).to.equal(0);
    expect(byteOrderMarkLength(Uint8Array.of(0xef, 0xbb))).to.equal(0);
  });
});
