import { expect } from 'chai';
import fc from 'fast-check';

import { joinFields, splitFields } from '../../src/rows/fields.ts';
import { type ColumnOverride, readHeader, type SourceMapping } from '../../src/rows/header.ts';
import { TOPIC_COLUMNS } from '../../src/rows/kernel.ts';
import { createTopicLineWriter, maxTopicLineBytes, rewriteLine } from '../../src/rows/topic-line.ts';
import { bytesOf, latin1, OPTIONS, parseRow, parseRows, rowLine } from './support.ts';

function mappingOf(header: string, override?: ColumnOverride): SourceMapping {
  const decision = readHeader(header, override);
  if (decision.kind === 'unusable') throw new Error(decision.message);
  return decision;
}

const SAME = mappingOf(TOPIC_COLUMNS.join(','));
const SWAPPED = mappingOf('timepoint,deviceId,acceloX,acceloY,acceloZ,Latitude,Longitude,locked');
const FEW = mappingOf('latitude,x,longitude,timepoint,deviceId');

const rewritten = (line: string, mapping: SourceMapping, offset = 0): string =>
  Buffer.from(rewriteLine(bytesOf(line), mapping, offset)).toString();

describe('lines for the topic', () => {
  it('pass unchanged in the same form without quotes', () => {
    const writer = createTopicLineWriter(SAME, 0);
    const passes = (line: string): boolean => writer.linePasses(bytesOf(line), 0, bytesOf(line).length);
    expect(passes(rowLine())).to.equal(true);
    expect(passes(rowLine({ device: 'é' }))).to.equal(true);
    expect(passes(rowLine({ device: '"a"' }))).to.equal(false);
    expect(passes(rowLine({ locked: '1\r' }))).to.equal(false);
    for (const [mapping, offset] of [
      [SWAPPED, 0],
      [FEW, 0],
      [SAME, 60],
    ] as const) {
      const other = createTopicLineWriter(mapping, offset);
      expect(other.linePasses(bytesOf(rowLine()), 0, rowLine().length)).to.equal(false);
      expect(other.chunkPasses(bytesOf(rowLine()), 0, rowLine().length)).to.equal(false);
    }
  });

  it('pass as a chunk when every line of it does', () => {
    const writer = createTopicLineWriter(SAME, 0);
    const chunk = (text: string): boolean =>
      writer.chunkPasses(bytesOf(`"\r\r${text}"`), 3, 3 + bytesOf(text).length);
    expect(chunk(`${rowLine()}\n${rowLine()}\r\n`)).to.equal(true);
    expect(chunk(`${rowLine()}\n${rowLine({ device: '"a"' })}\n`)).to.equal(false);
    expect(chunk(`${rowLine()}\r\r\n`)).to.equal(false);
    expect(chunk(`${rowLine()}\r`)).to.equal(false);
  });

  it('are put in order, with missing columns empty', () => {
    expect(rewritten('-84.5,x,152.25,2026-11-22 10:00:00,phone', FEW)).to.equal(
      '2026-11-22 10:00:00,phone,,,,152.25,-84.5,',
    );
    expect(rewritten('2026-11-22 10:00:00,d,1,2,3,-84.5,152.25,0', SWAPPED)).to.equal(
      '2026-11-22 10:00:00,d,1,2,3,152.25,-84.5,0',
    );
  });

  it('keep quotes only where they are needed', () => {
    expect(rewritten('"-84.5","x","152.25","2026-11-22 10:00:00","a,""b"""', FEW)).to.equal(
      '2026-11-22 10:00:00,"a,""b""",,,,152.25,-84.5,',
    );
    expect(rewritten(rowLine({ locked: '1\r' }), SAME)).to.equal(rowLine({ locked: '"1\r"' }));
  });

  it('say local times in UTC, times with a zone as they are', () => {
    expect(rewritten(rowLine({ time: '2026-11-22T10:00:00.5' }), SAME, 90)).to.equal(
      rowLine({ time: '2026-11-22 08:30:00.500' }),
    );
    const zoned = rowLine({ time: '2026-11-22T10:00:00+02:00' });
    expect(rewritten(zoned, SAME, 90)).to.equal(zoned);
  });

  it('are written where the caller says, within their room', () => {
    const line = bytesOf(rowLine());
    const writer = createTopicLineWriter(SAME, 0);
    const out = new Uint8Array(10 + maxTopicLineBytes(line.length)).fill(0x2e);
    const end = writer.write(bytesOf(`xx${rowLine()}yy`), 2, line.length, out, 10);
    expect(latin1(out.subarray(0, end))).to.equal(`..........${rowLine()}`);
    expect(out[end]).to.equal(0x2e);
    expect(() => writer.write(line, 0, line.length, out, 11)).to.throw(RangeError, /bytes are left/);
  });

  it('are refused when they were not accepted', () => {
    expect(() => rewritten('a,b', SAME)).to.throw(/accepted lines.*2 columns/);
    expect(() => rewritten(rowLine({ device: '"' }), SAME)).to.throw(/accepted lines.*unbalanced/);
    expect(() => rewritten(rowLine({ time: 'now' }), SAME, 60)).to.throw(/accepted lines.*timepoint now/);
  });

  it('give the kernel the same values, and a reader the same fields', () => {
    const number = (limit: number) =>
      fc
        .tuple(
          fc.double({ min: -limit, max: limit, noNaN: true }),
          fc.constantFrom('', ' ', '\t'),
          fc.boolean(),
        )
        .map(([value, blank, plus]) => `${blank}${plus && value > 0 ? '+' : ''}${String(value)}${blank}`);
    const text = fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.string({ unit: fc.constantFrom('"', ',', '\r', ' ', 'é'), maxLength: 6 }),
    );
    const time = fc.constantFrom(
      '2026-11-22 10:00:00.123',
      ' 2026-11-22T10:00:00.1234',
      '2026-02-28 23:59:59-03:30',
    );
    const row = fc.record({
      timepoint: time,
      deviceId: text,
      longitude: number(180),
      latitude: number(90),
      x: text,
      locked: text,
    });
    type Name = 'timepoint' | 'deviceId' | 'longitude' | 'latitude' | 'x' | 'locked';
    const names: readonly Name[] = ['timepoint', 'deviceId', 'longitude', 'latitude', 'x', 'locked'];
    const order = fc.shuffledSubarray([...names], { minLength: 6 });
    fc.assert(
      fc.property(row, order, fc.constantFrom(0, 0, 330), fc.boolean(), (fields, columns, offset, quoted) => {
        // What JSON would keep and a line cannot: NUL and line feeds are never in accepted rows.
        const clean = (name: Name): string => fields[name].replaceAll(/[\0\n]/g, '');
        const line = quoted
          ? columns.map((name) => `"${clean(name).replaceAll('"', '""')}"`).join(',')
          : joinFields(columns.map(clean));
        const mapping = mappingOf(columns.join(','));
        const source = parseRow(line, { layout: mapping.layout, utcOffsetMinutes: offset });
        expect(source.verdict).to.equal('accepted');

        const out = rewriteLine(bytesOf(line), mapping, offset);
        expect(out.length).to.be.at.most(maxTopicLineBytes(bytesOf(line).length));
        const [result, ...others] = parseRows(Buffer.concat([out, bytesOf('\n')]), OPTIONS);
        expect(others).to.deep.equal([]);
        expect(result).to.include({
          verdict: 'accepted',
          longitude: source.longitude,
          latitude: source.latitude,
          time: source.time,
        });
        const split = splitFields(out);
        expect(split.ok && [split.fields[1], split.fields[2], split.fields[7]]).to.deep.equal([
          clean('deviceId'),
          '',
          clean('locked'),
        ]);
      }),
      { numRuns: 600 },
    );
  });
});
