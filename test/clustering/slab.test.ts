import { expect } from 'chai';
import { Slab } from '../../src/clustering/slab.ts';

const BYTES = 64 * 1024;

describe('a slab', () => {
  it('gives bytes that are zero, and nobody else’s, whether they are few or many', () => {
    const slab = new Slab(BYTES);
    const lengths = [0, 1, 40, 8_001, BYTES / 4, BYTES / 4 + 1, 1_000_000];
    const all = Array.from({ length: 60 }, (_, at) => slab.take(lengths[at % lengths.length] as number));
    for (const [at, bytes] of all.entries()) {
      expect(bytes).to.have.length(lengths[at % lengths.length] as number);
      expect(bytes.byteOffset % 8).to.equal(0);
      expect(bytes.every((byte) => byte === 0)).to.equal(true);
      bytes.fill(at + 1);
    }
    expect(all.every((bytes, at) => bytes.every((byte) => byte === at + 1))).to.equal(true);
  });

  it('puts few together, and keeps no memory for many but their own', () => {
    const slab = new Slab(BYTES);
    const few = new Set(Array.from({ length: 100 }, () => slab.take(1_000).buffer));
    expect(few.size).to.equal(2);
    expect(slab.take(100_000).buffer.byteLength).to.equal(100_000);
  });
});
