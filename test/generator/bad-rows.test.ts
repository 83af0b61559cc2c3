import { expect } from 'chai';
import { BREAKS, bytesOfBadRows, withBadRows } from '../../src/generator/bad-rows.ts';
import { randomSource } from '../../src/generator/random.ts';
import { HEADERS, type HeaderForm, uniformRows } from '../../src/generator/rows.ts';
import { allocateColumns } from '../../src/rows/columns.ts';
import { TOPIC_LAYOUT } from '../../src/rows/kernel.ts';
import { REJECT_REASONS, reasonOf } from '../../src/rows/reasons.ts';
import { createTypeScriptKernel } from '../../src/rows/typescript-kernel.ts';

const START = Date.UTC(2026, 0, 1);
/** What no row of a file can be: what is late or poison is so elsewhere, what is cut was appended to. */
const NOT_OF_A_ROW = ['none', 'late', 'empty-message', 'cut-line', 'poison', 'discarded'];

function broken(
  share: number,
  rows: number,
  slices: readonly number[] = [rows],
  header: HeaderForm = 'true',
): Buffer {
  const times = { startMs: START, spanMs: 10_000, rows };
  const write = withBadRows(uniformRows(randomSource('1', 0), times), share, randomSource('bad', 0), header);
  let first = 0;
  const parts = slices.map((count) => {
    const bytes = Buffer.alloc(bytesOfBadRows(count));
    const written = write(bytes, first, count);
    first += count;
    return bytes.subarray(0, written);
  });
  return Buffer.concat(parts);
}

/** How many rows there are for each reason; good ones under `none`. */
function judge(bytes: Buffer): Record<string, number> {
  const kernel = createTypeScriptKernel({
    layout: TOPIC_LAYOUT,
    utcOffsetMinutes: 0,
    maxLineBytes: 64 * 1024,
    maxTime: Date.UTC(2026, 11, 31),
  });
  const columns = allocateColumns(10_000);
  const { bytes: read, rows } = kernel.parse(bytes, 0, bytes.length, true, columns, 0, columns.capacity);
  expect(read).to.equal(bytes.length);
  const counts: Record<string, number> = {};
  for (const verdict of columns.verdict.subarray(0, rows)) {
    const reason = verdict === 0 ? 'none' : reasonOf(verdict);
    counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

describe('broken rows', () => {
  it('are of every kind that a reader of files knows, each by its own reason', () => {
    const kinds = Object.keys(BREAKS);
    expect(kinds).to.have.members(REJECT_REASONS.filter((reason) => !NOT_OF_A_ROW.includes(reason)));
    for (const header of Object.keys(HEADERS) as HeaderForm[]) {
      const expected = Object.fromEntries(kinds.map((kind) => [kind, 2]));
      expect(judge(broken(1, 2 * kinds.length, undefined, header))).to.deep.equal(expected);
    }
  });

  it('are a share of all, which stay as many', () => {
    const counts = judge(broken(0.05, 8_000));
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    expect(all).to.equal(8_000);
    // 400 of 8,000, standard deviation 20.
    expect(all - (counts['none'] ?? 0)).to.be.within(320, 480);
  });

  it('take the place of good ones, which stay the same', () => {
    const times = { startMs: START, spanMs: 10_000, rows: 500 };
    const bytes = Buffer.alloc(500 * 200);
    const good = bytes
      .toString('latin1', 0, uniformRows(randomSource('1', 0), times)(bytes, 0, 500))
      .split('\n');
    const mixed = broken(0.1, 500).toString('latin1').split('\n');
    expect(mixed).to.have.length(good.length);
    const same = mixed.filter((line, index) => line === good[index]).length;
    expect(same).to.be.within(420, 480);
  });

  it('do not depend on how the work is sliced', () => {
    expect(broken(0.1, 300, [1, 99, 200]).equals(broken(0.1, 300))).to.equal(true);
  });
});
