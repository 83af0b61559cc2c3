import { expect } from 'chai';
import { activityAt, solarHour } from '../../src/generator/sun.ts';

const NOON = Date.UTC(2026, 0, 1, 12);

describe('the sun', () => {
  it('is an hour later every 15 degrees east', () => {
    const east = [0, 15, 90, 179.5, -179.5, -90];
    const expected = [12, 13, 18, 12 + 179.5 / 15, 12 - 179.5 / 15, 6];
    east.forEach((degrees, index) => {
      expect(solarHour(NOON, degrees)).to.be.closeTo(expected[index] as number, 1e-9);
    });
    expect(solarHour(NOON + 11 * 3_600_000, 45)).to.equal(2);
    expect(solarHour(Date.UTC(1969, 11, 31, 23), -45)).to.equal(20);
  });

  it('makes the least activity at 4 h, much of it by day and the most in the evening', () => {
    const hours = Array.from({ length: 2_400 }, (_, index) => index / 100);
    const activities = hours.map(activityAt);
    expect(hours[activities.indexOf(Math.min(...activities))]).to.equal(4);
    expect(hours[activities.indexOf(Math.max(...activities))]).to.be.within(18, 22);
    expect(activityAt(4)).to.be.below(0.25 * activityAt(12));
    expect(Math.max(...activities)).to.equal(1);
    // From 23:59 to midnight as from any minute to the next.
    const steps = activities.map((value, index) => Math.abs(value - (activities.at(index - 1) ?? 0)));
    expect(Math.max(...steps)).to.be.below(0.005);
  });
});
