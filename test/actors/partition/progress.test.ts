import { expect } from 'chai';
import fc from 'fast-check';
import {
  countRead,
  countRejected,
  decodeProgress,
  emptyProgress,
  encodeProgress,
  type PartitionProgress,
  rewound,
} from '../../../src/actors/partition/progress.ts';

/** One row of a partition's log: as many messages as rows. */
type Row =
  | { readonly kind: 'file' | 'foreign'; readonly good: boolean }
  /** Of the row that is named by its place among those rejected so far, by whichever stage. */
  | { readonly kind: 'redrive'; readonly which: number; readonly good: boolean };

interface Step {
  readonly appended: readonly Row[];
  /** How many of the rows are read before the next step, at most. */
  readonly read: number;
  /** Back to so many tenths of what was read. */
  readonly rewindTo?: number | undefined;
}

const REASON = 'future';
const FILE = 'file';

const row: fc.Arbitrary<Row> = fc.oneof(
  fc.record({ kind: fc.constantFrom('file', 'foreign'), good: fc.boolean() }),
  fc.record({ kind: fc.constant('redrive'), which: fc.nat(1000), good: fc.boolean() }),
);
const steps = fc.array(
  fc.record({
    appended: fc.array(row, { maxLength: 8 }),
    read: fc.nat(10),
    rewindTo: fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined, freq: 2 }),
  }),
  { maxLength: 12 },
);

/** A log with its ledger, and the books of one partition that reads it. */
class Books {
  /** Rows the publisher rejected: they have never come to the log. */
  readonly ledger = { read: 0, rejected: 0 };
  readonly log: { readonly row: Row; readonly original: number | 'publisher' | undefined }[] = [];
  progress: PartitionProgress = emptyProgress();
  /** What can be redriven: rejected by the publisher, or from an offset of the log. */
  #rejected: (number | 'publisher')[] = [];

  append(added: Row): void {
    if (added.kind === 'redrive') {
      const [original] = this.#rejected.splice(added.which % Math.max(1, this.#rejected.length), 1);
      if (original !== undefined) {
        this.log.push({ row: added, original });
      }
      return;
    }
    if (added.kind === 'file') {
      this.ledger.read++;
      if (!added.good && this.ledger.read % 2 === 0) {
        // Every other bad row of a file is one that the publisher finds.
        this.ledger.rejected++;
        this.#rejected.push('publisher');
        return;
      }
    }
    this.log.push({ row: added, original: undefined });
  }

  readOne(): void {
    const { nextOffset } = this.progress;
    const next = this.log[nextOffset];
    if (next === undefined) {
      return;
    }
    const { original, row: read } = next;
    const rejectedAt = original === 'publisher' ? undefined : original;
    countRead(
      this.progress,
      nextOffset,
      read.kind === 'redrive'
        ? { kind: 'redriven', redriven: { reason: REASON, fileId: FILE, rejectedAt } }
        : { kind: read.kind === 'file' ? 'ledger' : 'foreign' },
      1,
    );
    if (read.good) {
      this.progress.counted++;
    } else {
      countRejected(this.progress, REASON, FILE);
      if (nextOffset >= this.progress.knownTo) {
        this.#rejected.push(nextOffset);
      }
    }
    this.progress.nextOffset++;
  }

  /** What the log says from where counting began on, read as if for the first time. */
  expected(): { readonly counted: number; readonly rejected: number } {
    const { base, nextOffset } = this.progress;
    let counted = 0;
    let rejected = 0;
    for (const { original, row: read } of this.log.slice(base, nextOffset)) {
      counted += Number(read.good);
      rejected += Number(!read.good) - Number(typeof original === 'number' && original >= base);
    }
    return { counted, rejected };
  }
}

describe('books of a partition', () => {
  it('balance through redrives and rewinds, and hold what the log says', () => {
    fc.assert(
      fc.property(steps, (script: readonly Step[]) => {
        const books = new Books();
        for (const [epoch, { appended, read, rewindTo }] of script.entries()) {
          appended.forEach((one) => {
            books.append(one);
          });
          for (let left = read; left > 0; left--) {
            books.readOne();
          }
          if (rewindTo !== undefined) {
            const target = Math.floor((rewindTo / 10) * books.progress.nextOffset);
            books.progress = rewound(books.progress, epoch + 1, target);
          }
          books.progress = decodeProgress(encodeProgress(books.progress));
          const { progress, ledger } = books;
          const { counted, rejected } = books.expected();
          expect([progress.counted, progress.rejected]).to.deep.equal([counted, rejected]);
          expect(progress.rejectedByReason[REASON] ?? 0).to.equal(rejected);
          expect(progress.rejectedByFile[FILE] ?? 0).to.equal(rejected);
          expect(progress.redriven.byFile[FILE] ?? 0).to.equal(progress.redriven.rows);
          expect(progress.redriven.rows).to.be.within(0, ledger.rejected);
          expect(progress.rejected).to.be.at.least(0);
          expect(progress.leftOut).to.be.at.least(0);
          // What is published and not read yet is in the ledger only.
          const waiting = books.log.slice(Math.max(progress.nextOffset, progress.knownTo));
          const unread = waiting.filter((one) => one.row.kind === 'file').length;
          expect(ledger.read - unread + progress.foreign - progress.leftOut).to.equal(
            progress.counted + progress.rejected + ledger.rejected - progress.redriven.rows,
          );
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('leave nothing out once a rewind to the beginning has come to where it was asked for', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), (rows) => {
        const books = new Books();
        for (const one of rows) {
          books.append(one);
          books.readOne();
        }
        const { counted, foreign, redriven, rejected } = books.progress;
        const end = books.progress.nextOffset;
        books.progress = rewound(books.progress, 1, 0);
        while (books.progress.nextOffset < end) {
          books.readOne();
        }
        expect(books.progress).to.deep.include({ counted, foreign, redriven, rejected, leftOut: 0 });
      }),
    );
  });

  it('are refused in a format that is not known', () => {
    expect(() => decodeProgress(new TextEncoder().encode('{"version":2}'))).to.throw(/format version 2/);
  });
});
