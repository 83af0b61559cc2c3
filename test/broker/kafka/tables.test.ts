import { expect } from 'chai';
import fc from 'fast-check';
import { Fetcher } from '../../../src/broker/kafka/fetcher.ts';
import { KafkaTables } from '../../../src/broker/kafka/tables.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { failure } from '../helpers.ts';
import { SimulatedBroker } from './simulated-broker.ts';
import { TOPIC } from './simulated-log.ts';

const HOUR_MS = 3_600_000;

describe('the tables on Kafka', () => {
  let clock: SimulatedClock;
  let broker: SimulatedBroker;
  let fetcher: Fetcher;
  let tables: KafkaTables;

  beforeEach(() => {
    clock = new SimulatedClock();
    broker = new SimulatedBroker();
    fetcher = new Fetcher({ connections: broker, clock, log: silentLogger });
    tables = tablesOf(broker);
  });

  afterEach(() => {
    tables.close('closed');
    fetcher.close();
  });

  function tablesOf(connections: SimulatedBroker): KafkaTables {
    const { signal } = new AbortController();
    return new KafkaTables({ connections, fetcher, clock, log: silentLogger, signal });
  }

  function put(key: string, value: string | null, producer = 0): void {
    broker.log(0).append(producer, [value], { key });
  }

  /** Answers what is asked until `work` is through, with up to so many `bytes` a time. */
  async function served<T>(work: Promise<T>, bytes?: number): Promise<T> {
    let rounds = 0;
    const serving = (async (): Promise<never> => {
      for (; rounds < 200; rounds++) {
        await clock.advance(5);
        broker.answer(undefined, bytes === undefined ? {} : { bytes });
      }
      throw new Error(`still waiting; asked: ${broker.summary().join()}`);
    })();
    serving.catch(() => undefined);
    try {
      return await Promise.race([work, serving]);
    } finally {
      rounds = 200;
      await serving.catch(() => undefined);
    }
  }

  async function shown(prefix = '', of = tables): Promise<string[]> {
    const entries: string[] = [];
    for await (const { key, value } of of.entries(TOPIC, 0, prefix)) {
      entries.push(`${key}=${Buffer.from(value).toString('utf8')}`);
    }
    return entries;
  }

  it('are read the first time that somebody looks, and then as last refreshed', async () => {
    put('a', '1');
    put('b', '2');
    put('a', null);
    expect(await served(shown())).to.deep.equal(['b=2']);
    put('c', '3');
    expect(await shown()).to.deep.equal(['b=2']);
    await clock.advance(200);
    expect(broker.summary(), 'nothing is fetched that nobody asked for').to.deep.equal([]);
    await served(tables.refresh(TOPIC, 0));
    expect(await shown()).to.deep.equal(['b=2', 'c=3']);
  });

  it('wait for the transactions that are open at the call, not for later ones', async () => {
    put('a', '1', 1);
    let done = false;
    const refreshed = tables.refresh(TOPIC, 0).then(() => {
      done = true;
    });
    for (let round = 0; round < 5; round++) {
      await clock.advance(10);
      broker.answer();
    }
    expect(done).to.equal(false);
    put('b', '2', 2);
    broker.log(0).finish(1, 'commit');
    await served(refreshed);
    expect(await shown(), 'without another refresh').to.deep.equal(['a=1']);
  });

  it('show a transaction whole, also where half of it was there at the call', async () => {
    put('summary', 'old');
    put('progress', 'old');
    await served(tables.refresh(TOPIC, 0));
    put('summary', 'new', 1);
    const refreshed = tables.refresh(TOPIC, 0);
    await clock.advance(10);
    put('progress', 'new', 1);
    broker.log(0).finish(1, 'commit');
    put('summary', 'later', 2);
    await served(refreshed, 1);
    expect(await shown()).to.deep.equal(['progress=new', 'summary=new']);
  });

  it('show nothing of a transaction while the rest of it is still to be read', async () => {
    put('summary', 'old');
    put('progress', 'old');
    await served(tables.refresh(TOPIC, 0));
    put('summary', 'new', 1);
    put('progress', 'new', 1);
    broker.log(0).finish(1, 'commit');
    const refreshed = tables.refresh(TOPIC, 0);
    const seen = new Set<string>();
    for (let round = 0; round < 10; round++) {
      await clock.advance(5);
      broker.answer(undefined, { bytes: 1 });
      seen.add((await shown()).join());
    }
    await refreshed;
    seen.add((await shown()).join());
    expect([...seen]).to.deep.equal(['progress=old,summary=old', 'progress=new,summary=new']);
  });

  it('come to the end also where an answer has more than what it says to be stable', async () => {
    put('a', '1');
    const refreshed = tables.refresh(TOPIC, 0);
    await clock.advance(10);
    // A broker notes the stable offset first, and reads the log when this is written.
    put('b', '2');
    broker.answer(undefined, { notedEarly: true });
    const later = tables.refresh(TOPIC, 0);
    await served(Promise.all([refreshed, later]));
    expect(await shown()).to.deep.equal(['a=1', 'b=2']);
  });

  it('show transactions whole, whenever somebody asks and however the log is cut into answers', async () => {
    const keys = ['a', 'b', 'c'];
    const steps = fc.array(fc.constantFrom('write', 'answer', 'answer noted early', 'refresh'), {
      minLength: 20,
      maxLength: 80,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        broker.empty(0);
        const own = tablesOf(broker);
        const refreshes = [served(own.refresh(TOPIC, 0))];
        await refreshes[0];
        let written = 0;
        for (const step of taken) {
          if (step === 'write') {
            put(keys[written % keys.length] ?? '', String(Math.floor(written / keys.length)), 1);
            written++;
            if (written % keys.length === 0) {
              broker.log(0).finish(1, 'commit');
            }
          } else if (step === 'refresh') {
            refreshes.push(own.refresh(TOPIC, 0));
          } else {
            const notedEarly = step === 'answer noted early';
            broker.answer(undefined, notedEarly ? { notedEarly } : { bytes: 1 });
          }
          await clock.advance(10);
          const seen = await shown('', own);
          expect(seen.length, seen.join()).to.be.oneOf([0, keys.length]);
          expect(new Set(seen.map((entry) => entry.split('=')[1])).size, seen.join()).to.be.at.most(1);
        }
        broker.log(0).finish(1, 'abort');
        await served(Promise.all([...refreshes, own.refresh(TOPIC, 0)]), 1);
        const whole = Math.floor(written / keys.length);
        const last = whole === 0 ? [] : keys.map((key) => `${key}=${String(whole - 1)}`);
        expect(await shown('', own)).to.deep.equal(last);
        own.close('done');
      }),
      { numRuns: 60 },
    );
  });

  it('serve everybody who asks while they are read, each up to what was there at the call', async () => {
    put('a', '1');
    const first = tables.refresh(TOPIC, 0);
    await clock.advance(10);
    put('b', '2');
    const second = tables.refresh(TOPIC, 0);
    await clock.advance(10);
    put('c', '3');
    const third = tables.refresh(TOPIC, 0);
    await served(Promise.all([first, second, third]));
    expect(await shown()).to.deep.equal(['a=1', 'b=2', 'c=3']);
  });

  it('ask for nothing where nothing has changed', async () => {
    put('a', '1');
    await served(tables.refresh(TOPIC, 0));
    await tables.refresh(TOPIC, 0);
    expect(broker.summary()).to.deep.equal([]);
  });

  it('show own commits at once, and give bytes of the caller’s own', async () => {
    put('a', '1');
    await served(tables.refresh(TOPIC, 0));
    tables.applied(TOPIC, 0, [{ key: 'a', value: Buffer.from('own'), offset: 5 }]);
    const mine = await tables.get(TOPIC, 0, 'a');
    mine?.fill(0);
    expect(await shown()).to.deep.equal(['a=own']);
  });

  it('give the entries as they were when they were asked for', async () => {
    put('a', '1');
    put('b', '2');
    await served(tables.refresh(TOPIC, 0));
    const entries: string[] = [];
    for await (const { key, value } of tables.entries(TOPIC, 0, '')) {
      tables.applied(TOPIC, 0, [{ key: 'b', value: null, offset: 9 }]);
      entries.push(`${key}=${Buffer.from(value).toString('utf8')}`);
    }
    expect(entries).to.deep.equal(['a=1', 'b=2']);
    expect(await shown()).to.deep.equal(['a=1']);
  });

  it('are read anew after long, for compaction forgets in the end what was removed', async () => {
    put('kept', '1');
    put('removed', '2');
    await served(tables.refresh(TOPIC, 0));
    const end = broker.log(0).end;
    // As compaction leaves it, much later: nothing tells of the removed entry, nor of its removal.
    broker.empty(0);
    put('kept', '1');
    broker.log(0).append(
      1,
      Array.from({ length: end }, () => 'x'),
      { key: 'aborted' },
    );
    broker.log(0).finish(1, 'abort');
    await clock.advance(HOUR_MS);
    await served(tables.refresh(TOPIC, 0));
    expect(await shown()).to.deep.equal(['kept=1']);
  });

  it('are read anew after long where nothing but an own commit was known', async () => {
    await served(tables.refresh(TOPIC, 0));
    tables.applied(TOPIC, 0, [{ key: 'removed', value: Buffer.from('own'), offset: 0 }]);
    expect(await shown()).to.deep.equal(['removed=own']);
    broker.log(0).append(1, ['x'], { key: 'aborted' });
    broker.log(0).finish(1, 'abort');
    await clock.advance(HOUR_MS);
    await served(tables.refresh(TOPIC, 0));
    expect(await shown()).to.deep.equal([]);
  });

  it('are read anew after long for everybody who waited, where the brokers were away meanwhile', async () => {
    put('kept', '1');
    put('removed', '2');
    await served(tables.refresh(TOPIC, 0));
    broker.away = true;
    const first = tables.refresh(TOPIC, 0);
    await clock.advance(HOUR_MS);
    const second = tables.refresh(TOPIC, 0);
    await clock.advance(10);
    broker.empty(0);
    put('kept', '1');
    broker.log(0).append(1, ['x', 'y', 'z'], { key: 'aborted' });
    broker.log(0).finish(1, 'abort');
    broker.away = false;
    const both = Promise.all([first, second]);
    both.catch(() => undefined);
    // Both ask again within the longest backoff.
    await clock.advance(2_500);
    await served(both);
    expect(await shown()).to.deep.equal(['kept=1']);
  });

  it('are looked at as they were read anew', async () => {
    put('kept', '1');
    broker.away = true;
    const kept = tables.get(TOPIC, 0, 'kept');
    tables.applied(TOPIC, 0, [{ key: 'own', value: Buffer.from('2'), offset: 1 }]);
    await clock.advance(HOUR_MS);
    put('own', '2');
    broker.away = false;
    await clock.advance(2_500);
    expect(Buffer.from((await served(kept)) ?? []).toString()).to.equal('1');
  });

  it('are not read anew while they are refreshed now and then', async () => {
    put('a', '1');
    await served(tables.refresh(TOPIC, 0));
    await clock.advance(HOUR_MS / 2);
    await served(tables.refresh(TOPIC, 0));
    await clock.advance(HOUR_MS / 2);
    put('b', '2');
    const refreshed = tables.refresh(TOPIC, 0);
    await clock.advance(10);
    expect(broker.summary()).to.deep.equal(['waiting 0@1']);
    await served(refreshed);
  });

  it('fail a refresh loudly, and later ones, where the table was deleted and made anew', async () => {
    put('a', '1');
    put('b', '2');
    await served(tables.refresh(TOPIC, 0));
    broker.offsets = { first: 0, end: 1 };
    expect(String(await failure(tables.refresh(TOPIC, 0)))).to.match(/made anew/);
    broker.offsets = { first: 0, end: 2 };
    expect(String(await failure(tables.refresh(TOPIC, 0)))).to.match(/made anew/);
  });

  it('end a refresh that waits when they are closed', async () => {
    put('a', '1', 1);
    const refreshed = failure(tables.refresh(TOPIC, 0));
    await clock.advance(10);
    tables.close('the broker is closed');
    expect(String(await refreshed)).to.match(/the broker is closed/);
  });
});
