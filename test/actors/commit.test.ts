import { expect } from 'chai';
import { commitWhenThereIsRoom } from '../../src/actors/commit.ts';
import type { Committed, Transaction, Writer } from '../../src/broker/broker.ts';
import { UnknownOutcomeError } from '../../src/broker/errors.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { RecordedMetrics } from '../support/recorded-metrics.ts';

const COMMITTED: Committed = { flushed: Promise.resolve() };

describe('a commit when its stage is told to stop', () => {
  let clock: SimulatedClock;
  let stop: AbortController;
  let closed: number;
  let answer: (committed: Committed) => void;
  let committing: Promise<Committed | undefined>;
  let metrics: RecordedMetrics;

  beforeEach(() => {
    clock = new SimulatedClock();
    stop = new AbortController();
    closed = 0;
    metrics = new RecordedMetrics();
    const writer: Writer = {
      name: 'partition-1',
      begin: () =>
        ({
          commit: () =>
            new Promise<Committed>((resolve) => {
              answer = resolve;
            }),
        }) as unknown as Transaction,
      close: () => {
        closed++;
        return Promise.resolve();
      },
    };
    committing = commitWhenThereIsRoom(writer, () => undefined, {
      clock,
      log: silentLogger,
      metrics,
      signal: stop.signal,
      stage: 'publisher',
    });
    committing.catch(() => undefined);
  });

  it('is given a moment, and counts when it comes to its end in it', async () => {
    stop.abort();
    await clock.advance(4_000);
    answer(COMMITTED);
    expect(await committing).to.equal(COMMITTED);
    expect(clock.pending, 'timers left').to.equal(0);
    expect(closed).to.equal(0);
  });

  it('is given up after that, with its writer: a broker that is away holds nobody back', async () => {
    stop.abort();
    await clock.advance(5_001);
    expect(await committing.catch((error: unknown) => error)).to.be.instanceOf(UnknownOutcomeError);
    expect(closed).to.equal(1);
    expect(metrics.counted).to.deep.equal({ 'transaction.aborts publisher unknown-outcome': 1 });
    expect(metrics.times).to.deep.equal({});
  });

  it('waits as long as it takes while nobody is told to stop', async () => {
    await clock.advance(3_600_000);
    answer(COMMITTED);
    expect(await committing).to.equal(COMMITTED);
    expect(metrics.counted).to.deep.equal({ 'transaction.commits publisher': 1 });
    expect(metrics.times).to.deep.equal({ 'transaction.time publisher': [3_600_000] });
  });
});
