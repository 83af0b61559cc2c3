import { expect } from 'chai';
import fc from 'fast-check';

import { joinFields, splitFields } from '../../src/rows/fields.ts';
import { csvFields } from './naive.ts';
import { bytesOf, latin1 } from './support.ts';

describe('CSV fields', () => {
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ['', ['']],
    [',', ['', '']],
    ['a,b', ['a', 'b']],
    [' a , b ', [' a ', ' b ']],
    ['"a,b",c', ['a,b', 'c']],
    ['"a""b"', ['a"b']],
    ['"",x', ['', 'x']],
    ['""""', ['"']],
    ['x,"y"', ['x', 'y']],
    ['é,📱', ['é', '📱']],
  ];
  for (const [line, fields] of lines) {
    it(`splits ${JSON.stringify(line)}`, () => {
      expect(splitFields(line)).to.deep.equal({ ok: true, fields });
      expect(splitFields(bytesOf(line))).to.deep.equal({ ok: true, fields });
    });
  }

  const wrong: readonly (readonly [string, string])[] = [
    ['"', 'unbalanced'],
    ['a,"b', 'unbalanced'],
    ['"a""', 'unbalanced'],
    ['a"b', 'inside-field'],
    [' "a"', 'inside-field'],
    ['"a"b', 'after-closing-quote'],
    ['"a" ,b', 'after-closing-quote'],
  ];
  for (const [line, error] of wrong) {
    it(`refuses ${JSON.stringify(line)}: ${error}`, () => {
      expect(splitFields(line)).to.deep.equal({ ok: false, error });
    });
  }

  it('are those of csv-parse, or both refuse, on any line', () => {
    let refused = 0;
    let quoted = 0;
    const special = fc.string({ unit: fc.constantFrom('"', '"', ',', 'a', ' ', '\r', 'é'), maxLength: 12 });
    // No NUL: csv-parse takes one after a closing quote for the end of its input.
    const any = fc
      .uint8Array({ min: 1, max: 255, maxLength: 40 })
      .map((bytes) => latin1(bytes).replaceAll('\n', '"'));
    fc.assert(
      fc.property(fc.oneof(special, any), (line) => {
        const split = splitFields(line);
        const expected = csvFields(line);
        if (expected === undefined) refused++;
        else if (line.includes('"')) quoted++;
        expect(split.ok ? split.fields : undefined).to.deep.equal(expected);
      }),
      { numRuns: 4000 },
    );
    expect(refused).to.be.above(200);
    expect(quoted).to.be.above(60);
  });

  it('survive being joined and split', () => {
    const field = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', ',', '\r', ' ', 'x') }));
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 6 }), (fields) => {
        expect(splitFields(joinFields(fields))).to.deep.equal({ ok: true, fields });
      }),
    );
  });

  it('are quoted only where needed', () => {
    expect(joinFields(['a b', '', 'c,d', 'e"f', "g'h"])).to.equal('a b,,"c,d","e""f",g\'h');
    expect(() => joinFields(['a\nb'])).to.throw(RangeError, /line feed/);
  });
});
