import { expect } from 'chai';
import { openOwnedWriter } from '../../src/actors/owned-writer.ts';
import type { Broker, Membership, Writer } from '../../src/broker/broker.ts';
import { BrokerError, NotOwnerError } from '../../src/broker/errors.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

const membership: Membership = { group: 'group', owned: [3], leave: () => Promise.resolve() };

interface Opening {
  readonly tries: () => number;
  readonly opened: Promise<Writer>;
}

describe('opening the writer of an owned partition', () => {
  let clock: SimulatedClock;
  let stop: AbortController;
  let closed: number;

  beforeEach(() => {
    clock = new SimulatedClock();
    stop = new AbortController();
    closed = 0;
  });

  function open(answer: (tries: number) => Promise<Writer>, member: Membership | undefined): Opening {
    let tries = 0;
    const broker = {
      openWriter: () => {
        tries++;
        return answer(tries);
      },
    } as unknown as Broker;
    const opened = openOwnedWriter(
      broker,
      'publisher-3',
      { partition: 3, membership: member },
      { clock, log: silentLogger, signal: stop.signal },
    );
    opened.catch(() => undefined);
    return { tries: () => tries, opened };
  }

  const writer = {
    close: () => {
      closed++;
      return Promise.resolve();
    },
  } as unknown as Writer;
  const refused = (): Promise<Writer> => Promise.reject(new NotOwnerError('not yours'));
  const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

  async function pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await new Promise(setImmediate);
      await clock.advance(1_000);
    }
    await new Promise(setImmediate);
  }

  it('waits while the group does not confirm it: a rebalance costs no restart', async () => {
    const { opened, tries } = open((n) => (n < 4 ? refused() : Promise.resolve(writer)), membership);
    await pass(5);
    expect(await opened).to.equal(writer);
    expect(tries()).to.equal(4);
  });

  it('does not wait for ever: a claim that is never confirmed fails', async () => {
    const { opened, tries } = open(refused, membership);
    await pass(100);
    expect(await failureOf(opened)).to.be.instanceOf(NotOwnerError);
    expect(tries()).to.be.within(80, 100);
  });

  it('ends when told to, also in the middle of a pause', async () => {
    const { opened, tries } = open(refused, membership);
    await pass(2);
    stop.abort();
    expect(await failureOf(opened)).to.equal(stop.signal.reason);
    expect(tries()).to.be.lessThan(4);
  });

  it('closes a writer that comes after that', async () => {
    let answer: (late: Writer) => void = () => undefined;
    const { opened } = open(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      membership,
    );
    stop.abort();
    expect(await failureOf(opened)).to.equal(stop.signal.reason);
    answer(writer);
    await new Promise(setImmediate);
    expect(closed).to.equal(1);
  });

  it('does not wait where no group will ever say more, nor with other failures', async () => {
    expect(await failureOf(open(refused, undefined).opened)).to.be.instanceOf(NotOwnerError);
    const broken = open(() => Promise.reject(new BrokerError('broken')), membership);
    expect(await failureOf(broken.opened)).to.have.property('message', 'broken');
    expect(broken.tries()).to.equal(1);
  });
});
