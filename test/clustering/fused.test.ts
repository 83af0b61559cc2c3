import { expect } from 'chai';
import fc from 'fast-check';
import { fusedMultiplyAdd } from '../../src/clustering/fused.ts';

/** Rounds once, from the exact integer, to the nearest even. */
const exact = (a: number, b: number, c: number): number => Number(BigInt(a) * BigInt(b) + BigInt(c));

/** Integers with up to 53 significant bits. */
const integer = (exponent: number): fc.Arbitrary<number> =>
  fc
    .tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 53 }), fc.nat(exponent))
    .map(([value, drop, raise]) => Math.trunc(value / 2 ** drop) * 2 ** raise);

describe('fusedMultiplyAdd', () => {
  it('rounds the exact result once', () => {
    fc.assert(
      fc.property(integer(3), integer(3), integer(120), (a, b, c) => {
        expect(fusedMultiplyAdd(a, b, c) === exact(a, b, c)).to.equal(true);
        // The error of the rounded product, and what is about half of a last bit away from it.
        for (const near of [-a * b, -a * b * (1 + 2 ** -50), (a * b) / 2, a * b * 2 ** 53, a * b * 2 ** 54]) {
          if (Number.isInteger(near)) {
            expect(fusedMultiplyAdd(a, b, near) === exact(a, b, near)).to.equal(true);
          }
        }
      }),
      { numRuns: 20_000 },
    );
  });

  it('does not round twice', () => {
    const [a, b] = [1 + 2 ** -27, 1 - 2 ** -27];
    expect(a * b).to.equal(1);
    expect(fusedMultiplyAdd(a, b, -1)).to.equal(-(2 ** -54));
    // From 2^53 on doubles are 2 apart: adding 1 lies halfway, and a little more or less decides.
    const half = 2 ** 53;
    expect(fusedMultiplyAdd(3, 2 ** -60, half + 2) - half).to.equal(2);
    expect(fusedMultiplyAdd(1 + 2 ** -30, 1 + 2 ** -30, half)).to.equal(half + 2);
    expect(fusedMultiplyAdd(1 - 2 ** -30, 1 + 2 ** -30, half)).to.equal(half);
    // 1 - 2^-54 is no double: only rounded to odd it stays below the half.
    expect(fusedMultiplyAdd(a, b, half + 2)).to.equal(half + 2);
    expect(fusedMultiplyAdd(-a, b, -half - 2)).to.equal(-half - 2);
    expect(fusedMultiplyAdd(-1 - 2 ** -30, 1 + 2 ** -30, -half)).to.equal(-half - 2);
  });
});
