import { expect } from 'chai';
import { type HealthSample, judgeHealth, judgeReadiness, stuckPartitions } from '../../src/health/judge.ts';

const LIMITS = { stuckAfterMs: 20_000, brokerTimeoutMs: 10_000 };
const NOW = 1_000_000;

const well: HealthSample = {
  now: NOW,
  ending: false,
  joined: true,
  askedBrokerAt: undefined,
  brokerBackAt: -Infinity,
  partitions: [
    { partition: 0, restored: true, turnedAt: NOW - 100, behindSince: undefined, committing: false },
  ],
  down: [],
  paused: [],
  held: undefined,
  restartedAt: undefined,
  pausedAt: -Infinity,
  stoodStillUntil: -Infinity,
  stall: undefined,
};

const still = (
  ms: number,
  more: Partial<HealthSample['partitions'][number]> = {},
): Partial<HealthSample> => ({
  partitions: [
    { partition: 3, restored: true, turnedAt: NOW - ms, behindSince: undefined, committing: false, ...more },
  ],
});

const ready = (sample: Partial<HealthSample>): string => {
  const { reasons, status } = judgeReadiness({ ...well, ...sample }, LIMITS);
  expect(status).to.equal(reasons.length === 0 ? 'ok' : 'failing');
  return reasons.join('; ');
};

describe('health', () => {
  it('is ready when it has joined and restored, and nothing stands still', () => {
    expect(ready({})).to.equal('');
    expect(judgeHealth(well, LIMITS)).to.deep.equal({ status: 'ok', reasons: [] });
  });

  it('is not ready while it ends, joins, restores, or an actor is down for long', () => {
    expect(ready({ ending: true })).to.equal('the process is ending');
    expect(ready({ joined: false })).to.equal('the group of the partitions is not joined yet');
    expect(ready(still(0, { restored: false }))).to.equal('partitions are being restored: 3');
    const down = (ms: number): Partial<HealthSample> => ({
      down: [{ path: 'partitions/partition-0', state: 'waiting', since: NOW - ms }],
    });
    expect(ready(down(4_999))).to.equal('');
    expect(ready(down(7_000))).to.equal('partitions/partition-0 is waiting for 7 s');
  });

  it('is not ready while the broker does not answer, and blames no partition for it', () => {
    expect(ready({ askedBrokerAt: NOW - 9_999 })).to.equal('');
    expect(ready({ ...still(60_000), askedBrokerAt: NOW - 12_000 })).to.equal(
      'the broker has not answered for 12 s',
    );
  });

  it('is not ready while a partition is stuck, unless something outside keeps it', () => {
    expect(ready(still(19_999))).to.equal('');
    expect(ready(still(21_000))).to.equal('partition 3 is stuck: nothing has moved for 21 s');
    const stuck = (sample: Partial<HealthSample>): number =>
      stuckPartitions({ ...well, ...sample }, LIMITS).length;
    expect(stuck(still(21_000))).to.equal(1);
    expect(stuck(still(21_000, { committing: true }))).to.equal(0);
    // A restore reads whole tables.
    expect(stuck(still(119_000, { restored: false }))).to.equal(0);
    expect(stuck(still(120_000, { restored: false }))).to.equal(1);
    expect(stuck({ ...still(21_000), paused: ['regions'] })).to.equal(0);
    expect(stuck({ ...still(21_000), paused: ['partitions'] })).to.equal(1);
    const behind = still(0, { behindSince: NOW - 21_000 });
    expect(stuck(behind)).to.equal(1);
    expect(stuck({ ...behind, paused: ['partitions'] })).to.equal(0);
  });

  it('gives a partition its time anew after an outage, or when the whole process stood still', () => {
    expect(ready({ ...still(60_000), brokerBackAt: NOW - 19_000 })).to.equal('');
    expect(ready({ ...still(60_000), brokerBackAt: NOW - 20_000 })).to.contain('stuck');
    for (const since of ['pausedAt', 'stoodStillUntil'] as const) {
      expect(ready({ ...still(60_000), [since]: NOW - 1_000 })).to.equal('');
      expect(ready({ ...still(60_000), [since]: NOW - 20_000 })).to.contain('stuck');
    }
  });

  it('is degraded, and ready, when it is paused, held by a full log, or stood still a while ago', () => {
    const degraded = (sample: Partial<HealthSample>): string => {
      expect(ready(sample)).to.equal('');
      const { reasons, status } = judgeHealth({ ...well, ...sample }, LIMITS);
      expect(status).to.equal('degraded');
      return reasons.join('; ');
    };
    expect(degraded({ paused: ['publisher', 'reporter'] })).to.equal('paused: publisher, reporter');
    expect(degraded({ held: 'the log is at its limit' })).to.equal('the log is at its limit');
    expect(degraded({ restartedAt: NOW - 9_000 })).to.equal('an actor was restarted 9 s ago');
    expect(degraded({ stall: { ms: 3_000, endedAt: NOW - 5_000 } })).to.equal(
      'the event loop stood still for 3 s, until 5 s ago',
    );
    expect(judgeHealth({ ...well, stall: { ms: 3_000, endedAt: NOW - 60_000 } }, LIMITS).status).to.equal(
      'ok',
    );
  });
});
