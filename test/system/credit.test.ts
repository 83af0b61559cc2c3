import { expect } from 'chai';
import fc from 'fast-check';
import { ByteBudget } from '../../src/system/budget.ts';
import { type Account, budgetShare, grantRows, grantWhole } from '../../src/system/credit.ts';

const accounts = fc
  .record({
    thresholds: fc.record({ rows: fc.integer({ min: 1, max: 50 }), bytes: fc.integer({ min: 1, max: 500 }) }),
    rows: fc.nat(50),
    bytes: fc.nat(500),
    guaranteedBytes: fc.nat(500),
  })
  .map(
    ({ thresholds, rows, bytes, guaranteedBytes }): Account => ({
      thresholds,
      held: { rows: Math.min(rows, thresholds.rows), bytes: Math.min(bytes, thresholds.bytes) },
      guaranteedBytes: Math.min(guaranteedBytes, thresholds.bytes),
    }),
  );

function isLegal(account: Account, rows: number, bytes: number, budgetFree: number): boolean {
  const { thresholds, held, guaranteedBytes } = account;
  const more = budgetShare(held.bytes + bytes, guaranteedBytes) - budgetShare(held.bytes, guaranteedBytes);
  return held.rows + rows <= thresholds.rows && held.bytes + bytes <= thresholds.bytes && more <= budgetFree;
}

describe('credit', () => {
  it('rows: as many as all limits allow, and not one less', () => {
    fc.assert(
      fc.property(
        accounts,
        fc.integer({ min: 1, max: 60 }),
        fc.nat(40),
        fc.nat(600),
        (account, wanted, each, free) => {
          const rows = grantRows(account, wanted, each, free)?.rows ?? 0;
          expect(rows).to.be.within(0, wanted);
          expect(rows === 0 || isLegal(account, rows, rows * each, free)).to.equal(true);
          expect(rows < wanted && isLegal(account, rows + 1, (rows + 1) * each, free)).to.equal(false);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('whole: exactly when all limits allow', () => {
    fc.assert(
      fc.property(accounts, fc.nat(60), fc.nat(600), fc.nat(600), (account, rows, bytes, free) => {
        const granted = grantWhole(account, { rows, bytes }, free);
        expect(granted !== undefined).to.equal(isLegal(account, rows, bytes, free));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('ByteBudget', () => {
  it('refuses nonsense', () => {
    expect(() => new ByteBudget(0)).to.throw(RangeError);
    expect(() => new ByteBudget(1.5)).to.throw(RangeError);
    const budget = new ByteBudget(10);
    budget.take(10);
    expect(() => {
      budget.take(1);
    }).to.throw(RangeError, '0 unclaimed of 10');
    expect(() => {
      budget.give(11);
    }).to.throw(RangeError, '11 bytes given back, 10 used');
  });
});
