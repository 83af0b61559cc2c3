import { expect } from 'chai';
import { heatOf } from '../../src/generator/hot-spots.ts';

const START = Date.UTC(2026, 0, 1);
const MINUTES = 24 * 60;

/** Minute by minute over a day. */
function dayOf(spot: number): number[] {
  return Array.from({ length: MINUTES }, (_, minute) => heatOf(1, spot, START + minute * 60_000));
}

describe('hot spots', () => {
  const days = Array.from({ length: 200 }, (_, spot) => dayOf(spot));

  it('are usually as busy as any, and now and then up to twelve times as busy', () => {
    const all = days.flat();
    const least = all.reduce((one, other) => Math.min(one, other));
    const most = all.reduce((one, other) => Math.max(one, other));
    expect([least, most > 10, most <= 12]).to.deep.equal([1, true, true]);
    expect(all.filter((heat) => heat > 1).length / all.length).to.be.within(0.13, 0.2);
  });

  it('rise to one height and fall again, without a leap', () => {
    let heights = 0;
    for (const day of days) {
      const steps = day.slice(1).map((heat, index) => heat - (day[index] as number));
      // The steepest is the first minute of the shortest: the parabola's 11 * 4 in 10 minutes.
      expect(Math.max(...steps.map(Math.abs))).to.be.below(4.5);
      steps.forEach((step, index) => {
        const next = steps[index + 1] ?? 0;
        heights += step > 0 && next < 0 ? 1 : 0;
        if (step < 0 && next > 0) {
          // It only rises again from where it is as busy as usual, which may be between two minutes.
          expect(day[index + 1]).to.be.below(5);
        }
      });
    }
    expect(heights).to.be.above(500);
  });

  it('are others with another seed, and at each spot', () => {
    const day = (seed: number, spot: number): number[] =>
      Array.from({ length: 500 }, (_, minute) => heatOf(seed, spot, START + minute * 60_000));
    expect(day(1, 0)).to.deep.equal(day(1, 0));
    expect(day(1, 0)).not.to.deep.equal(day(2, 0));
    expect(day(1, 0)).not.to.deep.equal(day(1, 1));
  });
});
