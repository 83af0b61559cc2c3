import { expect } from 'chai';
import { murmur2, partitionOf } from '../../src/broker/partitioner.ts';

describe('the partitioner', () => {
  // The vectors of Kafka's own test, UtilsTest.testMurmur2.
  const vectors: readonly (readonly [string, number])[] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [key, hash] of vectors) {
    it(`hashes "${key}" as Kafka does`, () => {
      expect(murmur2(new TextEncoder().encode(key)) | 0).to.equal(hash);
      expect(partitionOf(key, 384)).to.equal((hash & 0x7fffffff) % 384);
    });
  }

  it('takes the bytes of UTF-8', () => {
    const partition = (murmur2(Uint8Array.of(0xc3, 0xa9)) & 0x7fffffff) % 1_000;
    expect(partitionOf('\u00e9', 1_000)).to.equal(partition);
  });
});
