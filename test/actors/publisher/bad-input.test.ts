import { expect } from 'chai';
import { csv, HEADER, type Outcome, row, rows, Workshop } from './ingest-run.ts';

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const LONG = 'x'.repeat(3_000);
/** Longer than a transaction (16 KiB in these runs). */
const LONGER = 'y'.repeat(70_000);

/** Lines with their ends, as bytes; each with the reason it is to be rejected for, if it is. */
type Line = readonly [bytes: string | Buffer, reason?: string];

const FORMS: Readonly<Record<string, readonly Line[]>> = {
  'lf.csv': [[`${HEADER}\n`], [`${row(1)}\n`], [`${row(2)}\n`]],
  'crlf.csv': [[`${HEADER}\r\n`], [`${row(1)}\r\n`], [`${row(2)}\r\n`]],
  'bom with header.csv': [[BOM], [`${HEADER}\n`], [`${row(1)}\n`], ['broken\n', 'column-count']],
  'bom without header.csv': [[BOM], [`${row(1)}\n`], ['broken\n', 'column-count'], [`${row(2)}\n`]],
  'no header.csv': [[`${row(1)}\n`], [`${row(2)}\n`]],
  'no last newline.csv': [[`${HEADER}\n`], [`${row(1)}\n`], [row(2)]],
  'no last newline, bad.csv': [[`${HEADER}\n`], [`${row(1)}\n`], ['broken', 'column-count']],
  'blank lines.csv': [
    ['\n'],
    [' \r\n'],
    [`${HEADER}\n`],
    ['\n'],
    [`${row(1)}\n`],
    ['\r\n'],
    ['bad\n', 'column-count'],
  ],
  'quoted.csv': [
    [`${HEADER}\n`],
    ['"2026-01-01 00:00:00.000","a,b",0,0,9.8,"12.5","45.25","1"\n'],
    ['"2026-01-01 00:00:00.000,"a",0,0,9.8,12.5,45.25,1\n', 'quote'],
    ['2026-01-01 00:00:00.000,"say ""hi""",0,0,9.8,12.5,45.25,1\r\n'],
  ],
  'small numbers.csv': [
    [`${HEADER}\n`],
    ['2026-01-01 00:00:00.000,a,0,0,9.8,0.00001,1e-05,1\n'],
    ['2026-01-01 00:00:00.000,a,0,0,9.8,-1E-05,+0.00001,1\n'],
    ['2026-01-01 00:00:00.000,a,0,0,9.8,nan,1,1\n', 'longitude-not-a-number'],
    ['2026-01-01 00:00:00.000,a,0,0,9.8,1,inf,1\n', 'latitude-not-a-number'],
  ],
  'out of range.csv': [
    [`${HEADER}\n`],
    ['2026-01-01 00:00:00.000,a,0,0,9.8,180.5,1,1\n', 'longitude-out-of-range'],
    ['2026-01-01 00:00:00.000,a,0,0,9.8,1,122.3,1\n', 'latitude-out-of-range'],
    ['2026-13-01 00:00:00.000,a,0,0,9.8,1,2,1\n', 'time-invalid'],
    ['2126-01-01 00:00:00.000,a,0,0,9.8,1,2,1\n', 'future'],
    [`${HEADER}\n`, 'header-line'],
    [`${row(1)}\n`],
  ],
  'long lines.csv': [
    [`${HEADER}\n`],
    [`${LONG}\n`, 'line-too-long'],
    [`${row(1)}\n`],
    [`${LONGER}\r\n`, 'line-too-long'],
    [`${row(2)}\n`],
    [LONGER, 'line-too-long'],
  ],
  'nul.csv': [[`${HEADER}\n`], [`${row(1).replace('device', 'dev\0ce')}\n`, 'nul-byte'], [`${row(2)}\n`]],
  'invalid utf-8.csv': [
    [`${HEADER}\n`],
    [
      Buffer.concat([
        Buffer.from('2026-01-01 00:00:00.000,'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from(',0,0,9,1,2,1\n'),
      ]),
      'invalid-utf8',
    ],
    [`${row(2).replace('device', 'Gerät ☂')}\n`],
  ],
  'sub/folder/original.csv': [
    ['timepoint,deviceId,acceloX,acceloY,acceloZ,latitude,longitude,locked\n'],
    // By position: 150 can only be a longitude.
    ['2026-01-01 00:00:00.000,a,0,0,9.8,150.5,-80.25,1\n'],
  ],
  'other order.csv': [
    ['latitude,locked,LONGITUDE ,Timepoint\n'],
    ['-80.25,1,150.5,2026-01-01 00:00:00.000\n'],
    ['150.5,1,-80.25,2026-01-01 00:00:00.000\n', 'latitude-out-of-range'],
  ],
  'header only.csv': [[`${HEADER}\n`]],
  'header only, no newline.csv': [[HEADER]],
  'empty.csv': [['']],
  'only blank.csv': [['\n\r\n  \n']],
  'ünï☂ 名前.csv': [[`${HEADER}\n`], [`${row(1)}\n`], ['bad\n', 'column-count']],
  'line\nfeed.csv': [[`${HEADER}\n`], [`${row(1)}\n`], ['bad\n', 'column-count']],
};

/** What a reader that knows nothing of Geoflock makes of a form: only lines that are no header, BOM or blank. */
function expected(lines: readonly Line[]): { content: Buffer; good: number; bad: unknown[] } {
  const parts = lines.map(([bytes]) => Buffer.from(bytes));
  const bad: unknown[] = [];
  let good = 0;
  let byte = 0;
  let line = 0;
  for (const [index, part] of parts.entries()) {
    if (part.length > 3 || part.includes('\n')) {
      line++;
    }
    const text = part.toString('latin1');
    const reason = lines[index]?.[1];
    const body = part.subarray(0, text.replace(/\n$/, '').length);
    if (reason !== undefined) {
      bad.push({
        reason,
        line,
        byte,
        bytes: bodyWithoutReturn(body)
          .toString('hex')
          .slice(0, 2 * 65_536),
      });
    } else if (text.includes('2026-01-01 ')) {
      good++;
    }
    byte += part.length;
  }
  return { content: Buffer.concat(parts), good, bad };
}

function bodyWithoutReturn(body: Buffer): Buffer {
  return body.at(-1) === 0x0d && body.length < 65_536 ? body.subarray(0, -1) : body;
}

describe('files in every form, read by the whole pipeline', () => {
  const shop = new Workshop();
  let outcome: Outcome;

  before(async () => {
    for (const [name, lines] of Object.entries(FORMS)) {
      shop.put(name, expected(lines).content);
    }
    outcome = await shop.once({
      settings: {
        // The default's dots do not match a line feed, as in the replaced system.
        'input.filter': '[^.][^]*csv',
        'source.maxLineBytes': '2KiB',
        'publisher.transactionBytes': '16KiB',
      },
    });
  });

  after(() => {
    shop.remove();
  });

  for (const [name, lines] of Object.entries(FORMS)) {
    it(`${JSON.stringify(name)}: every row is counted or set aside, with its place and its bytes`, () => {
      const { bad, content, good } = expected(lines);
      const entry = outcome.entries.get(name) ?? expect.fail('not in the ledger');
      expect({ state: entry.state, byte: entry.byte, accepted: entry.read - entry.rejected }).to.deep.equal({
        state: 'done',
        byte: content.length,
        accepted: good,
      });
      const rejected = outcome.rejected.filter(({ file }) => file?.path === name);
      expect(
        rejected.map(({ file, reason, row: { encoding, text } }) => ({
          reason,
          line: file?.line,
          byte: file?.byte,
          bytes: Buffer.from(text, encoding).toString('hex'),
        })),
      ).to.deep.equal(bad);
      for (const { id, file, message } of rejected) {
        expect(id).to.equal(`${entry.fileId}:${String(file?.byte)}`);
        expect(message).to.not.equal('');
      }
    });
  }

  it('the sums agree, and no file failed', () => {
    const sums = Object.values(FORMS).map(expected);
    const good = sums.reduce((sum, one) => sum + one.good, 0);
    const bad = sums.reduce((sum, one) => sum + one.bad.length, 0);
    const { files, rows: counts } = outcome.totals;
    expect(files).to.deep.equal({ done: sums.length, failed: 0 });
    expect(counts).to.deep.equal({ read: good + bad, counted: good, rejected: bad });
    expect(outcome.model.weight).to.equal(good);
  });
});

describe('files that cannot be mapped', () => {
  let shop: Workshop;

  beforeEach(() => {
    shop = new Workshop();
  });

  afterEach(() => {
    shop.remove();
  });

  it('fail by name with no row read, and the others go on', async () => {
    const bad = {
      'no longitude.csv': [`${HEADER.replace('longitude', 'lon')}\n${rows(3)}`, 'longitude'],
      'twice.csv': [`${HEADER.replace('locked', 'latitude')}\n${rows(3)}`, 'latitude is ambiguous'],
      'endless header.csv': ['h'.repeat(70_000), 'the first line is longer than 65536 bytes'],
      'quotes.csv': [`"timepoint,longitude\n${rows(3)}`, "the first line's quotes are wrong"],
    } as const;
    for (const [name, [content]] of Object.entries(bad)) {
      shop.put(name, content);
    }
    shop.put('good.csv', csv(3));
    const { entries, filesFailed, messages, totals } = await shop.once();
    expect(totals.files).to.deep.equal({ done: 1, failed: 4 });
    expect(totals.rows).to.deep.equal({ read: 3, counted: 3, rejected: 0 });
    expect(filesFailed).to.equal(4);
    for (const [name, [, problem]] of Object.entries(bad)) {
      expect(entries.get(name)?.problem).to.contain(problem);
      const told = messages.filter(({ fields, level }) => level === 'error' && fields['file'] === name);
      expect(told.map(({ text }) => text).join()).to.contain(problem);
    }
  });

  it('are read once source.columns says how, or the file is mended', async () => {
    shop.put('a.csv', `when;lon,lat,when\n12.5,45.5,2026-01-01 00:00:00\n`.replace('when;', ''));
    shop.put('b.csv', 'x,y,t\n12.5,45.5,2026-01-01 00:00:00\n');
    const first = await shop.once();
    expect(first.totals.files).to.deep.equal({ done: 0, failed: 2 });
    const settings = {
      'source.columns.longitude': 'lon',
      'source.columns.latitude': 'lat',
      'source.columns.timepoint': 'when',
    };
    const second = await shop.once({ settings });
    expect(second.totals.files).to.deep.equal({ done: 1, failed: 1 });
    expect(second.totals.rows.counted).to.equal(1);
    shop.put('b.csv', 'lon,lat,when\n12.5,45.5,2026-01-01 00:00:00\n', 50_000);
    const third = await shop.once({ settings });
    expect(third.totals.files).to.deep.equal({ done: 2, failed: 0 });
    expect(third.totals.rows).to.deep.equal({ read: 2, counted: 2, rejected: 0 });
  });

  it('a line of 20 MB without an end is one rejected row of its length, in bounded memory', async () => {
    shop.put('huge.csv', Buffer.concat([Buffer.from(csv(2)), Buffer.alloc(20_000_000, 'z')]));
    const { rejected, totals } = await shop.once();
    expect(totals.rows).to.deep.equal({ read: 3, counted: 2, rejected: 1 });
    const [only] = rejected;
    expect([only?.reason, only?.row.bytes, only?.row.text.length, only?.file?.line]).to.deep.equal([
      'line-too-long',
      20_000_000,
      65_536,
      4,
    ]);
  });
});
