import { expect } from 'chai';
import fc from 'fast-check';
import { type CountedRows, effectiveRowsOf } from '../../src/clustering/effective-rows.ts';
import { finish } from '../../src/clustering/slices.ts';

const tree: CountedRows['tree'] = {
  forEachFeature: (visit) => {
    visit(3);
    visit(4);
  },
};
const rowsOf = (sources: readonly CountedRows[]): number => finish(effectiveRowsOf(sources));

describe('the number of effective rows', () => {
  it('is that of the rows when all count the same, whatever that is', () => {
    expect(rowsOf([])).to.equal(0);
    expect(rowsOf([{ tree }, { tree, rows: 5 }])).to.equal(12);
    for (const factor of [0.25, 2 ** -400]) {
      expect(rowsOf([40, 2].map((rows) => ({ tree, rows, factor })))).to.equal(42);
    }
  });

  it('is what Kish says: a thousand rows that count next to nothing add next to nothing', () => {
    expect(rowsOf([1, 0.5].map((factor) => ({ tree, rows: 10, factor })))).to.equal(15 ** 2 / 12.5);
    const fresh = { tree, rows: 10 };
    expect(rowsOf([fresh, { tree, rows: 1000, factor: 1e-9 }])).to.be.closeTo(10, 1e-4);
  });

  it('is the same as row by row, and between 1 and the rows', () => {
    const source = fc.record({
      tree: fc.constant(tree),
      rows: fc.integer({ min: 1, max: 50 }),
      factor: fc.double({ min: 1e-6, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(source, { minLength: 1, maxLength: 8 }), (sources) => {
        const weights = sources.flatMap(({ factor, rows }) => Array.from({ length: rows }, () => factor));
        const sum = weights.reduce((total, weight) => total + weight, 0);
        const squares = weights.reduce((total, weight) => total + weight * weight, 0);
        const effective = rowsOf(sources);
        expect(effective / (sum ** 2 / squares)).to.be.closeTo(1, 1e-9);
        expect(effective).to.be.within(1 - 1e-9, weights.length * (1 + 1e-9));
      }),
    );
  });
});
