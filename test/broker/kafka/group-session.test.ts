import { expect } from 'chai';
import type { Identity } from '../../../src/broker/kafka/group-requests.ts';
import { type Coordinator, GroupSession } from '../../../src/broker/kafka/group-session.ts';
import { BrokerUnavailableError } from '../../../src/broker/errors.ts';
import { errorOfCode } from '../../../src/broker/kafka/kafkajs.ts';
import { settle, SimulatedClock } from '../../support/simulated-clock.ts';

const SESSION_MS = 10_000;
const ILLEGAL_GENERATION = 22;
const UNKNOWN_MEMBER_ID = 25;
const REBALANCE_IN_PROGRESS = 27;
const GROUP_AUTHORIZATION_FAILED = 30;
const GROUP_LOAD_IN_PROGRESS = 14;

describe('session of a member of a group', () => {
  let clock: SimulatedClock;
  let told: string[];
  let heartbeats: Identity[];
  let restarts: number;
  /** What the coordinator says: 0 is fine, a code is an error, undefined is nothing at all. */
  let answer: number | undefined;
  let delayMs: number;
  let session: GroupSession;

  beforeEach(() => {
    clock = new SimulatedClock();
    told = [];
    heartbeats = [];
    restarts = 0;
    answer = 0;
    delayMs = 0;
    session = new GroupSession(
      coordinator(),
      { memberId: 'm', generation: 4 },
      { clock, sessionTimeoutMs: SESSION_MS },
      {
        rebalance: () => told.push('rebalance'),
        lost: (reason, expelled) => told.push(`lost${expelled ? ', expelled' : ''}: ${reason}`),
        refused: (error) => told.push(`refused: ${error.message}`),
      },
    );
  });

  afterEach(async () => {
    session.end();
    await settle();
    expect(clock.pending, 'timers that are left').to.equal(0);
  });

  function coordinator(): Coordinator {
    return {
      heartbeat: async (identity) => {
        heartbeats.push(identity);
        const [code, delay] = [answer, delayMs];
        await new Promise<void>((resolve) => {
          clock.after(delay, resolve);
        });
        if (code === undefined) {
          throw new BrokerUnavailableError('silence');
        }
        if (code !== 0) {
          throw errorOfCode(code);
        }
      },
      restartJoin: () => {
        restarts++;
      },
    };
  }

  it('lasts while heartbeats are answered, five in a session', async () => {
    await clock.advance(10 * SESSION_MS);
    expect(told).to.deep.equal([]);
    expect(session.over).to.equal(false);
    expect(heartbeats.length).to.be.within(49, 51);
  });

  it('hears of a rebalance within two seconds, however long it may last', async () => {
    session.end();
    session = new GroupSession(
      coordinator(),
      { memberId: 'm', generation: 4 },
      { clock, sessionTimeoutMs: 300_000 },
      { rebalance: () => told.push('rebalance'), lost: () => undefined, refused: () => undefined },
    );
    await clock.advance(60_000);
    answer = REBALANCE_IN_PROGRESS;
    await clock.advance(2_000);
    expect(told).to.deep.equal(['rebalance']);
  });

  it('is over a session after the last heartbeat that was answered was sent', async () => {
    delayMs = 500;
    await clock.advance(2_600);
    expect(heartbeats).to.have.lengthOf(1); // sent at 2000, answered at 2500
    answer = undefined;
    await clock.advance(2_000 + SESSION_MS - 2_600 - 1);
    expect(told).to.deep.equal([]);
    await clock.advance(1);
    expect(told).to.deep.equal(['lost: no heartbeat was answered for 10000 ms']);
    expect(session.over).to.equal(true);
    const sent = heartbeats.length;
    await clock.advance(SESSION_MS);
    expect(heartbeats).to.have.lengthOf(sent);
    expect(told).to.have.lengthOf(1);
  });

  it('is over when the process slept, though an answer of before is still to be read', async () => {
    await clock.advance(2_000 - 1);
    delayMs = 5;
    await clock.advance(1);
    clock.jump(SESSION_MS + 5);
    await settle();
    expect(told).to.deep.equal(['lost: no heartbeat was answered for 10000 ms']);
    expect(await session.confirm()).to.equal(false);
  });

  it('lasts while the coordinator tells of a rebalance', async () => {
    answer = REBALANCE_IN_PROGRESS;
    await clock.advance(3 * SESSION_MS);
    expect(session.over).to.equal(false);
    expect([...new Set(told)]).to.deep.equal(['rebalance']);
  });

  it('outlives a coordinator that is loading, but not for longer than a session', async () => {
    answer = GROUP_LOAD_IN_PROGRESS;
    await clock.advance(SESSION_MS - 1_000);
    answer = 0;
    await clock.advance(SESSION_MS);
    expect(told).to.deep.equal([]);
    answer = GROUP_LOAD_IN_PROGRESS;
    await clock.advance(SESSION_MS);
    expect(told).to.deep.equal(['lost: no heartbeat was answered for 10000 ms']);
  });

  it('is over at once when the group does not know the member any more', async () => {
    answer = UNKNOWN_MEMBER_ID;
    await clock.advance(2_000);
    expect(told).to.deep.equal(['lost, expelled: the group went on without this member']);
  });

  it('is over at once when the group is a generation ahead and no join is under way', async () => {
    answer = ILLEGAL_GENERATION;
    await clock.advance(2_000);
    expect(told).to.deep.equal(['lost: the group is a generation ahead']);
  });

  it('lasts while the answer to a join is on its way, and goes on in the new generation', async () => {
    session.joining();
    answer = ILLEGAL_GENERATION;
    await clock.advance(3_000);
    expect(told).to.deep.equal([]);
    session.joined({ memberId: 'm', generation: 5 });
    answer = 0;
    await clock.advance(SESSION_MS);
    expect(told).to.deep.equal([]);
    expect(heartbeats.at(-1)?.generation).to.equal(5);
    expect(restarts).to.equal(0);
  });

  it('has a join made anew whose answer does not come', async () => {
    session.joining();
    answer = ILLEGAL_GENERATION;
    await clock.advance(2_000 + SESSION_MS / 2 + 500);
    expect(restarts).to.equal(1);
    expect(told).to.deep.equal([]);
  });

  it('passes over what is said of a generation that has passed meanwhile', async () => {
    session.joining();
    answer = REBALANCE_IN_PROGRESS;
    delayMs = 50;
    await clock.advance(2_010);
    session.joined({ memberId: 'm', generation: 5 });
    answer = 0;
    await clock.advance(100);
    expect(told).to.deep.equal([]);
  });

  it('is refused for good where a right is missing', async () => {
    answer = GROUP_AUTHORIZATION_FAILED;
    await clock.advance(2_000);
    expect(told).to.have.lengthOf(1);
    expect(told[0]).to.match(/^refused: .*GROUP_AUTHORIZATION_FAILED.*kafka-acls/);
  });

  describe('confirmed', () => {
    it('asks at once, and does not wait for a rebalance', async () => {
      answer = REBALANCE_IN_PROGRESS;
      const confirmed = session.confirm();
      await clock.advance(0);
      expect(heartbeats).to.have.lengthOf(1);
      expect(await confirmed).to.equal(true);
    });

    it('asks again until it is answered', async () => {
      answer = undefined;
      const confirmed = session.confirm();
      await clock.advance(1_000);
      answer = 0;
      await clock.advance(1_000);
      expect(await confirmed).to.equal(true);
    });

    it('ends with the session', async () => {
      answer = undefined;
      const confirmed = session.confirm();
      await clock.advance(SESSION_MS);
      expect(await confirmed).to.equal(false);
    });

    it('is false for a member that the group does not know', async () => {
      answer = UNKNOWN_MEMBER_ID;
      const confirmed = session.confirm();
      await clock.advance(1);
      expect(await confirmed).to.equal(false);
    });
  });
});
