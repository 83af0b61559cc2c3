import { expect } from 'chai';
import { OneLookup, type Resolve } from '../../src/metrics/one-lookup.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

describe('looking a host up', () => {
  let clock: SimulatedClock;
  let asked: ((error: Error | null, address?: string) => void)[];
  let answers: string[];
  let lookup: OneLookup;

  beforeEach(() => {
    clock = new SimulatedClock();
    asked = [];
    answers = [];
    const resolve: Resolve = (_host, family, done) => {
      asked.push((error, address = '') => {
        done(error, address, family);
      });
    };
    lookup = new OneLookup(resolve, clock);
  });

  function ask(host = 'statsd'): void {
    lookup.ask(host, 4, (error, address, family) => {
      answers.push(error === null ? `${address} ${String(family)}` : error.message);
    });
  }

  it('takes an address for what it is', () => {
    ask('192.0.2.1');
    ask('::1');
    expect(answers).to.deep.equal(['192.0.2.1 4', '::1 6']);
    expect(asked).to.have.length(0);
  });

  it('asks once for all who wait, and again after a minute', () => {
    ask();
    ask();
    expect(asked).to.have.length(1);
    asked[0]?.(null, '192.0.2.1');
    ask();
    expect(answers).to.deep.equal(['192.0.2.1 4', '192.0.2.1 4', '192.0.2.1 4']);
    clock.jump(60_000);
    ask();
    expect(asked).to.have.length(2);
    asked[1]?.(null, '192.0.2.2');
    expect(answers.at(-1)).to.equal('192.0.2.2 4');
    expect(clock.pending, 'timers left').to.equal(0);
  });

  it('asks anew after an error', () => {
    ask();
    asked[0]?.(new Error('ENOTFOUND'));
    ask();
    expect(asked).to.have.length(2);
    expect(answers).to.deep.equal(['ENOTFOUND']);
  });

  it('lets nobody wait for long, and has one question open all the same', () => {
    ask();
    clock.jump(5_000);
    expect(answers).to.deep.equal(['no address of statsd within 5 s']);
    ask();
    expect(asked).to.have.length(1);
    asked[0]?.(null, '192.0.2.1');
    expect(answers.at(-1)).to.equal('192.0.2.1 4');
    expect(clock.pending, 'timers left').to.equal(0);
  });

  it('lets no more than 64 wait', () => {
    for (let datagram = 0; datagram < 70; datagram++) {
      ask();
    }
    expect(answers).to.deep.equal(Array(6).fill('statsd has no address yet'));
    lookup.abandon();
    expect(answers).to.have.length(70);
    asked[0]?.(null, '192.0.2.1');
    expect(answers).to.have.length(70);
  });
});
