import { expect } from 'chai';
import fc from 'fast-check';
import {
  addToTotals,
  decodeLedgerEntry,
  decodeTotals,
  encodeLedgerEntry,
  encodeTotals,
  type FileState,
  fileId,
  fingerprint,
  isSettling,
  type LedgerEntry,
  type LedgerTotals,
  moveTo,
  NO_FILES,
  sameFingerprint,
  standingOf,
} from '../../../src/actors/ingest/ledger.ts';

const HEAD = fingerprint(Buffer.from('head'));

function entryOf(path: string, generation: number, more: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    source: 'input',
    path,
    fileId: fileId('input', path, generation, HEAD),
    generation,
    state: 'reading',
    order: 0,
    size: 100,
    mtimeMs: 5,
    head: HEAD,
    tail: HEAD,
    byte: 0,
    line: 0,
    read: 0,
    rejected: 0,
    unterminated: false,
    header: undefined,
    claimedAt: 1,
    changedAt: 1,
    ...more,
  };
}

/** The diagram of ledger.ts, written down once more. */
const LEGAL: Readonly<Record<FileState, readonly FileState[]>> = {
  reading: ['reading', 'done', 'failed', 'changed'],
  done: ['done', 'reading', 'settled', 'failed', 'changed'],
  failed: ['failed', 'reading'],
  settled: [],
  changed: [],
};
const STATES = Object.keys(LEGAL) as FileState[];

