import { expect } from 'chai';
import { Arrivals, decodeArrival, encodeArrival } from '../../src/actors/arrivals.ts';

describe('arrivals on their way to the model', () => {
  it('are told once, when a model reflects them', () => {
    const arrivals = new Arrivals();
    arrivals.read(0, 4, 100);
    arrivals.read(0, 9, 200);
    arrivals.read(3, 0, 300);
    expect(arrivals.served([4, 0, 0, 0])).to.deep.equal([]);
    expect(arrivals.served([5, 0, 0, 0])).to.deep.equal([100]);
    expect(arrivals.served([10, 0, 0, 1])).to.deep.equal([200, 300]);
    expect(arrivals.served([10, 0, 0, 1])).to.deep.equal([]);
  });

  it('that a restart reads again are told once', () => {
    const arrivals = new Arrivals();
    arrivals.read(0, 4, 100);
    arrivals.read(0, 9, 200);
    arrivals.restored(0, 5);
    arrivals.read(0, 9, 200);
    expect(arrivals.served([10])).to.deep.equal([100, 200]);
  });

  it('are bounded while no model comes', () => {
    const arrivals = new Arrivals();
    for (let offset = 0; offset < 5_000; offset++) {
      arrivals.read(0, offset, offset);
    }
    expect(arrivals.served([5_000])).to.have.length(1_000);
  });

  it('are read from a header as they were written, and from nothing else', () => {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(decodeArrival(bytes(encodeArrival(1_764_432_000_000.4)))).to.equal(1_764_432_000_000);
    for (const other of ['', 'x', '-1', '1e3', '1.5', '9'.repeat(16)]) {
      expect(decodeArrival(bytes(other)), other).to.equal(undefined);
    }
  });
});
