import { expect } from 'chai';
import fc from 'fast-check';
import {
  type Candidate,
  firstLook,
  inReadingOrder,
  isSettled,
  lookAgain,
} from '../../../src/actors/file-watcher/settling.ts';

const WALL = 1_000_000;
const AGE = 1_000;
const at = (monotonicMs: number): { monotonicMs: number; wallMs: number } => ({
  monotonicMs,
  wallMs: WALL + monotonicMs,
});
const signature = { size: 10, mtimeMs: WALL - 5_000 };
const first = (options: { atStart?: boolean; mtimeMs?: number } = {}): Candidate =>
  firstLook('a', { size: 10, mtimeMs: options.mtimeMs ?? signature.mtimeMs }, at(0), {
    atStart: options.atStart ?? false,
    minimumAgeMs: AGE,
    resumes: false,
  });

describe('settling', () => {
  it('takes two equal looks, the second a minimum age after the last change', () => {
    const one = first();
    expect(isSettled(one, 0)).to.equal(false);
    const early = lookAgain(one, signature, at(AGE - 1));
    expect(isSettled(early, AGE)).to.equal(false);
    expect(isSettled(lookAgain(early, signature, at(AGE)), AGE)).to.equal(true);
  });

  it('starts anew with every change of size or time, also back in time', () => {
    for (const change of [
      { size: 11 },
      { mtimeMs: signature.mtimeMs + 1 },
      { mtimeMs: signature.mtimeMs - 1 },
    ]) {
      const changed = { ...signature, ...change };
      const seen = lookAgain(lookAgain(first(), signature, at(900)), changed, at(950));
      expect(isSettled(seen, AGE)).to.equal(false);
      const young = lookAgain(seen, changed, at(1_949));
      expect(isSettled(young, AGE)).to.equal(false);
      expect(isSettled(lookAgain(young, changed, at(1_950)), AGE)).to.equal(true);
    }
  });

  it('takes an old file found at the start after two equal looks, and only then', () => {
    const look = (candidate: Candidate): Candidate => lookAgain(candidate, candidate, at(1));
    expect(isSettled(first({ atStart: true }), AGE)).to.equal(false);
    expect(isSettled(look(first({ atStart: true })), AGE)).to.equal(true);
    expect(isSettled(look(first({ atStart: false })), AGE)).to.equal(false);
    expect(isSettled(look(first({ atStart: true, mtimeMs: WALL - AGE })), AGE)).to.equal(false);
    expect(
      isSettled(look(first({ atStart: true, mtimeMs: WALL + 1e9 })), AGE),
      'time in the future',
    ).to.equal(false);
    const changed = lookAgain(first({ atStart: true }), { size: 11, mtimeMs: 0 }, at(1));
    expect(isSettled(lookAgain(changed, { size: 11, mtimeMs: 0 }, at(2)), AGE), 'changed since').to.equal(
      false,
    );
  });

  it('is never reached while each look finds a change within the minimum age', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: AGE - 1 }), { maxLength: 30 }), (steps) => {
        let candidate = first();
        let now = 0;
        for (const [index, step] of steps.entries()) {
          now += step;
          candidate = lookAgain(
            candidate,
            index % 2 === 0 ? candidate : { size: index, mtimeMs: 0 },
            at(now),
          );
          expect(isSettled(candidate, 2 * AGE)).to.equal(false);
        }
      }),
    );
  });

  it('reads first what was begun, then by modification time, then by path', () => {
    const files = [
      { path: 'b', mtimeMs: 2, resumes: false },
      { path: 'z', mtimeMs: 1, resumes: false },
      { path: 'a', mtimeMs: 2, resumes: false },
      { path: 'c', mtimeMs: 9, resumes: true },
      { path: 'a', mtimeMs: 2, resumes: false },
    ];
    expect(
      files
        .sort(inReadingOrder)
        .map(({ path }) => path)
        .join(''),
    ).to.equal('czaab');
  });
});
