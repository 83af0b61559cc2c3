import { expect } from 'chai';
import fc from 'fast-check';

import { explainRejection } from '../../src/rows/explain.ts';
import { TOPIC_LAYOUT } from '../../src/rows/kernel.ts';
import { REJECT_REASONS, type RejectReason } from '../../src/rows/reasons.ts';
import { bytesOf, parseRow, rowLine, SHORT_LAYOUT } from './support.ts';

const REASONS = REJECT_REASONS.filter((reason): reason is RejectReason => reason !== 'none');

describe('the explanation of a rejected row', () => {
  const cases: readonly (readonly [string, string])[] = [
    [rowLine({ latitude: '122.3' }), 'latitude 122.3 is out of range [-90, 90]; is source.columns right?'],
    [
      rowLine({ longitude: '" 1e3 "' }),
      'longitude 1e3 is out of range [-180, 180]; is source.columns right?',
    ],
    [rowLine({ longitude: 'east' }), 'longitude "east" is not a number; is source.columns right?'],
    [rowLine({ latitude: '' }), 'latitude (empty) is not a number; is source.columns right?'],
    ['1,2,3,4,5,6,7', 'column count 7, expected 8'],
    [
      rowLine({ time: '2026-02-30 10:00:00' }),
      'timepoint "2026-02-30 10:00:00" is not a valid time of the form YYYY-MM-DD HH:MM:SS[.mmm]',
    ],
    ['a,"b', 'a quoted field is not closed on its line'],
    ['a"b', 'a quote stands inside a field that does not begin with one'],
    ['"a"b', 'text follows a closing quote'],
    ['ab\0c', 'NUL byte at byte 2 of the line'],
  ];
  for (const [line, message] of cases) {
    it(message, () => {
      const { verdict } = parseRow(line);
      if (verdict === 'accepted') throw new Error('accepted');
      expect(explainRejection(bytesOf(line), TOPIC_LAYOUT, verdict)).to.equal(message);
    });
  }

  it('names the limits it is given', () => {
    const limits = { maxLineBytes: 1000, lineBytes: 5_000_000 };
    expect(explainRejection(bytesOf('abc'), TOPIC_LAYOUT, 'line-too-long', limits)).to.equal(
      'line of 5000000 bytes is longer than 1000 bytes',
    );
    expect(explainRejection(bytesOf('abc'), TOPIC_LAYOUT, 'line-too-long')).to.equal(
      'line of 3 bytes is longer than the longest accepted line',
    );
  });

  it('follows the layout', () => {
    expect(explainRejection(bytesOf('99,2,now'), SHORT_LAYOUT, 'latitude-out-of-range')).to.match(
      /^latitude 99 is/,
    );
  });

  it('says what it can where reason and line do not fit', () => {
    const explain = (line: string, reason: RejectReason): string =>
      explainRejection(bytesOf(line), TOPIC_LAYOUT, reason);
    expect(explain('a,"b', 'column-count')).to.equal('column count is not 8');
    expect(explain('a,b', 'quote')).to.equal('the quotes are wrong');
    expect(explain('a,b', 'future')).to.equal('timepoint "a" is too far ahead of the row\'s arrival');
    expect(explain('a,"b', 'late')).to.equal(
      'timepoint (unknown) is older than the newest row of its region by more than regions.lateness',
    );
    expect(explain(rowLine({ longitude: 'x'.repeat(1_000) }), 'longitude-not-a-number')).to.match(
      /^longitude "x{20,100}\.\.\. is not a number/,
    );
    for (const reason of REASONS) {
      expect(explain('1,2,3', reason)).to.have.length.within(10, 200);
    }
  });

  it('is short, on one line, and given for any bytes and reason', () => {
    const line = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.constant(bytesOf(rowLine({ longitude: '9'.repeat(100_000), latitude: 'x'.repeat(100_000) }))),
      fc.string().map((text) => bytesOf(rowLine({ longitude: text, latitude: text, time: text }))),
    );
    fc.assert(
      fc.property(line, fc.constantFrom(...REASONS), (bytes, reason) => {
        const message = explainRejection(bytes, TOPIC_LAYOUT, reason);
        expect(message.length).to.be.within(10, 200);
        expect(message).to.not.match(/\n/);
      }),
    );
  });
});
