import { expect } from 'chai';
import fc from 'fast-check';
import type { OutgoingRecord } from '../../../src/broker/broker.ts';
import {
  BATCH_TARGET_BYTES,
  BatchCursor,
  encodeBatch,
  planBatches,
} from '../../../src/broker/embedded/batch.ts';
import { StoreUnusableError } from '../../../src/broker/errors.ts';

const records = fc.array(
  fc.record({
    key: fc.option(fc.string({ unit: 'grapheme' })),
    value: fc.option(fc.uint8Array({ maxLength: 300 })),
    timestamp: fc.integer({ min: 0, max: 2 ** 47 }),
    headers: fc.dictionary(fc.string(), fc.uint8Array({ maxLength: 200 }), { maxKeys: 3 }),
  }),
  { minLength: 1, maxLength: 40 },
);

function encodeOne(batch: readonly OutgoingRecord[]): { readonly bytes: Buffer; readonly count: number } {
  const [plan, ...more] = planBatches(batch);
  if (plan === undefined || more.length > 0) {
    throw new Error('one batch expected');
  }
  const bytes = Buffer.alloc(plan.bytes, 0xee);
  encodeBatch(batch, plan, bytes);
  return { bytes, count: plan.to - plan.from };
}

describe('record batches', () => {
  it('come back as they were written, from any offset on', () => {
    fc.assert(
      fc.property(records, fc.nat(), (written, seed) => {
        const { bytes, count } = encodeOne(written);
        const from = seed % written.length;
        const cursor = new BatchCursor(bytes, 1000, count);
        cursor.seek(1000 + from);
        for (let at = from; at < written.length; at++) {
          const record = cursor.next();
          const { key, value, timestamp, headers } = written[at] as (typeof written)[number];
          expect(record.offset).to.equal(1000 + at);
          expect(record.key).to.equal(key);
          expect(record.timestamp).to.equal(timestamp);
          expect(record.value && [...record.value]).to.deep.equal(value && [...value]);
          expect(Object.entries(record.headers).map(([name, bytesOf]) => [name, [...bytesOf]])).to.deep.equal(
            Object.entries(headers).map(([name, bytesOf]) => [name, [...bytesOf]]),
          );
        }
        expect(cursor.left).to.equal(0);
      }),
      { numRuns: 200 },
    );
  });

  it('are cut at their target size, and hold one record where that is larger', () => {
    const of = (bytes: number): OutgoingRecord => ({ key: null, value: new Uint8Array(bytes), timestamp: 0 });
    const plans = planBatches([of(100_000), of(100_000), of(100_000), of(1_000_000), of(1)]);
    expect(plans.map(({ from, to }) => [from, to])).to.deep.equal([
      [0, 2],
      [2, 3],
      [3, 4],
      [4, 5],
    ]);
    expect(plans[0]?.bytes).to.be.at.most(BATCH_TARGET_BYTES);
    expect(planBatches([])).to.deep.equal([]);
  });

  it('know their newest timestamp, also when it is not the last one', () => {
    const at = (timestamp: number): OutgoingRecord => ({ key: null, value: null, timestamp });
    expect(planBatches([at(5), at(9), at(2)])[0]?.timestamp).to.equal(9);
  });

  it('of another format version, or cut, are refused', () => {
    const { bytes, count } = encodeOne([{ key: 'k', value: new Uint8Array(10), timestamp: 1 }]);
    const other = Buffer.from(bytes);
    other[0] = 2;
    expect(() => new BatchCursor(other, 0, count)).to.throw(StoreUnusableError, /version 2/);
    expect(() => new BatchCursor(bytes.subarray(0, 11), 0, count).next()).to.throw(
      StoreUnusableError,
      /early/,
    );
  });
});
