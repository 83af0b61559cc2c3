import { expect } from 'chai';
import { createRandom } from '../../src/clustering/random.ts';

describe('random', () => {
  it('repeats itself by seed and stream, and differs between them', () => {
    const draw = (seed: number, stream?: number): number[] => {
      const random = createRandom(seed, stream);
      return Array.from({ length: 20 }, () => random());
    };
    expect(draw(1, 2)).to.deep.equal(draw(1, 2));
    expect(draw(1)).to.deep.equal(draw(1, 0));
    const firsts = [draw(1, 2), draw(2, 1), draw(1, 3), draw(0, 0)].map((numbers) => numbers[0]);
    expect(new Set(firsts).size).to.equal(4);
  });

  it('does not change over versions: models depend on it', () => {
    const random = createRandom(1, 1);
    expect([random(), random(), random()]).to.deep.equal([
      0.6358325787836169, 0.6371852209911295, 0.8398763274208993,
    ]);
  });

  it('is uniform in [0, 1)', () => {
    const random = createRandom(7);
    const bins = new Float64Array(64);
    let sum = 0;
    let inside = true;
    for (let n = 0; n < 64_000; n++) {
      const value = random();
      inside &&= value >= 0 && value < 1;
      sum += value;
      const bin = Math.floor(value * 64);
      bins[bin] = (bins[bin] as number) + 1;
    }
    expect(inside).to.equal(true);
    expect(sum / 64_000).to.be.closeTo(0.5, 0.005);
    // Chi-squared with 63 degrees of freedom: 1 in 10,000 is above 112.
    const chi = bins.reduce((total, count) => total + (count - 1000) ** 2 / 1000, 0);
    expect(chi).to.be.within(25, 112);
  });
});
