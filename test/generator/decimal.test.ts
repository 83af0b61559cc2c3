import { expect } from 'chai';
import fc from 'fast-check';
import { pythonText, writeDecimal } from '../../src/generator/decimal.ts';
import { randomSource } from '../../src/generator/random.ts';

describe("numbers in Python's form", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0.00001, '1e-05'],
    [-0.0000152, '-1.52e-05'],
    [1.5e-7, '1.5e-07'],
    [1e-10, '1e-10'],
    [0.0001, '0.0001'],
    [5, '5.0'],
    [0, '0.0'],
    [-0, '-0.0'],
    [-180, '-180.0'],
    [1e16, '1e+16'],
    [-122.41941550000001, '-122.41941550000001'],
  ];
  for (const [value, printed] of cases) {
    it(`prints ${printed}`, () => {
      expect(pythonText(value)).to.equal(printed);
    });
  }

  function written(value: number): string {
    const bytes = Buffer.alloc(40);
    return bytes.toString('latin1', 3, writeDecimal(bytes, 3, value));
  }

  const awkward = [
    1.5, 9.999999999999998, 255.99999999999997, 256.5, 1.0000000000000002, 100.1, 64.00000000000001,
    127.99999999999999, 1.1, 2.675, 10.01, 179.99999999999997, 8.000000000000002, 3.0000000000000004,
  ];
  it('are written to bytes as they are printed', () => {
    for (const value of [
      ...cases.map(([number]) => number),
      ...awkward,
      ...awkward.map((number) => -number),
    ]) {
      expect(written(value)).to.equal(pythonText(value));
    }
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -300, max: 300 }), (value) => {
        expect(written(value)).to.equal(pythonText(value));
      }),
    );
  });

  it('are written to bytes as JavaScript prints them, for 100,000 values of every magnitude and length', () => {
    const random = randomSource('decimal', 0);
    for (let index = 0; index < 100_000; index++) {
      const uniform = 1 + 255 * random.unit();
      const value = index % 2 === 0 ? uniform : Number(uniform.toFixed(index % 17));
      if (!Number.isInteger(value) && written(value) !== String(value)) {
        expect.fail(`${String(value)} was written as ${written(value)}`);
      }
    }
  });

  it('read back as the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -180, max: 180 }), (value) => {
        expect(Number(pythonText(value))).to.equal(value);
      }),
    );
  });
});
