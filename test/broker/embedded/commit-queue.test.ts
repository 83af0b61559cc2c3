import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { CommitQueue, type Work } from '../../../src/broker/embedded/commit-queue.ts';
import { sequenceKey } from '../../../src/broker/embedded/keys.ts';
import { type OrderedStore, type PutOrRemove, StoreWriteError } from '../../../src/broker/embedded/lmdb.ts';
import {
  BrokerError,
  BrokerFullError,
  StoreLockedError,
  UnknownOutcomeError,
} from '../../../src/broker/errors.ts';
import type { Clock } from '../../../src/system/clock.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import { failure } from '../helpers.ts';

const ENOSPC = 28;

/** A store in memory that fails as told: before anything is written, or after it became visible. */
class ScriptedStore implements OrderedStore {
  readonly data = new Map<string, Uint8Array>();
  readonly groups: string[][] = [];
  fail: ((keys: readonly string[]) => 'before' | 'after' | 'never ends' | undefined) | undefined;

  get(key: Uint8Array): Uint8Array | undefined {
    return this.data.get(Buffer.from(key).toString('latin1'));
  }

  keys(): Iterable<Uint8Array> {
    return [];
  }

  snapshot(): ReturnType<OrderedStore['snapshot']> {
    return { entries: [], done: () => undefined };
  }

  snapshotOf(): ReturnType<OrderedStore['snapshotOf']> {
    return this.snapshot();
  }

  async write(operations: readonly PutOrRemove[]): Promise<{ readonly flushed: Promise<void> }> {
    await new Promise((next) => setImmediate(next));
    const sequence = Buffer.from(sequenceKey).toString('latin1');
    const keys = operations
      .map(({ key }) => Buffer.from(key).toString('latin1'))
      .filter((key) => key !== sequence);
    const failing = this.fail?.(keys);
    if (failing === 'before') {
      throw new StoreWriteError('No space left on device', ENOSPC);
    }
    if (failing === 'never ends') {
      return new Promise(() => undefined);
    }
    for (const { key, value } of operations) {
      this.data.set(Buffer.from(key).toString('latin1'), Uint8Array.from(value ?? []));
    }
    if (failing === 'after') {
      throw new StoreWriteError('Input/output error', 5);
    }
    this.groups.push(keys);
    return { flushed: Promise.resolve() };
  }

  usage(): { readonly live: number; readonly extent: number } {
    return { live: 0, extent: 0 };
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

describe('the commit queue', () => {
  let store: ScriptedStore;
  let stall: () => void;
  let told: string[];

  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (_ms, callback) => {
      stall = callback;
      return () => undefined;
    },
  };

  function queueOf(): CommitQueue {
    return new CommitQueue({
      store,
      directory: tmpdir(),
      ceilingBytes: 64 * 1024 * 1024,
      clock,
      log: silentLogger,
      upkeep: () => undefined,
    });
  }

  function put(key: string): Work {
    return {
      bytes: 1,
      bounded: true,
      stage: (group) => {
        group.put(Buffer.from(key), group.allocate(1));
      },
      committed: () => {
        told.push(`${key} committed`);
      },
      rolledBack: () => {
        told.push(`${key} rolled back`);
      },
    };
  }

  beforeEach(() => {
    store = new ScriptedStore();
    told = [];
  });

  it('commits together what was handed over in one turn, and then what came meanwhile', async () => {
    const queue = queueOf();
    const first = [queue.submit(put('a')), queue.submit(put('b'))];
    await new Promise((next) => setTimeout(next, 0));
    const later = queue.submit(put('c'));
    await Promise.all([...first, later]);
    expect(store.groups.flat()).to.deep.equal(['a', 'b', 'c']);
    expect(store.groups[0]).to.deep.equal(['a', 'b']);
    expect(told).to.deep.equal(['a committed', 'b committed', 'c committed']);
  });

  it('loses no work that is handed over as a group ends', async () => {
    const queue = queueOf();
    for (let ticks = 0; ticks < 12; ticks++) {
      const [first, second] = [String.fromCharCode(97 + ticks), String.fromCharCode(65 + ticks)];
      await queue.submit(put(first));
      for (let tick = 0; tick < ticks; tick++) {
        await Promise.resolve();
      }
      await queue.submit(put(second));
    }
    let inside: Promise<unknown> | undefined;
    await queue.submit({
      ...put('outside'),
      committed: () => {
        inside = queue.submit(put('inside'));
      },
    });
    await inside;
    expect(store.groups).to.have.length(26);
  });

  it('tries those that failed together one by one', async () => {
    const queue = queueOf();
    store.fail = (keys) => (keys.includes('large') ? 'before' : undefined);
    const [small, large, other] = await Promise.all(
      ['small', 'large', 'other'].map((key) => failure(queue.submit(put(key)))),
    );
    expect([small, other]).to.deep.equal([undefined, undefined]);
    expect(large).to.be.instanceOf(BrokerFullError);
    expect(store.groups).to.deep.equal([['small'], ['other']]);
  });

  it('goes on after a full disk', async () => {
    const queue = queueOf();
    store.fail = () => 'before';
    expect(await failure(queue.submit(put('a')))).to.be.instanceOf(BrokerFullError);
    store.fail = undefined;
    await queue.submit(put('b'));
    expect(told).to.deep.equal(['a rolled back', 'b committed']);
  });

  it('rejects alone a work that cannot be staged', async () => {
    const queue = queueOf();
    const broken: Work = {
      ...put('broken'),
      stage: () => {
        throw new BrokerError('cannot be staged');
      },
    };
    const [error] = await Promise.all([failure(queue.submit(broken)), queue.submit(put('a'))]);
    expect(error).to.be.instanceOf(BrokerError);
    expect(store.groups).to.deep.equal([['a']]);
  });

  it('does not know the outcome when the sync fails after the write, and stays unusable', async () => {
    const queue = queueOf();
    store.fail = () => 'after';
    expect(await failure(queue.submit(put('a')))).to.be.instanceOf(UnknownOutcomeError);
    store.fail = undefined;
    expect(await failure(queue.submit(put('b')))).to.be.instanceOf(UnknownOutcomeError);
    expect(store.groups).to.deep.equal([]);
    await queue.close();
  });

  it('does not know the outcome of a write that never ends; nothing waits for ever', async () => {
    const queue = queueOf();
    store.fail = () => 'never ends';
    const first = failure(queue.submit(put('a')));
    await new Promise((next) => setTimeout(next, 5));
    const queued = failure(queue.submit(put('b')));
    stall();
    expect(await first).to.be.instanceOf(UnknownOutcomeError);
    expect(await queued).to.be.instanceOf(UnknownOutcomeError);
    await queue.close();
  });

  it('stops when somebody else wrote to the store', async () => {
    const [mine, theirs] = [queueOf(), queueOf()];
    await mine.submit(put('a'));
    expect(await failure(theirs.submit(put('b')))).to.be.instanceOf(StoreLockedError);
    await mine.submit(put('c'));
    expect(store.groups).to.deep.equal([['a'], ['c']]);
  });

  it('refuses work after close, and first does what was queued', async () => {
    const queue = queueOf();
    const queued = queue.submit(put('a'));
    await queue.close();
    await queued;
    expect(store.groups).to.deep.equal([['a']]);
    expect(await failure(queue.submit(put('b')))).to.be.instanceOf(BrokerError);
  });
});
