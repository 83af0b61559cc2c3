import { expect } from 'chai';
import {
  judgeAgain,
  judgeReplacement,
  type JudgeSettings,
  type Verdict,
} from '../../../src/actors/rejected/judge-again.ts';
import { keptRow, type RejectedRow } from '../../../src/actors/rejected/rejected-row.ts';
import { regionToken } from '../../../src/geo/s2.ts';
import { type HeaderDecision, readHeader } from '../../../src/rows/header.ts';
import type { RejectReason } from '../../../src/rows/reasons.ts';

const NOW = Date.UTC(2026, 0, 2);
const HOUR = 3_600_000;
const SETTINGS: JudgeSettings = {
  columns: {},
  utcOffsetMinutes: 0,
  maxLineBytes: 200,
  maxFutureMs: HOUR,
  level: 3,
};
const PARIS = '2026-01-01 00:00:00.000,d,0,0,9.8,2.35,48.86,1';
const NAMED = readHeader('when,lat,lon,who', { timepoint: 'when', longitude: 'lon', latitude: 'lat' });

function rejected(text: string, stage: RejectedRow['stage'], reason: RejectReason = 'future'): RejectedRow {
  return {
    id: 'f:10',
    reason,
    message: '',
    stage,
    file: { id: 'f', path: 'a.csv', line: 2, byte: 10 },
    row: keptRow(Buffer.from(text)),
  };
}

function told(verdict: Verdict): string {
  return verdict.kind === 'accepted'
    ? `${regionToken(verdict.region, SETTINGS.level)} ${Buffer.from(verdict.line).toString()}`
    : `${verdict.reason}: ${verdict.message}`;
}

describe('a rejected row judged again', () => {
  const headerless = readHeader(PARIS);

  function judged(
    text: string,
    header: HeaderDecision | undefined = headerless,
    settings: Partial<JudgeSettings> = {},
    now = NOW,
  ): string {
    return told(judgeAgain(rejected(text, 'publisher'), header, { ...SETTINGS, ...settings }, now));
  }

  it('is good where its time has come', () => {
    const ahead = PARIS.replace('2026-01-01', '2026-01-03');
    expect(judged(ahead)).to.match(/^future: .*2026-01-03/);
    expect(judged(ahead, headerless, {}, NOW + 23 * HOUR)).to.equal(`47c ${ahead}`);
  });

  it('is read by the header of its file, and rewritten in the columns of the topic', () => {
    expect(
      judged('2026-01-01 00:00:00,48.86,2.35,"a,b"', NAMED, {
        columns: { timepoint: 'when', longitude: 'lon', latitude: 'lat', deviceId: 'who' },
      }),
    ).to.equal('47c 2026-01-01 00:00:00,"a,b",,,,2.35,48.86,');
  });

  it('is read by source.columns as it is now, not as it was', () => {
    const swapped = readHeader('timepoint,longitude,latitude', {});
    const row = '2026-01-01 00:00:00.000,-33.9,151.2';
    expect(judged(row, swapped)).to.match(/^latitude-out-of-range: latitude 151\.2/);
    expect(judged(row, swapped, { columns: { longitude: 2, latitude: 1 } })).to.equal(
      '6b4 2026-01-01 00:00:00.000,,,,,151.2,-33.9,',
    );
    expect(judged(row, swapped, { columns: { longitude: 'elsewhere' } })).to.match(
      /^no-header: missing in the header: elsewhere/,
    );
  });

  it('is read by positions where the file had no header', () => {
    const row = '2026-01-01 00:00:00.000,d,0,0,9.8,48.86,122.35,1';
    expect(judged(row)).to.match(/^latitude-out-of-range/);
    expect(judged(row, headerless, { columns: { longitude: 6, latitude: 5 } })).to.match(
      /,122\.35,48\.86,1$/,
    );
    expect(judged('nonsense')).to.match(/^column-count: column count 1, expected 8/);
  });

  it('takes the zone of its file', () => {
    expect(judged(PARIS, headerless, { utcOffsetMinutes: 120 })).to.contain(' 2025-12-31 22:00:00.000,d,');
  });

  it('from the log is in the columns and the zone of the topic', () => {
    const settings = { ...SETTINGS, utcOffsetMinutes: 120, columns: { longitude: 6, latitude: 5 } };
    for (const stage of ['partition', 'region'] as const) {
      expect(told(judgeAgain(rejected(PARIS, stage, 'poison'), undefined, settings, NOW))).to.equal(
        `47c ${PARIS}`,
      );
    }
    const long = PARIS.replace(',d,', `,${'d'.repeat(170)},`);
    expect(told(judgeAgain(rejected(long, 'partition'), undefined, settings, NOW))).to.equal(`47c ${long}`);
  });

  it('stays rejected where its bytes are not all kept, its header is not known, or it is no row', () => {
    const long = 'x'.repeat(100_000);
    expect(judged(long)).to.match(/^cut: only the first 65536 of its 100000 bytes are kept: .*--row/);
    expect(told(judgeAgain(rejected(PARIS, 'publisher'), undefined, SETTINGS, NOW))).to.match(/^no-header/);
    expect(judged(PARIS, { kind: 'unusable', message: 'none' })).to.match(/^no-header/);
    expect(told(judgeAgain(rejected('', 'partition', 'empty-message'), undefined, SETTINGS, NOW))).to.equal(
      'empty-message: it is blank',
    );
  });

  it('keeps bytes that are no text', () => {
    const row = { ...rejected('', 'partition', 'invalid-utf8'), row: keptRow(Buffer.from([0x41, 0xff])) };
    expect(told(judgeAgain(row, undefined, SETTINGS, NOW))).to.match(/^invalid-utf8/);
  });
});

describe('what stands in the place of a rejected row', () => {
  it('is a line in the columns of the topic, judged as any', () => {
    expect(told(judgeReplacement(PARIS, { ...SETTINGS, utcOffsetMinutes: 60 }, NOW))).to.equal(
      `47c ${PARIS}`,
    );
    expect(told(judgeReplacement(`${PARIS}\n`, SETTINGS, NOW))).to.equal(`47c ${PARIS}`);
    expect(told(judgeReplacement('bad', SETTINGS, NOW))).to.match(/^column-count/);
    expect(told(judgeReplacement(`${PARIS}\n${PARIS}`, SETTINGS, NOW))).to.equal(
      'quote: it is more than one line',
    );
    expect(told(judgeReplacement(' ', SETTINGS, NOW))).to.equal('empty-message: it is blank');
  });
});
