import { expect } from 'chai';
import { branch, layer, leaves, valueAt } from '../../src/config/tree.ts';

describe('tree', () => {
  it('lays one tree over another, key by key, and changes neither', () => {
    const lower = { a: { b: 1, c: 2 }, d: 3 };
    const upper = { a: { c: 4 }, e: 5 };
    expect(JSON.parse(JSON.stringify(layer(lower, upper)))).to.deep.equal({ a: { b: 1, c: 4 }, d: 3, e: 5 });
    expect(lower).to.deep.equal({ a: { b: 1, c: 2 }, d: 3 });
  });

  it('lets an empty group change nothing, and a null leaf clear a value', () => {
    expect(valueAt(layer({ a: { b: 1 } }, { a: null }), ['a', 'b'])).to.equal(1);
    expect(valueAt(layer({ a: 1 }, { a: null }), ['a'])).to.equal(null);
  });

  it('treats __proto__ as a key like any other', () => {
    const hostile = JSON.parse('{"__proto__":{"polluted":true}}') as Record<string, unknown>;
    const merged = layer({}, hostile);
    expect(valueAt(merged, ['__proto__', 'polluted'])).to.equal(true);
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
  });

  it('finds nothing where a path leaves the tree', () => {
    expect(valueAt({ a: 1 }, ['a', 'b'])).to.equal(undefined);
    expect(valueAt({ a: {} }, ['a', 'toString'])).to.equal(undefined);
  });

  it('lists the leaves of what it branches', () => {
    expect([...leaves(branch(['a', 'b', 'c'], 7))]).to.deep.equal([[['a', 'b', 'c'], 7]]);
  });
});
