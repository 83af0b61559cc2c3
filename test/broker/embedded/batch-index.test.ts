import { expect } from 'chai';
import fc from 'fast-check';
import { BatchIndex } from '../../../src/broker/embedded/batch-index.ts';
import { type BatchHead, batchHeadOf, batchKey } from '../../../src/broker/embedded/keys.ts';

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ gap: fc.nat(3), count: fc.integer({ min: 1, max: 9 }), bytes: fc.nat(500) }),
    },
    { weight: 1, arbitrary: fc.constant('shift' as const) },
  ),
  { maxLength: 120 },
);

describe('the index of batches', () => {
  it('agrees with a plain list after any pushes and shifts', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const index = new BatchIndex();
        const list: BatchHead[] = [];
        let next = 0;
        for (const step of taken) {
          if (step === 'shift') {
            index.shift();
            list.shift();
          } else {
            const head = { base: next + step.gap, count: step.count, bytes: step.bytes, timestamp: next };
            index.push(head);
            list.push(head);
            next = head.base + head.count;
          }
        }
        expect(index.length).to.equal(list.length);
        expect(index.bytes).to.equal(list.reduce((sum, head) => sum + head.bytes, 0));
        expect(list.map((_, at) => index.at(at))).to.deep.equal(list);
        expect(index.at(list.length)).to.equal(undefined);
        for (let offset = 0; offset <= next + 1; offset++) {
          const found = list.findIndex((head) => head.base + head.count > offset);
          expect(index.indexOf(offset)).to.equal(found < 0 ? list.length : found);
          const bytes = list.reduce((sum, { base, count, bytes: size }) => {
            const cut = Math.min(Math.max(offset - base, 0), count) / count;
            return sum + size - Math.floor(cut * size);
          }, 0);
          expect(index.bytesFrom(offset)).to.equal(bytes);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('is rebuilt from the keys of the batches, whose bytes sort as the offsets do', () => {
    const head = fc.record({
      base: fc.nat(2 ** 40),
      count: fc.nat(2 ** 31),
      bytes: fc.nat(2 ** 31),
      timestamp: fc.nat(2 ** 47),
    });
    fc.assert(
      fc.property(head, head, (a, b) => {
        expect(batchHeadOf(batchKey(3, 7, a))).to.deep.equal(a);
        fc.pre(a.base !== b.base);
        expect(Math.sign(Buffer.compare(batchKey(3, 7, a), batchKey(3, 7, b)))).to.equal(
          Math.sign(a.base - b.base),
        );
      }),
    );
  });
});
