import { expect } from 'chai';
import { silentLogger } from '../../src/system/logger.ts';
import { createCronTimer } from '../../src/system/node-cron.ts';
import { type CronTimer, createScheduler, type MissedRuns } from '../../src/system/schedule.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

class ManualCron implements CronTimer {
  tick: () => void = () => undefined;
  missed: () => void = () => undefined;
  stopped = false;

  isValid(expression: string): boolean {
    return expression === 'valid';
  }

  start(_expression: string, tick: () => void, missed: () => void): () => void {
    this.tick = tick;
    this.missed = missed;
    return () => {
      this.stopped = true;
    };
  }
}

function setUp() {
  const clock = new SimulatedClock();
  const cron = new ManualCron();
  const reports: MissedRuns[] = [];
  const errors: string[] = [];
  const scheduler = createScheduler({
    clock,
    cron,
    log: { ...silentLogger, error: (_fields, message) => errors.push(message) },
    onMissed: (missed) => reports.push(missed),
  });
  return { clock, cron, reports, errors, scheduler };
}

describe('Scheduler', () => {
  it('runs at each interval until stopped, the first after one interval', async () => {
    const { clock, scheduler } = setUp();
    const times: number[] = [];
    const schedule = scheduler.every(100, () => {
      times.push(clock.monotonic());
    });
    await clock.advance(350);
    expect(times).to.deep.equal([100, 200, 300]);
    schedule.stop();
    await clock.advance(1_000);
    expect(schedule.runs).to.equal(3);
    expect(clock.pending).to.equal(0);
  });

  it('never overlaps; ticks during a run are missed and reported', async () => {
    const { clock, scheduler, reports } = setUp();
    let running = 0;
    let most = 0;
    const schedule = scheduler.every(100, async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => clock.after(250, resolve));
      running -= 1;
    });
    await clock.advance(650);
    expect(most).to.equal(1);
    expect(schedule.runs).to.equal(2);
    expect(schedule.missed).to.equal(4);
    expect(reports[0]).to.deep.equal({ when: 100, cause: 'overlap', missed: 1, total: 1 });
    expect(reports).to.have.length(4);
  });

  it('a process that was asleep runs once, keeps its rhythm and reports the rest', async () => {
    const { clock, scheduler, reports } = setUp();
    const times: number[] = [];
    scheduler.every(100, () => {
      times.push(clock.monotonic());
    });
    clock.jump(450);
    expect(times).to.deep.equal([450]);
    expect(reports).to.deep.equal([{ when: 100, cause: 'late', missed: 3, total: 3 }]);
    await clock.advance(60);
    expect(times).to.deep.equal([450, 500]);
  });

  it('a failing job is logged and runs again', async () => {
    const { clock, scheduler, errors } = setUp();
    const schedule = scheduler.every(10, () => Promise.reject(new Error('scan')));
    scheduler.every(10, () => {
      throw new Error('at once');
    });
    await clock.advance(20);
    expect(schedule.runs).to.equal(2);
    expect(errors).to.deep.equal(Array(4).fill('scheduled job failed'));
  });

  it('refuses what is neither an interval nor a cron expression', () => {
    const { scheduler } = setUp();
    for (const when of [0, -1, Number.NaN, 2 ** 31, 'whenever']) {
      expect(() => scheduler.every(when, () => undefined), String(when)).to.throw(RangeError);
    }
  });

  it('cron: ticks run, missed matches are reported, stop ends it', async () => {
    const { clock, cron, scheduler, reports } = setUp();
    const schedule = scheduler.every('valid', () => new Promise((resolve) => clock.after(1, resolve)));
    cron.tick();
    cron.tick();
    await clock.advance(1);
    cron.tick();
    cron.missed();
    expect([schedule.runs, schedule.missed]).to.deep.equal([2, 2]);
    expect(reports.map(({ cause }) => cause)).to.deep.equal(['overlap', 'late']);
    schedule.stop();
    cron.tick();
    cron.missed();
    expect([schedule.runs, schedule.missed, cron.stopped]).to.deep.equal([2, 2, true]);
  });
});

describe('node-cron', () => {
  it('validates expressions and ticks', async () => {
    const cron = createCronTimer('UTC');
    expect(cron.isValid('*/5 * * * *')).to.equal(true);
    expect(cron.isValid('61 * * * *')).to.equal(false);
    let ticks = 0;
    const ticked = new Promise<void>((resolve) => {
      const stop = cron.start(
        '* * * * * *',
        () => {
          ticks += 1;
          stop();
          resolve();
        },
        () => undefined,
      );
    });
    await ticked;
    expect(ticks).to.equal(1);
  });
});
