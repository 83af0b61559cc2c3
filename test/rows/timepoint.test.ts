import { expect } from 'chai';
import fc from 'fast-check';

import {
  createMinuteMemory,
  formatTimepoint,
  hasZone,
  NOT_PLAIN_TIME,
  parseTimepoint,
  readPlainTimepoint,
} from '../../src/rows/timepoint.ts';
import { naiveTime } from './naive.ts';
import { bytesOf } from './support.ts';

const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** The time when `text` is wholly of the plain form. */
function readPlain(text: string, memory = createMinuteMemory(0)): number | undefined {
  const bytes = bytesOf(text);
  const out = new Float64Array(1);
  const end = readPlainTimepoint(bytes, new DataView(bytes.buffer), 0, memory, out, 0);
  return end === NOT_PLAIN_TIME || end < bytes.length ? undefined : out[0];
}

describe('timepoints', () => {
  it('of the plain form must lie in 1970 to 9999 as instants too', () => {
    expect(readPlain('1970-01-01 00:59:59.999', createMinuteMemory(60))).to.equal(undefined);
    expect(readPlain('1970-01-01 01:00:00.000', createMinuteMemory(60))).to.equal(0);
    expect(readPlain('9999-12-31 23:00:00.000', createMinuteMemory(-60))).to.equal(undefined);
    expect(readPlain('9999-12-31 22:59:59.999', createMinuteMemory(-60))).to.equal(LAST);
  });

  const accepted: readonly (readonly [string, number])[] = [
    ['1970-01-01 00:00:00', 0],
    ['2026-11-22 10:00:00.123', Date.UTC(2026, 10, 22, 10, 0, 0, 123)],
    ['2026-11-22T10:00:00.123', Date.UTC(2026, 10, 22, 10, 0, 0, 123)],
    ['2026-11-22 10:00:00Z', Date.UTC(2026, 10, 22, 10)],
    ['2026-11-22 10:00:00+02:00', Date.UTC(2026, 10, 22, 8)],
    ['2026-11-22 10:00:00.5-0530', Date.UTC(2026, 10, 22, 15, 30, 0, 500)],
    ['2026-11-22 10:00:00.999999999', Date.UTC(2026, 10, 22, 10, 0, 0, 999)],
    ['  2026-11-22 10:00:00\t', Date.UTC(2026, 10, 22, 10)],
    ['2024-02-29 23:59:59.999', Date.UTC(2024, 1, 29, 23, 59, 59, 999)],
    ['2000-02-29 00:00:00', Date.UTC(2000, 1, 29)],
    ['9999-12-31 23:59:59.999', LAST],
  ];
  for (const [text, time] of accepted) {
    it(`accept ${JSON.stringify(text)}`, () => {
      expect(parseTimepoint(text)).to.equal(time);
    });
  }

  for (const text of [
    '',
    '2026-11-22',
    '2026-11-22 10:00',
    '2026-02-30 10:00:00',
    '2025-02-29 10:00:00',
    '2100-02-29 10:00:00',
    '2026-04-31 10:00:00',
    '2026-00-10 10:00:00',
    '2026-13-10 10:00:00',
    '2026-11-00 10:00:00',
    '1969-12-31 23:59:59',
    '1970-01-01 00:00:00+00:01',
    '9999-12-31 23:59:59-00:01',
    '2026-11-22 24:00:00',
    '2026-11-22 10:60:00',
    '2026-11-22 23:59:60',
    '2026-11-22 10:00:00.',
    '2026-11-22 10:00:00.1234567890',
    '2026-11-22 10:00:00 +02:00',
    '2026-11-22 10:00:00+24:00',
    '2026-11-22 10:00:00+02:60',
    '2026-11-22 10:00:00+02',
    '2026-11-22 10:00:00+2:000',
    '2026-11-22 10:00:00z',
    '2026-11-22t10:00:00',
    '2026-11-22 10:00:00ZZ',
    '2026/11/22 10:00:00',
    '26-11-22 10:00:00.0000',
    '12026-11-22 10:00:00',
    '2026-11-22  10:00:00',
    '2026-11-22 10:00:0x',
    '2026-11-22 10-00:00',
    '2026-11-22 10:00-00',
    '1700000000000',
  ]) {
    it(`refuse ${JSON.stringify(text)}`, () => {
      expect(parseTimepoint(text)).to.be.NaN;
      expect(readPlain(text), 'plain').to.equal(undefined);
    });
  }

  it('without a zone are moved by the given offset, with one are not', () => {
    expect(parseTimepoint('2026-11-22 10:00:00', 90)).to.equal(Date.UTC(2026, 10, 22, 8, 30));
    expect(readPlain('2026-11-22 10:00:00.000', createMinuteMemory(90))).to.equal(
      Date.UTC(2026, 10, 22, 8, 30),
    );
    expect(parseTimepoint('2026-11-22 10:00:00Z', 90)).to.equal(Date.UTC(2026, 10, 22, 10));
    expect(parseTimepoint('2026-11-22 10:00:00-01:00', 90)).to.equal(Date.UTC(2026, 10, 22, 11));
  });

  it('are those of Date.UTC on every day to 2110', () => {
    const memory = createMinuteMemory(0);
    for (let time = Date.UTC(1970, 0) + 1; time < Date.UTC(2110, 0); time += 86_400_000) {
      const text = formatTimepoint(time);
      if (parseTimepoint(text) !== time || readPlain(text, memory) !== time) expect.fail(text);
    }
  });

  it('of any instant are read back from their plain form, whatever minute came before', () => {
    const memory = createMinuteMemory(0);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST }), fc.integer({ min: 0, max: 120_000 }), (time, later) => {
        const next = Math.min(time + later, LAST);
        expect(readPlain(formatTimepoint(time), memory)).to.equal(time);
        expect(readPlain(formatTimepoint(next), memory)).to.equal(next);
        expect(parseTimepoint(formatTimepoint(next))).to.equal(next);
      }),
      { numRuns: 5000 },
    );
  });

  it('are those of a plain regular expression and Date.UTC, for nearly valid texts too', () => {
    const number = (max: number, width: number): fc.Arbitrary<string> =>
      fc.integer({ min: 0, max }).map((value) => String(value).padStart(width, '0'));
    const text = fc
      .tuple(
        fc.oneof(number(9999, 4), fc.constantFrom('1970', '2024', '9999', '1969')),
        number(13, 2),
        number(32, 2),
        fc.constantFrom(' ', 'T', 't', '  '),
        number(24, 2),
        number(60, 2),
        number(60, 2),
        fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{0,10}$/)),
        fc.constantFrom('', '', 'Z', '+02:00', '-1130', '+24:00', '+1', ' '),
      )
      .map(([y, mo, d, s, h, mi, se, f, z]) => `${y}-${mo}-${d}${s}${h}:${mi}:${se}${f}${z}`);
    fc.assert(
      fc.property(text, fc.constantFrom(0, -90, 330), (value, offset) => {
        const expected = naiveTime(value.trim(), offset) ?? Number.NaN;
        expect(parseTimepoint(value, offset)).to.deep.equal(expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('tell whether they name their zone', () => {
    expect(hasZone('2026-11-22 10:00:00.000')).to.equal(false);
    for (const zone of ['Z', '+02:00', '-0200'])
      expect(hasZone(` 2026-11-22 10:00:00${zone} `)).to.equal(true);
  });
});
