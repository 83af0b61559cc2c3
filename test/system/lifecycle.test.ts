import { expect } from 'chai';
import {
  admissionIn,
  IllegalTransitionError,
  isAlive,
  type LifecycleState,
  transition,
} from '../../src/system/lifecycle.ts';

const STATES: readonly LifecycleState[] = [
  'starting',
  'running',
  'failed',
  'restarting',
  'waiting',
  'stopping',
  'stopped',
];

const LEGAL = new Set([
  'starting running',
  'starting failed',
  'starting restarting',
  'starting stopping',
  'running failed',
  'running restarting',
  'running stopping',
  'failed restarting',
  'failed stopping',
  'restarting waiting',
  'restarting stopping',
  'waiting starting',
  'waiting stopping',
  'stopping stopped',
]);

describe('lifecycle', () => {
  it('makes the legal moves and throws on all others', () => {
    for (const from of STATES) {
      for (const to of STATES) {
        if (LEGAL.has(`${from} ${to}`)) {
          expect(transition('a/b', from, to)).to.equal(to);
        } else {
          expect(() => transition('a/b', from, to), `${from} ${to}`).to.throw(
            IllegalTransitionError,
            `actor a/b cannot go from ${from} to ${to}`,
          );
        }
      }
    }
  });

  it('only a running actor gets messages; a stopping one never will', () => {
    expect(STATES.filter((state) => admissionIn(state) === 'mailbox')).to.deep.equal(['running']);
    expect(STATES.filter((state) => admissionIn(state) === 'dead-letter')).to.deep.equal([
      'stopping',
      'stopped',
    ]);
    expect(STATES.filter(isAlive)).to.deep.equal(['starting', 'running']);
  });
});
