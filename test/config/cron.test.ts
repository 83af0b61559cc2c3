import { expect } from 'chai';
import fc from 'fast-check';
import { isCronExpression } from '../../src/config/cron.ts';
import { createCronTimer } from '../../src/system/node-cron.ts';

describe('cron expressions', () => {
  it('are those that people write', () => {
    for (const text of [
      '* * * * *',
      '*/15 * * * *',
      '0 6 * * mon-fri',
      '30 5 1,15 jan,Jul *',
      '0 0 0 * * 7',
    ]) {
      expect(isCronExpression(text), text).to.equal(true);
    }
    for (const text of [
      '',
      '* * * *',
      '60 * * * *',
      '* 24 * * *',
      '* * 0 * *',
      '* * * 13 *',
      '* * * * 8',
      '5-1 * * * *',
      '*/0 * * * *',
      '1/2 * * * *',
      'hourly',
      '* * * foo *',
      '0 0 0 0 0 0 0',
    ]) {
      expect(isCronExpression(text), text).to.equal(false);
    }
  });

  it('that are accepted are all understood when they are used', () => {
    const cron = createCronTimer();
    const part = (least: number, most: number): fc.Arbitrary<string> => {
      const value = fc.integer({ min: least - 1, max: most + 1 });
      return fc.oneof(
        fc.constant('*'),
        value.map(String),
        fc.tuple(value, value).map(([a, b]) => `${String(a)}-${String(b)}`),
        fc.tuple(value, value, value).map(([a, b, step]) => `${String(a)}-${String(b)}/${String(step)}`),
        value.map((step) => `*/${String(step)}`),
        fc.tuple(value, value).map(([a, b]) => `${String(a)},${String(b)}`),
      );
    };
    const five = [part(0, 59), part(0, 23), part(1, 31), part(1, 12), part(0, 7)] as const;
    const expressions = fc
      .tuple(fc.option(part(0, 59), { nil: undefined }), ...five)
      .map((parts) => parts.filter((one) => one !== undefined).join(' '));
    let accepted = 0;
    fc.assert(
      fc.property(expressions, (text) => {
        if (isCronExpression(text)) {
          accepted++;
          expect(cron.isValid(text), text).to.equal(true);
        }
      }),
      { numRuns: 2_000 },
    );
    expect(accepted).to.be.above(100);
  });
});
