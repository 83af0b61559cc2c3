import { expect } from 'chai';
import { encodedBytes } from '../../src/clustering/encoded-bytes.ts';

describe('bytes for what is encoded', () => {
  it('are zero, and nobody else’s, whether they are few or many', () => {
    const lengths = [0, 1, 40, 8_000, 65_536, 65_537, 1_000_000];
    const all = Array.from({ length: 60 }, (_, at) => encodedBytes(lengths[at % lengths.length] as number));
    for (const [at, bytes] of all.entries()) {
      expect(bytes).to.have.length(lengths[at % lengths.length] as number);
      expect(bytes.every((byte) => byte === 0)).to.equal(true);
      bytes.fill(at + 1);
    }
    expect(all.every((bytes, at) => bytes.every((byte) => byte === at + 1))).to.equal(true);
  });

  it('lie together where they are few, and many keep no memory but their own', () => {
    const few = new Set(Array.from({ length: 100 }, () => encodedBytes(1_000).buffer));
    expect(few.size).to.be.at.most(2);
    expect(encodedBytes(100_000).buffer.byteLength).to.equal(100_000);
  });
});
