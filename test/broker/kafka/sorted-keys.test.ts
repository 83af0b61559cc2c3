import { expect } from 'chai';
import fc from 'fast-check';
import { byCodePoint, SortedKeys } from '../../../src/broker/kafka/sorted-keys.ts';

const unit = fc.constantFrom('a', 'b', '\u00e9', '\ud7ff', '\ue000', '\uffee', '\u{10000}', '\u{1f600}');
const word = fc.string({ unit, maxLength: 4 });

describe('the keys of a table', () => {
  it('are in the order of their UTF-8 bytes', () => {
    fc.assert(
      fc.property(word, word, (left, right) => {
        const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
        expect(Math.sign(byCodePoint(left, right))).to.equal(expected);
      }),
    );
    expect(byCodePoint('\uffee', '\u{1f600}')).to.be.lessThan(0);
  });

  it('come back by their prefix, whatever was added and deleted', () => {
    const steps = fc.array(fc.record({ key: word, add: fc.boolean() }), { maxLength: 100 });
    fc.assert(
      fc.property(steps, word, (sequence, prefix) => {
        const keys = new SortedKeys();
        const model = new Set<string>();
        for (const { add, key } of sequence) {
          if (add && !model.has(key)) {
            keys.add(key);
            model.add(key);
          } else if (!add) {
            keys.delete(key);
            model.delete(key);
          }
        }
        expect([...keys.from(prefix)]).to.deep.equal(inOrder(model, prefix));
      }),
    );
  });

  it('stay in order beyond one chunk, in whatever order they come and go', () => {
    for (const step of [1, 7_919, 20_000 - 1]) {
      const keys = new SortedKeys();
      const model = new Set<string>();
      for (let at = 0; at < 20_000; at++) {
        const key = `key-${String((at * step) % 20_000)}`;
        keys.add(key);
        model.add(key);
      }
      expect([...keys.from('')]).to.deep.equal(inOrder(model, ''));
      expect([...keys.from('key-77')]).to.deep.equal(inOrder(model, 'key-77'));
      for (const key of [...model].filter((_, at) => at % 100 !== 0)) {
        keys.delete(key);
        model.delete(key);
      }
      expect([...keys.from('')]).to.deep.equal(inOrder(model, ''));
      for (const key of model) {
        keys.delete(key);
      }
      expect([...keys.from('')]).to.deep.equal([]);
    }
  });
});

function inOrder(keys: ReadonlySet<string>, prefix: string): string[] {
  return [...keys]
    .filter((key) => key.startsWith(prefix))
    .sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
}
