import { expect } from 'chai';
import { latitude, longitude } from '../../src/geo/axes.ts';

describe('axes', () => {
  it('takes the whole range, ends included', () => {
    expect([-180, 0, 180].map(longitude)).to.deep.equal([-180, 0, 180]);
    expect([-90, 0, 90].map(latitude)).to.deep.equal([-90, 0, 90]);
  });

  it('refuses what is outside or no number, and says the value', () => {
    for (const degrees of [-180.0001, 180.0001, Number.NaN, Infinity]) {
      expect(() => longitude(degrees)).to.throw(RangeError, `longitude ${String(degrees)}`);
    }
    for (const degrees of [-90.0001, 90.0001, Number.NaN, -Infinity]) {
      expect(() => latitude(degrees)).to.throw(RangeError, `latitude ${String(degrees)}`);
    }
  });
});
