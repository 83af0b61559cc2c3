import { expect } from 'chai';
import { BackgroundTurns } from '../../../src/actors/centroid-aggregator/background-turns.ts';
import { DriftWatch, type Seen } from '../../../src/actors/centroid-aggregator/drift-watch.ts';
import type { Drift } from '../../../src/clustering/drift.ts';
import { byPlace } from '../../../src/clustering/model-time.ts';
import { paneGrid } from '../../../src/clustering/panes.ts';
import { RegionSummary } from '../../../src/clustering/region-summary.ts';
import { regionOf } from '../../../src/geo/s2.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { nextTurn } from '../../../src/system/event-loop.ts';
import { pointsAt } from '../../clustering/points.ts';
import { RecordedLog } from '../pipeline/support.ts';

const HOUR = 3_600_000;
const BEGIN = Date.UTC(2026, 0, 1);
const LEVEL = 3;
const MODELS = {
  model: { k: 2, seedings: 2 },
  time: {},
  drift: { paneMs: HOUR, windowMs: 3 * HOUR },
};
const EPOCH = 0;
const A = [2, 48] as const;
const B = [100, 30] as const;

/** Two input partitions, the rows of A in the first and those of B in the other, each up to its hour. */
function seen(hoursOfA: number, hoursOfB: number, nextOffsets: readonly number[] = [10, 10]): Seen {
  const panes = [
    [A, hoursOfA],
    [B, hoursOfB],
  ].flatMap(([place, hours], partition) => {
    const n = Math.floor(120 * (hours as number));
    const { x, y, z } = pointsAt(
      Array.from({ length: n }, (_, row) => {
        const [east, north] = place as readonly [number, number];
        return [east + 0.001 * (row % 17), north + 0.001 * (row % 13)] as const;
      }),
    );
    if (n === 0) {
      return [];
    }
    const region = regionOf(x[0] as number, y[0] as number, z[0] as number, LEVEL);
    const grid = paneGrid(HOUR, 24 * HOUR);
    const summary = RegionSummary.empty(region, LEVEL, { features: 200, grid });
    const times = Float64Array.from(x, (_, row) => BEGIN + (row * HOUR) / 120);
    summary.fold(x, y, z, times, 0, n);
    return summary.panes.map((pane) => ({ region, partition, pane }));
  });
  return { panes: panes.sort(byPlace), nextOffsets, k: 2 };
}

const startOf = (pane: number): number => BEGIN + pane * HOUR;

class Bench {
  readonly works: Promise<void>[] = [];
  readonly stop = new AbortController();
  readonly turns = new BackgroundTurns();
  readonly log = new RecordedLog();
  /** Where the logs of the two partitions end. */
  ends = [10, 10];
  asked = 0;
  judged = 0;
  looks = 0;
  readonly watch = new DriftWatch({
    context: {
      // A step takes 4 ms by this clock, so that there are many slices.
      clock: { ...systemClock, monotonic: () => 4 * this.looks++ },
      log: this.log,
      background: (work) => {
        this.works.push(work(this.stop.signal));
      },
    },
    broker: {
      offsets: (topic, partition) => {
        expect(topic).to.equal('rows');
        this.asked++;
        return Promise.resolve({ first: 0, end: this.ends[partition] as number });
      },
    },
    rows: 'rows',
    models: MODELS,
    turns: this.turns,
    onJudged: () => {
      this.judged++;
    },
  });

  /** Looks, and waits for what comes of it. */
  async look(what: Seen, before?: Drift): Promise<Drift | undefined> {
    this.watch.look(what, before);
    await this.done();
    return this.watch.newsAfter(undefined, EPOCH).drift;
  }

  async done(): Promise<void> {
    await Promise.all(this.works);
  }

  publish(before?: Drift): void {
    this.watch.published(this.watch.newsAfter(before, EPOCH));
  }
}

