import { expect } from 'chai';
import { RequestRates, Slots } from '../../../src/doors/http/limits.ts';
import { Refusal } from '../../../src/doors/http/refusal.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

describe('requests of an address', () => {
  const setUp = (): { clock: SimulatedClock; taken: (address: string, times: number) => number } => {
    const clock = new SimulatedClock();
    const rates = new RequestRates({ burst: 5, requestsPerSecond: 2 }, clock);
    const taken = (address: string, times: number): number =>
      Array.from({ length: times }, () => {
        try {
          rates.take(address);
          return 1;
        } catch {
          return 0;
        }
      }).reduce<number>((sum, one) => sum + one, 0);
    return { clock, taken };
  };

  it('are taken so many at once and so many a second', () => {
    const { clock, taken } = setUp();
    expect(taken('10.0.0.1', 9)).to.equal(5);
    clock.jump(1_000);
    expect(taken('10.0.0.1', 9)).to.equal(2);
    clock.jump(3_600_000);
    expect(taken('10.0.0.1', 9)).to.equal(5);
  });

  it('are told when to come again', () => {
    const clock = new SimulatedClock();
    const rates = new RequestRates({ burst: 1, requestsPerSecond: 0.1 }, clock);
    rates.take('a');
    clock.jump(2_500);
    try {
      rates.take('a');
      expect.fail('it was taken');
    } catch (error) {
      expect(error).to.be.instanceOf(Refusal).with.deep.property('headers', { 'retry-after': '8' });
    }
    clock.jump(8_000);
    rates.take('a');
  });

  it('are counted apart from those of others, and together in a network of IPv6', () => {
    const { taken } = setUp();
    expect(['10.0.0.1', '10.0.0.2'].map((address) => taken(address, 9))).to.deep.equal([5, 5]);
    const network = ['2001:db8::1', '2001:db8:0:0:7::2', '2001:db8:0:0:1:2:3:4', '2001:db8:0:1::1', '::1'];
    expect(network.map((address) => taken(address, 3))).to.deep.equal([3, 2, 0, 3, 3]);
  });

  it('are forgotten of the address that asked longest ago, when there are too many', () => {
    const { taken } = setUp();
    expect(taken('first', 9) + taken('second', 9)).to.equal(10);
    // `first` asks again, in vain: it is not the one to be forgotten.
    expect(taken('first', 1)).to.equal(0);
    for (let address = 0; address < 9_999; address++) {
      taken(String(address), 1);
    }
    expect([taken('first', 1), taken('second', 1)]).to.deep.equal([0, 1]);
  });
});

describe('slots', () => {
  it('are given back once each', () => {
    const slots = new Slots(2, 'things under way');
    const [first] = [slots.take(), slots.take()];
    expect(() => slots.take()).to.throw('there are 2 things under way');
    first();
    first();
    slots.take();
    expect(() => slots.take()).to.throw(Refusal);
  });
});