describe('the ledger', () => {
  for (const from of STATES) {
    it(`from ${from} an entry goes where the diagram says, and nowhere else`, () => {
      for (const to of STATES) {
        const move = (): LedgerEntry => moveTo(entryOf('a.csv', 0, { state: from }), to, { read: 3 });
        if (LEGAL[from].includes(to)) {
          expect(move()).to.deep.equal(entryOf('a.csv', 0, { state: to, read: 3 }));
        } else {
          expect(move).to.throw(`ledger: a.csv cannot go from ${from} to ${to}`);
        }
      }
    });
  }

  it('entries and totals are read back as they were written, and another version is refused', () => {
    const entry = entryOf('ü\n.csv', 2, { problem: 'why', settling: true, state: 'done' });
    expect({ ...decodeLedgerEntry(encodeLedgerEntry(entry)), header: undefined }).to.deep.equal(entry);
    const totals = { ...NO_FILES, read: 3, rejectedByReason: { quote: 3 } };
    expect(decodeTotals(encodeTotals(totals))).to.deep.equal(totals);
    const foreign = Buffer.from('{"version":2}');
    expect(() => decodeLedgerEntry(foreign)).to.throw('format version 2, this program knows 1');
    expect(() => decodeTotals(foreign)).to.throw('format version 2, this program knows 1');
  });

  it('a file is another with another source, path, generation or beginning', () => {
    const other = fingerprint(Buffer.from('other'));
    const ids = [
      fileId('input', 'a', 0, HEAD),
      fileId('inpu', 'ta', 0, HEAD),
      fileId('input', 'b', 0, HEAD),
      fileId('input', 'a', 1, HEAD),
      fileId('input', 'a', 0, other),
    ];
    expect(new Set(ids).size).to.equal(ids.length);
    expect(fileId('input', 'a', 0, fingerprint(Buffer.from('head')))).to.equal(ids[0]);
    expect(sameFingerprint(HEAD, other)).to.equal(false);
    expect(sameFingerprint(HEAD, { ...HEAD, length: 3 })).to.equal(false);
  });

  it('is settling only when done', () => {
    expect(isSettling(entryOf('a', 0, { state: 'done', settling: true }))).to.equal(true);
    expect(isSettling(entryOf('a', 0, { state: 'done' }))).to.equal(false);
    expect(isSettling(entryOf('a', 0, { state: 'settled', settling: true }))).to.equal(false);
  });

  describe('what an entry says of a file that is there', () => {
    const same = { size: 100, mtimeMs: 5 };
    const grown = { size: 101, mtimeMs: 5 };
    const touched = { size: 100, mtimeMs: 6 };
    const keep = { settles: false, retryFailedBefore: 10 };
    const settle = { settles: true, retryFailedBefore: 10 };
    const cases: readonly (readonly [string, LedgerEntry | undefined, typeof same, typeof keep, string])[] = [
      ['new', undefined, same, keep, 'look'],
      ['begun', entryOf('a', 0), same, keep, 'resume'],
      ['done and as it was', entryOf('a', 0, { state: 'done' }), same, keep, 'known'],
      ['done and not deleted yet', entryOf('a', 0, { state: 'done' }), same, settle, 'unsettled'],
      ['done and grown', entryOf('a', 0, { state: 'done' }), grown, keep, 'look'],
      ['done and touched', entryOf('a', 0, { state: 'done' }), touched, settle, 'look'],
      ['failed before this start', entryOf('a', 0, { state: 'failed', changedAt: 9 }), same, keep, 'look'],
      ['failed since this start', entryOf('a', 0, { state: 'failed', changedAt: 10 }), same, keep, 'known'],
      [
        'failed since, and changed',
        entryOf('a', 0, { state: 'failed', changedAt: 10 }),
        touched,
        keep,
        'look',
      ],
      ['deleted, and there again', entryOf('a', 0, { state: 'settled' }), same, settle, 'look'],
      ['closed as changed', entryOf('a', 0, { state: 'changed' }), same, keep, 'look'],
    ];
    for (const [what, entry, now, rules, standing] of cases) {
      it(`${what}: ${standing}`, () => {
        expect(standingOf(entry, now, rules)).to.equal(standing);
      });
    }
  });

  it('totals are always the sums over all entries, live and replaced', () => {
    const paths = ['a', 'b', 'c'];
    /** `new` replaces a path's entry by one of a new file. */
    const step = fc.record({
      path: fc.constantFrom(...paths),
      to: fc.constantFrom<FileState | 'new' | 'fail new'>(...STATES, 'new', 'fail new'),
      read: fc.nat({ max: 50 }),
      bad: fc.nat({ max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (script) => {
        let totals: LedgerTotals = NO_FILES;
        const live = new Map<string, LedgerEntry>();
        const replaced: LedgerEntry[] = [];
        /** Every file that was ever read to its end, unless it failed or goes on since. */
        const done = new Set<string>();
        for (const { bad, path, read, to } of script) {
          const before = live.get(path);
          const startsAnew = to === 'new' || to === 'fail new';
          let after: LedgerEntry;
          if (startsAnew) {
            if (before?.state === 'reading' || before?.state === 'done') {
              continue; // It closes as `changed` first.
            }
            after = entryOf(path, before === undefined ? 0 : before.generation + 1, {
              state: to === 'new' ? 'reading' : 'failed',
            });
          } else if (before === undefined || !LEGAL[before.state].includes(to)) {
            continue;
          } else {
            const rows =
              to === 'done' || to === 'reading'
                ? { read: before.read + read + bad, rejected: before.rejected + bad }
                : {};
            after = moveTo(before, to, rows);
          }
          const counted = after.rejected - (startsAnew ? 0 : (before?.rejected ?? 0));
          totals = addToTotals(totals, before, after, counted > 0 ? { quote: counted } : {});
          if (startsAnew && before !== undefined) {
            replaced.push(before);
          }
          if (after.state === 'done') {
            done.add(after.fileId);
          } else if (after.state === 'reading' || after.state === 'failed') {
            done.delete(after.fileId);
          }
          live.set(path, after);

          const all = [...live.values(), ...replaced];
          const sum = (of: (entry: LedgerEntry) => number): number =>
            all.reduce((total, one) => total + of(one), 0);
          expect(totals).to.deep.equal({
            ...NO_FILES,
            read: sum((one) => one.read),
            rejected: sum((one) => one.rejected),
            rejectedByReason: sum((one) => one.rejected) > 0 ? { quote: sum((one) => one.rejected) } : {},
            failed: [...live.values()].filter(({ state }) => state === 'failed').length,
            done: done.size,
          });
        }
      }),
      { numRuns: 300 },
    );
  });
});