describe('the watch over drift', () => {
  it('judges each pane once, when it is complete, with what was known before', async () => {
    const bench = new Bench();
    expect(await bench.look(seen(0, 0))).to.equal(undefined);
    expect(await bench.look(seen(1, 1))).to.equal(undefined);
    expect([bench.works.length, bench.asked]).to.deep.equal([0, 0]);

    const first = await bench.look(seen(6.2, 6.2));
    expect(first).to.deep.include({ pane: startOf(5), alarm: false });
    expect(first?.ratio).to.be.closeTo(1, 0.1);
    expect(bench.judged).to.equal(1);
    // Nothing more until that is published, and not the same again.
    await bench.look(seen(7.2, 7.2));
    bench.publish();
    expect(await bench.look(seen(6.9, 6.9), first)).to.equal(undefined);
    expect(bench.judged).to.equal(1);

    const raised = { ...(first as Drift), alarm: true, since: startOf(5) };
    expect((await bench.look(seen(7.2, 7.2), raised))?.pane).to.equal(startOf(6));
    expect(bench.judged).to.equal(2);
  });

  it('waits until every partition has counted what the log held when the pane was complete', async () => {
    const bench = new Bench();
    // B has rows up to the second hour only, of which the log holds more.
    bench.ends = [10, 30];
    expect(await bench.look(seen(6.2, 1.5))).to.equal(undefined);
    expect(bench.asked).to.equal(2);
    // More comes all the time: that is of later panes.
    bench.ends = [50, 50];
    expect(await bench.look(seen(7.2, 3.5, [20, 20]))).to.equal(undefined);
    expect([bench.asked, bench.judged]).to.deep.equal([2, 0]);
    const drift = await bench.look(seen(7.2, 5.9, [25, 30]));
    expect(drift?.pane).to.equal(startOf(5));
    expect(drift?.ratio).to.be.closeTo(1, 0.1);
  });

  it('waits for no partition that has come to a later time, nor for one where nothing happens', async () => {
    const later = new Bench();
    later.ends = [100, 100];
    expect((await later.look(seen(6.2, 6.1)))?.pane).to.equal(startOf(5));
    const idle = new Bench();
    idle.ends = [100, 10];
    expect((await idle.look(seen(6.2, 1.5)))?.pane).to.equal(startOf(5));
  });

  it('judges a pane by the rows before its end', async () => {
    const [bare, more] = [new Bench(), new Bench()];
    const alone = await bare.look(seen(6.01, 6.01));
    expect(await more.look(seen(6.9, 6.9))).to.deep.equal(alone);
  });

  it('tells how the alarm changed, once it is published', async () => {
    const bench = new Bench();
    const raised: Drift = { pane: startOf(2), ratio: 4, alarm: true, since: startOf(2) };
    await bench.look(seen(6.2, 6.2), raised);
    const news = bench.watch.newsAfter(raised, EPOCH);
    expect(news.told.drift).to.deep.include({ alarm: false, since: null, reason: null });
    expect(news.events.map(({ type }) => type)).to.deep.equal(['drift-cleared']);
    expect(bench.log.lines).to.deep.equal([]);
    bench.watch.published(news);
    expect(bench.log.lines.map(({ level }) => level)).to.deep.equal(['info']);
    // From then on it is not news.
    expect(bench.watch.newsAfter(news.drift, EPOCH)).to.deep.equal({ ...news, events: [] });

    bench.watch.published({ ...news, events: [{ type: 'drift-raised', pane: 'p', ratio: 3, since: 'p' }] });
    expect(bench.log.lines.at(-1)).to.deep.include({ level: 'warn' });
  });

  it('stands still while a model is made, and lets a second work have every other turn', async () => {
    const bench = new Bench();
    let end: (() => void) | undefined;
    const urgent = bench.turns.goFirst(() => new Promise<void>((resolve) => (end = resolve)));
    bench.watch.look(seen(6.2, 6.2), undefined);
    for (let turn = 0; turn < 30; turn++) {
      await nextTurn();
    }
    expect(bench.looks).to.equal(0);
    end?.();
    await urgent;
    let others = 0;
    const other = (async (): Promise<void> => {
      while (bench.judged === 0) {
        await bench.turns.next();
        others++;
      }
    })();
    await bench.done();
    await other;
    expect(bench.judged).to.equal(1);
    // Two looks at the clock are a slice.
    expect(others).to.be.within(bench.looks / 4, bench.looks);
  });

  it("leaves nothing behind when the models become another replica's, and can begin anew", async () => {
    const bench = new Bench();
    bench.watch.look(seen(6.2, 6.2), undefined);
    await nextTurn();
    bench.watch.cancel();
    await bench.done();
    expect([bench.judged, bench.watch.newsAfter(undefined, EPOCH).drift]).to.deep.equal([0, undefined]);

    bench.watch.look(seen(6.2, 6.2), undefined);
    bench.watch.cancel();
    bench.watch.look(seen(7.2, 7.2), undefined);
    await bench.done();
    expect([bench.judged, bench.watch.newsAfter(undefined, EPOCH).drift?.pane]).to.deep.equal([
      1,
      startOf(6),
    ]);
    bench.watch.cancel();
    expect(bench.watch.newsAfter(undefined, EPOCH).drift).to.equal(undefined);
  });

  it('forgets after a rewind what it found of the rows of before, and what it waited for', async () => {
    const found = new Bench();
    expect((await found.look(seen(6.2, 6.2)))?.pane).to.equal(startOf(5));
    expect(found.watch.newsAfter(undefined, EPOCH + 1).drift).to.equal(undefined);
    expect(found.watch.newsAfter(undefined, EPOCH + 1).drift).to.equal(undefined);

    const waiting = new Bench();
    waiting.ends = [10, 30];
    expect(await waiting.look(seen(6.2, 1.5))).to.equal(undefined);
    waiting.watch.newsAfter(undefined, EPOCH + 1);
    waiting.ends = [10, 10];
    waiting.watch.look(seen(2.2, 2.2), undefined);
    await waiting.done();
    expect([waiting.asked, waiting.watch.newsAfter(undefined, EPOCH + 1).drift?.pane]).to.deep.equal([
      4,
      startOf(1),
    ]);
  });

  it('ends when the actor stops, and fails its actor when the log cannot be asked', async () => {
    const stopped = new Bench();
    stopped.watch.look(seen(6.2, 6.2), undefined);
    await nextTurn();
    stopped.stop.abort();
    await stopped.done();
    expect(stopped.judged).to.equal(0);

    const works: Promise<void>[] = [];
    const failing = new DriftWatch({
      context: {
        clock: systemClock,
        log: new RecordedLog(),
        background: (work) => works.push(work(new AbortController().signal)),
      },
      broker: { offsets: () => Promise.reject(new Error('the topic is gone')) },
      rows: 'rows',
      models: MODELS,
      turns: new BackgroundTurns(),
      onJudged: () => undefined,
    });
    failing.look(seen(6.2, 6.2), undefined);
    const failed = await Promise.all(works).catch((error: unknown) => error);
    expect(failed).to.be.an('error').with.property('message', 'the topic is gone');
  });
});
