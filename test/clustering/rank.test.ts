import { expect } from 'chai';
import fc from 'fast-check';
import { rankedAt } from '../../src/clustering/rank.ts';

describe('rankedAt', () => {
  it('is what sorting would put there, and leaves the values as they are', () => {
    const value = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0, 1, 2));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 60 }), fc.nat(59), (given, at) => {
        const values = Float64Array.from(given);
        const rank = at % given.length;
        const sorted = Float64Array.from(given).sort();
        // 0 and -0 are one to it.
        expect(rankedAt(rank, values, given.length) === sorted[rank]).to.equal(true);
        expect(values).to.deep.equal(Float64Array.from(given));
      }),
      { numRuns: 1_000 },
    );
  });

  it('looks at the first so many only', () => {
    expect(rankedAt(1, Float64Array.of(5, 7, 3, 1), 3)).to.equal(5);
  });
});
