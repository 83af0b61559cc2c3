import { expect } from 'chai';
import fc from 'fast-check';
import { finish } from '../../src/clustering/slices.ts';
import { placeLabels } from '../../src/report/labels.ts';
import { reportMarkdown } from '../../src/report/markdown.ts';
import { kmText, positionText } from '../../src/report/text.ts';
import { binsOf } from '../../src/report/time-bins.ts';
import { emptyReportData, reportData } from './data.ts';

const MINUTE = 60_000;

describe('labels of a map', () => {
  it('overlap neither each other nor another dot, and stay inside', () => {
    const dot = fc.record({
      x: fc.double({ min: 20, max: 280, noNaN: true }),
      y: fc.double({ min: 20, max: 180, noNaN: true }),
      radius: fc.double({ min: 1, max: 12, noNaN: true }),
      text: fc.string({ minLength: 1, maxLength: 12 }),
    });
    fc.assert(
      fc.property(fc.array(dot, { maxLength: 25 }), (dots) => {
        const labels = finish(placeLabels(dots, 300, 200));
        const boxes = labels.map(({ anchor, text, x, y }) => {
          const wide = text.length * 6;
          const left = x - { start: 0, middle: wide / 2, end: wide }[anchor];
          return { left, right: left + wide, top: y - 9, bottom: y + 2 };
        });
        for (const [index, box] of boxes.entries()) {
          expect(box.left).to.be.at.least(0);
          expect(box.right).to.be.at.most(300);
          expect(box.top).to.be.at.least(0);
          expect(box.bottom).to.be.at.most(200);
          // Its own dot is beside it, too.
          for (const { radius, x, y } of dots) {
            const away =
              box.right <= x - radius ||
              x + radius <= box.left ||
              box.bottom <= y - radius ||
              y + radius <= box.top;
            expect(away).to.equal(true);
          }
          for (const other of boxes.slice(index + 1)) {
            const apart =
              box.right <= other.left ||
              other.right <= box.left ||
              box.bottom <= other.top ||
              other.bottom <= box.top;
            expect(apart).to.equal(true);
          }
        }
      }),
    );
  });

  it('are there for a dot that is alone', () => {
    expect(finish(placeLabels([{ x: 100, y: 100, radius: 3, text: 'near Lagos' }], 960, 480))).to.have.length(
      1,
    );
    expect(
      finish(placeLabels([{ x: 955, y: 100, radius: 3, text: 'near Suva' }], 960, 480))[0]?.anchor,
    ).to.equal('end');
  });
});

describe('rows over time', () => {
  it('are all rows, in bins without a gap, each row where its pane is', () => {
    const pane = fc
      .record({
        earliest: fc.integer({ min: 0, max: 3 * 86_400_000 }),
        span: fc.integer({ min: 0, max: 86_400_000 }),
        rows: fc.integer({ min: 0, max: 1_000_000 }),
      })
      .map(({ earliest, rows, span }) => ({ earliest, latest: earliest + span, rows }));
    fc.assert(
      fc.property(fc.array(pane, { maxLength: 30 }), (panes) => {
        const bins = binsOf(panes);
        const total = panes.reduce((sum, { rows }) => sum + rows, 0);
        expect(bins.reduce((sum, { rows }) => sum + rows, 0)).to.be.closeTo(total, 1e-6 * (total + 1));
        expect(bins.length).to.be.at.most(97);
        for (const [index, { from, rows, to }] of bins.entries()) {
          expect(rows).to.be.at.least(0);
          expect((to - from) % MINUTE).to.equal(0);
          if (index > 0) {
            expect(from).to.equal(bins[index - 1]?.to);
          }
          if (!panes.some(({ earliest, latest, rows: any }) => any > 0 && earliest < to && latest >= from)) {
            expect(rows).to.equal(0);
          }
        }
      }),
    );
  });

  it('of one moment are one bin', () => {
    expect(binsOf([{ earliest: 90_000, latest: 90_000, rows: 7 }])).to.deep.equal([
      { from: MINUTE, to: 2 * MINUTE, rows: 7 },
    ]);
  });
});

describe('the report as Markdown', () => {
  it('has tables that are aligned in plain text, and text of others as text', () => {
    const text = reportMarkdown(reportData());
    const tables = text
      .trimEnd()
      .split('\n\n')
      .filter((part) => part.startsWith('|'));
    expect(tables.length).to.equal(4);
    for (const table of tables) {
      expect(new Set(table.split('\n').map((line) => line.length)).size, table).to.equal(1);
    }
    expect(text).to.include(String.raw`\<script>`).and.include('mobile_data_1.csv');
    expect(text).to.match(/^- rows: 4,007 read, 4,000 counted, 7 rejected$/m);
    expect(text).to.match(/A row counts half when it is 7,200 s older/);
    expect(text).to.include('| moved by 12.3 km').and.include('merged into cluster 1');
    // A code span of text with a backtick is delimited by two.
    expect(text).to.match(/: `` <script>.*`code`.* ``: /);
  });

  it('of nothing says so', () => {
    const text = reportMarkdown(emptyReportData());
    expect(text).to.include('No clusters: no rows are counted.');
    expect(text).not.to.match(/NaN|undefined|Infinity/);
  });
});

describe('numbers in a report', () => {
  it('have as many digits as tell something', () => {
    expect([0.01234, 3.456, 1234.5].map(kmText)).to.deep.equal(['0.012', '3.5', '1,235']);
    expect(positionText({ latitude: -6.5, longitude: 3.25 })).to.equal('6.5000 S 3.2500 E');
    expect(positionText({ latitude: 6.5, longitude: -3.25 })).to.equal('6.5000 N 3.2500 W');
  });
});
