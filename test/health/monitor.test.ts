import { expect } from 'chai';
import { HealthMonitor, LOOK_EVERY_MS } from '../../src/health/monitor.ts';

/** A monitor on a clock and a broker that the test moves. */
function monitored(stuckAfterMs = 20_000) {
  let now = 0;
  let answer: (() => void) | undefined;
  let asked = 0;
  const actors: { path: string; state: string; restarts: number }[] = [];
  const partition = { partition: 0, restored: true, turnedAt: 0, position: 0, committing: false };
  const ends = new Map([[0, 0]]);
  const monitor = new HealthMonitor({
    clock: { monotonic: () => now },
    limits: { stuckAfterMs, brokerTimeoutMs: 10_000 },
    askBroker: () => {
      asked++;
      return new Promise((resolve) => {
        answer = () => {
          resolve(ends);
        };
      });
    },
    isEnding: () => false,
    hasJoined: () => true,
    partitions: () => [partition],
    actors: () => actors,
    paused: () => [],
    held: () => undefined,
  });
  return {
    monitor,
    actors,
    ends,
    partition,
    asked: () => asked,
    answer: async () => {
      answer?.();
      await new Promise(setImmediate);
    },
    /** Looks as often as it should. */
    pass: (ms: number) => {
      for (const end = now + ms; now < end; ) {
        now += LOOK_EVERY_MS;
        monitor.look();
      }
    },
    standStill: (ms: number) => {
      now += ms;
      monitor.look();
    },
  };
}

describe('the health monitor', () => {
  it('asks the broker one question at a time, and tells when it is away and back', async () => {
    const { answer, asked, monitor, pass, partition } = monitored();
    pass(9_500);
    expect(asked()).to.equal(1);
    expect(monitor.readyz().status).to.equal('ok');
    pass(20_000);
    expect(monitor.readyz().reasons).to.deep.equal(['the broker has not answered for 29 s']);
    await answer();
    // What stood still because of it has its time.
    expect(monitor.stuck()).to.deep.equal([]);
    expect(monitor.readyz().status).to.equal('ok');
    pass(2_500);
    expect(asked()).to.equal(2);
    await answer();
    for (let second = 0; second < 20; second++) {
      pass(1_000);
      await answer();
    }
    expect(monitor.stuck().map((stuck) => stuck.partition)).to.deep.equal([partition.partition]);
  });

  it('knows since when an actor is down, and forgets it when it is back', () => {
    const { actors, monitor, pass } = monitored();
    actors.push({ path: 'a', state: 'waiting', restarts: 0 });
    pass(6_000);
    expect(monitor.readyz().reasons).to.deep.equal(['a is waiting for 6 s']);
    actors.splice(0, 1, { path: 'a', state: 'running', restarts: 1 });
    pass(500);
    expect(monitor.readyz().status).to.equal('ok');
    expect(monitor.healthz().reasons).to.deep.equal(['an actor was restarted 0 s ago']);
  });

  it('knows which partition reads nothing although there is something', async () => {
    const { answer, ends, monitor, partition, pass } = monitored();
    /** Everything but the position moves. */
    const seconds = async (count: number): Promise<void> => {
      for (let second = 0; second < count; second++) {
        pass(1_000);
        partition.turnedAt += 1_000;
        await answer();
      }
    };
    await seconds(60);
    expect(monitor.stuck()).to.deep.equal([]);
    ends.set(0, 10);
    await seconds(18);
    expect(monitor.stuck()).to.deep.equal([]);
    await seconds(6);
    expect(monitor.stuck().map((stuck) => stuck.partition)).to.deep.equal([0]);
    partition.position = 4;
    await seconds(1);
    expect(monitor.stuck()).to.deep.equal([]);
    partition.position = 10;
    await seconds(60);
    expect(monitor.stuck()).to.deep.equal([]);
  });

  it('notices by its own looks that everything stood still', async () => {
    const { answer, monitor, pass, standStill } = monitored();
    pass(1_000);
    await answer();
    standStill(30_000);
    expect(monitor.stuck()).to.deep.equal([]);
    expect(monitor.healthz().reasons).to.deep.equal(['the event loop stood still for 30 s, until 0 s ago']);
  });

  it('takes nobody for stuck who stood still with everything, however little makes one stuck', async () => {
    const { answer, monitor, partition, pass, standStill } = monitored(1_000);
    pass(1_000);
    await answer();
    partition.turnedAt = 1_000;
    pass(500);
    // Neither has stood still for a second, and both together for longer.
    standStill(900);
    expect(monitor.stuck()).to.deep.equal([]);
    pass(1_000);
    expect(monitor.stuck().map((stuck) => stuck.partition)).to.deep.equal([0]);
  });
});
