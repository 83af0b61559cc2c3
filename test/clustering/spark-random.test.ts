import { expect } from 'chai';
import { SparkRandom } from '../../src/clustering/spark-random.ts';

const gaussians = (seed: number, count: number): number[] => {
  const random = new SparkRandom(seed);
  return Array.from({ length: count }, () => random.nextGaussian());
};

describe('SparkRandom', () => {
  it('draws the numbers that Spark draws', () => {
    // org.apache.spark.util.random.XORShiftRandom(seed).nextGaussian() of Spark 3.5.5 on Java 17.
    const drawn: [seed: number, numbers: number[]][] = [
      [0, [1.6034991609278433, 0.14416006165776865, -0.6253564498627744, -0.28385414448030416]],
      [-1, [-1.1760378827493814, -1.0679011132022822, -0.20628006257477927, 0.23663373092226686]],
      [42, [2.384479054241165, 0.1920934041293524, 0.7337336533286575, -0.5224480195716871]],
      [2 ** 32, [1.0130079960055198, 1.1825591661170671, 0.9379164314684468, 0.6139002044808991]],
      [2 ** 53 - 1, [0.1339202635407348, -1.8806737971025471, 0.2651542726272871, -0.49967830500271293]],
      [1 - 2 ** 53, [1.7467100956437884, 0.11604332265866407, 1.3421083158532816, 0.9939853734709659]],
    ];
    for (const [seed, numbers] of drawn) {
      expect(gaussians(seed, 4)).to.deep.equal(numbers);
    }
  });

  it('draws standard normal numbers, and uniform ones in [0, 1)', () => {
    const numbers = gaussians(7, 20_000);
    const mean = numbers.reduce((sum, value) => sum + value) / numbers.length;
    const variance = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0) / numbers.length;
    expect(mean).to.be.closeTo(0, 0.03);
    expect(variance).to.be.closeTo(1, 0.05);
    const random = new SparkRandom(7);
    const uniform = Array.from({ length: 20_000 }, () => random.nextDouble());
    expect(Math.min(...uniform)).to.be.within(0, 0.001);
    expect(Math.max(...uniform)).to.be.within(0.999, 1 - 2 ** -53);
  });

  it('refuses a seed that is no integer', () => {
    expect(() => new SparkRandom(0.5)).to.throw(RangeError, '0.5');
    expect(() => new SparkRandom(2 ** 53)).to.throw(RangeError);
  });
});
