import { expect } from 'chai';
import fc from 'fast-check';
import { type ChildPolicy, judgeFailure, restartScope } from '../../src/system/supervision.ts';

function policy(restarts: number, windowMs: number, jitter = 0): ChildPolicy {
  return {
    strategy: 'one-for-one',
    backoff: { initialMs: 100, maxMs: 1_500, jitter },
    intensity: { restarts, windowMs },
  };
}

describe('judgeFailure', () => {
  it('doubles the delay up to the maximum, then escalates', () => {
    let history: readonly number[] = [];
    const delays: number[] = [];
    for (let failure = 0; failure < 6; failure++) {
      const decision = judgeFailure(policy(6, 10_000), history, failure, () => 0.5);
      if (decision.kind === 'escalate') {
        return expect.fail('escalated too early');
      }
      delays.push(decision.delayMs);
      history = decision.history;
    }
    expect(delays).to.deep.equal([100, 200, 400, 800, 1_500, 1_500]);
    expect(judgeFailure(policy(6, 10_000), history, 6, () => 0.5)).to.deep.equal({ kind: 'escalate' });
  });

  it('forgets restarts that left the window, in the intensity and in the delay', () => {
    const decision = judgeFailure(policy(2, 1_000), [0, 500], 1_000, () => 0);
    expect(decision).to.deep.equal({ kind: 'restart', delayMs: 200, history: [500, 1_000] });
    expect(judgeFailure(policy(2, 1_000), [1, 500], 1_000, () => 0).kind).to.equal('escalate');
  });

  it('no restarts allowed, or strategy escalate: escalates at once', () => {
    expect(judgeFailure(policy(0, 1_000), [], 0, () => 0).kind).to.equal('escalate');
    expect(judgeFailure({ strategy: 'escalate' }, [], 0, () => 0).kind).to.equal('escalate');
  });

  it('jitter takes at most its share off the delay', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        (jitter, chance) => {
          const decision = judgeFailure(policy(9, 1_000, jitter), [0], 1, () => chance);
          if (decision.kind === 'escalate') {
            return false;
          }
          return decision.delayMs >= 200 * (1 - jitter) - 1e-9 && decision.delayMs <= 200;
        },
      ),
    );
    const low = judgeFailure(policy(9, 1_000, 0.5), [], 1, () => 0);
    expect(low.kind === 'restart' ? low.delayMs : -1).to.equal(50);
  });

  it('within any window there are never more restarts than the intensity allows', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(300), { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        (gaps, restarts) => {
          let now = 0;
          let history: readonly number[] = [];
          const at: number[] = [];
          for (const gap of gaps) {
            now += gap;
            const decision = judgeFailure(policy(restarts, 1_000), history, now, () => 0);
            if (decision.kind === 'restart') {
              history = decision.history;
              at.push(now);
            }
          }
          return at.every(
            (time) => at.filter((other) => other >= time && other < time + 1_000).length <= restarts,
          );
        },
      ),
    );
  });
});

describe('restartScope', () => {
  const children = ['a', 'b', 'c'];
  it('one-for-one: itself', () => {
    expect(restartScope('one-for-one', children, 'b')).to.deep.equal(['b']);
  });
  it('rest-for-one: itself and those after it', () => {
    expect(restartScope('rest-for-one', children, 'b')).to.deep.equal(['b', 'c']);
  });
  it('all-for-one: all', () => {
    expect(restartScope('all-for-one', children, 'b')).to.deep.equal(['a', 'b', 'c']);
  });
});
