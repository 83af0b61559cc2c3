import { expect } from 'chai';
import { encodeBatch, planBatches } from '../../../src/broker/embedded/batch.ts';
import { batchKey } from '../../../src/broker/embedded/keys.ts';
import type { OrderedStore } from '../../../src/broker/embedded/lmdb.ts';
import { PartitionLog } from '../../../src/broker/embedded/partition-log.ts';
import { EmbeddedReader } from '../../../src/broker/embedded/reader.ts';
import { RemoveBatches } from '../../../src/broker/embedded/upkeep.ts';
import { StoreUnusableError } from '../../../src/broker/errors.ts';
import { failure, NEVER, record, text } from '../helpers.ts';

/** A partition of one record a batch, in a store that is a map. */
function partition(values: readonly string[]) {
  const log = new PartitionLog('log', 1, 0);
  const stored = new Map<string, Buffer>();
  const keyOf = (key: Uint8Array): string => Buffer.from(key).toString('hex');
  values.forEach((value, base) => {
    const records = [record(value)];
    const [plan] = planBatches(records);
    if (plan === undefined) {
      throw new Error('no batch');
    }
    const bytes = Buffer.alloc(plan.bytes);
    encodeBatch(records, plan, bytes);
    const head = { base, count: 1, bytes: plan.bytes, timestamp: 0 };
    stored.set(keyOf(batchKey(1, 0, head)), bytes);
    log.appended([head]);
  });
  const store = { get: (key: Uint8Array) => stored.get(keyOf(key)) } as unknown as OrderedStore;
  const group = {
    commit: 1,
    put: () => undefined,
    remove: (key: Uint8Array) => stored.delete(keyOf(key)),
    allocate: (bytes: number) => Buffer.alloc(bytes),
  };
  const reader = new EmbeddedReader(store, log, 0, () => undefined);
  return { log, group, reader };
}

describe('a reader of the embedded store', () => {
  it('goes on behind batches that are being removed, of which the index still knows', async () => {
    const { group, log, reader } = partition(['a', 'b', 'c']);
    new RemoveBatches([{ log, count: 2 }]).stage(group);
    // The store has forgotten them; we have not been told.
    const records = await reader.read(1 << 20, NEVER);
    expect(records.map(({ offset, value }) => [offset, text(value)])).to.deep.equal([[2, 'c']]);
  });

  it('waits for what it would read next while all that it asked for is being removed', async () => {
    const { group, log, reader } = partition(['a', 'b', 'c']);
    const removal = new RemoveBatches([{ log, count: 2 }]);
    removal.stage(group);
    const reading = reader.read(1, NEVER);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    removal.committed();
    expect((await reading).map(({ value }) => text(value))).to.deep.equal(['c']);
  });

  it('names a batch that is missing and was not to be removed', async () => {
    for (const undone of [true, false]) {
      const { group, log, reader } = partition(['a', 'b', 'c']);
      const removal = new RemoveBatches([{ log, count: 1 }]);
      removal.stage(group);
      if (undone) {
        // Yet the store does not have it.
        removal.rolledBack();
      } else {
        group.remove(batchKey(1, 0, log.index.at(1) ?? expect.fail('no such batch')));
      }
      const error = await failure(reader.read(1 << 20, NEVER));
      expect(error).to.be.instanceOf(StoreUnusableError);
      expect(String(error)).to.contain(`the batch at offset ${undone ? '0' : '1'} is missing or cut`);
    }
  });
});
