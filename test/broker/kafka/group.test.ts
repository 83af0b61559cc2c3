import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import kafkajs from 'kafkajs';
import type { AssignmentListener } from '../../../src/broker/broker.ts';
import { BrokerError, NotOwnerError } from '../../../src/broker/errors.ts';
import { joinGroup, type JoinGroupOptions, type KafkaMembership } from '../../../src/broker/kafka/group.ts';
import { KafkaConnections } from '../../../src/broker/kafka/kafkajs.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import { useKafka, useOwnKafka } from '../../support/kafka.ts';
import { Processes } from '../../support/processes.ts';
import { within } from '../../support/within.ts';
import { eventually, failure, pause } from '../helpers.ts';
import { KafkaPlace, SESSION_MS } from './fixtures.ts';
import { Ledger, Member } from './members.ts';
import { Proxy } from './proxy.ts';

const API = { heartbeat: 12, join: 11, sync: 14 } as const;
/** Of what is to happen long before a session ends: nobody waits for it to end. */
const LONG_SESSION_MS = 120_000;
const SHARED_WITHIN_MS = 45_000;

describe('membership of a consumer group', function () {
  this.timeout(150_000);
  let brokers: () => readonly string[];
  let place: KafkaPlace;
  let ledger: Ledger;
  let proxies: Proxy[];
  let memberships: KafkaMembership[];
  const processes = new Processes();

  beforeEach(() => {
    ledger = new Ledger();
    proxies = [];
    memberships = [];
  });

  afterEach(async () => {
    for (const proxy of proxies) {
      proxy.judge = () => 'pass';
      proxy.comeBack();
    }
    await processes.killAll();
    await Promise.all(memberships.map((membership) => membership.leave()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await place.dispose();
    expect(ledger.violations).to.deep.equal([]);
  });

  async function proxied(): Promise<Proxy> {
    const proxy = await Proxy.listen();
    proxies.push(proxy);
    return proxy;
  }

  function options(member: Member, proxy?: Proxy, sessionTimeoutMs = SESSION_MS): JoinGroupOptions {
    return {
      connections: new KafkaConnections({
        brokers: brokers(),
        clientId: 'geoflock-test',
        log: silentLogger,
        ...(proxy === undefined ? {} : { socketFactory: proxy.socketFactory }),
      }),
      groupId: place.named('g'),
      topic: place.named('log'),
      partitions: 2,
      sessionTimeoutMs,
      rebalanceTimeoutMs: 60_000,
      fingerprint: 'same',
      listener: member,
      clock: systemClock,
      log: silentLogger,
    };
  }

  async function join(member: Member, proxy?: Proxy, sessionMs = SESSION_MS): Promise<KafkaMembership> {
    const membership = await joinGroup(options(member, proxy, sessionMs));
    memberships.push(membership);
    return membership;
  }

  async function shares(...expected: readonly (readonly [Member, number])[]): Promise<void> {
    await eventually(() => {
      expect(expected.map(([{ owned }]) => owned.length)).to.deep.equal(expected.map(([, share]) => share));
    }, SHARED_WITHIN_MS);
  }

  describe('on a Kafka that others use too', () => {
    const shared = useKafka();

    beforeEach(async () => {
      brokers = shared;
      place = new KafkaPlace(shared());
      await place.outsider.administer((admin) =>
        admin.createTopics({
          topics: [{ topic: place.named('log'), numPartitions: 2 }],
          waitForLeaders: false,
        }),
      );
    });

    it('lets an owner confirm what it keeps while a rebalance waits for another member', async () => {
      const [a, b] = [new Member('a', ledger), new Member('b', ledger)];
      const ofA = await join(a);
      await join(b);
      await shares([a, 1], [b, 1]);
      // Its first share may be seen before `a` has heard the end of that round.
      await eventually(() => {
        expect(ofA.state).to.equal('stable');
      });
      // A third member waits in its join, for `b` is silent on all that would end the round.
      let letGo = (): void => undefined;
      b.revocation = () => new Promise((resolve) => (letGo = resolve));
      const leaving = memberships[1]?.leave();
      const c = new Member('c', ledger);
      const joining = join(c);
      try {
        await eventually(() => {
          expect(ofA.state).to.equal('joining');
        });
        const [kept = -1] = a.owned;
        await ofA.confirm(kept);
        expect(ofA.state).to.equal('joining');
        expect(await failure(ofA.confirm(1 - kept))).to.be.instanceOf(NotOwnerError);
      } finally {
        letGo();
      }
      await Promise.all([leaving, joining]);
      await shares([a, 1], [b, 0], [c, 1]);
      expect(a.events).to.have.lengthOf.at.most(4);
    });

    it('takes back at once what a member leaves that has not yet been told of its share', async () => {
      const [a, b] = [new Member('a', ledger), new Member('b', ledger)];
      const { group } = await join(a, undefined, LONG_SESSION_MS);
      await (await join(b, undefined, LONG_SESSION_MS)).leave();
      // What `a` owns is all of it before the first round, too: Kafka says when the last one is over.
      await place.outsider.administer((admin) =>
        eventually(async () => {
          const { groups } = await admin.describeGroups([group]);
          expect([groups[0]?.state, groups[0]?.members.length]).to.deep.equal(['Stable', 1]);
        }, SHARED_WITHIN_MS),
      );
      await shares([a, 2], [b, 0]);
    });

    // The silence may end with a question of the member's still in it: that one is lost, and no answer comes.
    for (const lostLast of [0, 1, 2]) {
      it(`knows that it lost its partitions when its coordinator falls silent, before others get them; loses ${String(lostLast)} more`, async () => {
        const [a, b] = [new Member('a', ledger), new Member('b', ledger)];
        const proxy = await proxied();
        const ofA = await join(a, proxy);
        await join(b);
        await shares([a, 1], [b, 1]);
        const [partition = -1] = a.owned;
        let toLose = Infinity;
        proxy.judge = () => (toLose-- > 0 ? new Promise(() => undefined) : 'pass');
        expect(await failure(ofA.confirm(partition))).to.be.instanceOf(NotOwnerError);
        expect(b.owned, 'nobody else has it yet').not.to.include(partition);
        await shares([a, 0], [b, 2]);
        // It comes back by itself, soon after the coordinator does.
        toLose = lostLast;
        await eventually(() => {
          expect(toLose).to.be.at.most(0);
        });
        await shares([a, 1], [b, 1]);
        expect(a.errors).to.deep.equal([]);
      });
    }

    it('loses nothing when its connection goes silent while the broker is there', async () => {
      const a = new Member('a', ledger);
      const proxy = await proxied();
      const sessionMs = 10_000;
      const membership = await join(a, proxy, sessionMs);
      // One answer never comes, nor what follows it on that connection; new ones work.
      let silent = true;
      proxy.judge = (frame) => {
        if (silent && frame.apiKey === API.heartbeat && frame.kind === 'reply') {
          silent = false;
          return new Promise(() => undefined);
        }
        return 'pass';
      };
      await pause(1.5 * sessionMs);
      expect(silent).to.equal(false);
      expect(a.events).to.deep.equal(['assigned 0', 'assigned 1']);
      await membership.confirm(0);
    });

    // A new member asks twice to join: the first answer gives it its id. Where that one is lost, nobody knows
    // the member that the coordinator then waits for, until a session has passed.
    const losses = [
      { what: 'request to get an id', kind: 'request', apiKey: API.join, nth: 1, sessionMs: LONG_SESSION_MS },
      { what: 'answer with its id', kind: 'reply', apiKey: API.join, nth: 1, sessionMs: SESSION_MS },
      { what: 'request to join', kind: 'request', apiKey: API.join, nth: 2, sessionMs: LONG_SESSION_MS },
      { what: 'answer that it joined', kind: 'reply', apiKey: API.join, nth: 2, sessionMs: LONG_SESSION_MS },
      { what: 'request to sync', kind: 'request', apiKey: API.sync, nth: 1, sessionMs: LONG_SESSION_MS },
      { what: 'assignment', kind: 'reply', apiKey: API.sync, nth: 1, sessionMs: LONG_SESSION_MS },
    ] as const;
    for (const { apiKey, kind, nth, sessionMs, what } of losses) {
      it(`joins though the ${what} is lost with its connection`, async () => {
        const [a, b] = [new Member('a', ledger), new Member('b', ledger)];
        await join(a, undefined, sessionMs);
        const proxy = await proxied();
        let seen = 0;
        proxy.judge = (frame) =>
          frame.kind === kind && frame.apiKey === apiKey && ++seen === nth ? 'cut' : 'pass';
        await join(b, proxy, sessionMs);
        await shares([a, 1], [b, 1]);
        expect(seen).to.be.greaterThan(nth);
        expect([...a.errors, ...b.errors]).to.deep.equal([]);
      });
    }

    it('keeps what it owns when the answer to joining again is lost', async () => {
      const [a, b] = [new Member('a', ledger), new Member('b', ledger)];
      const proxy = await proxied();
      await join(a, proxy, LONG_SESSION_MS);
      const lost = proxy.cutOnce('reply', API.join);
      await join(b, undefined, LONG_SESSION_MS);
      await shares([a, 1], [b, 1]);
      expect(lost()).to.equal(true);
      expect(a.events.filter((event) => event.startsWith('revoked'))).to.have.lengthOf(1);
    });

    it('leaves within a session also when its coordinator is away', async () => {
      const a = new Member('a', ledger);
      const proxy = await proxied();
      const membership = await join(a, proxy, LONG_SESSION_MS);
      proxy.goAway();
      await within(LONG_SESSION_MS, 'leaving', membership.leave());
      expect([a.owned, membership.owned, membership.state]).to.deep.equal([[], [], 'left']);
    });

    it('refuses to act for its partitions after a sleep longer than its session', async () => {
      const child = processes.add(
        spawn(
          process.execPath,
          [
            '--import',
            'tsx',
            fileURLToPath(new URL('member-process.ts', import.meta.url)),
            brokers().join(),
            place.named('g'),
            place.named('log'),
            String(SESSION_MS),
          ],
          { stdio: 'pipe' },
        ),
      );
      let told = '';
      child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
      await eventually(() => {
        expect(told).to.equal('assigned 0,1\n');
      });
      child.stdin.write('before\n');
      await eventually(() => {
        expect(told).to.contain('before owner\n');
      });
      child.kill('SIGSTOP');
      const b = new Member('b', ledger);
      await join(b);
      await shares([b, 2]);
      told = '';
      child.stdin.write('after\n');
      child.kill('SIGCONT');
      await eventually(() => {
        expect(told).to.contain('after NotOwnerError\n');
        expect(told).to.contain('revoked 0,1\n');
      });
      // It takes part again, as a new member.
      await shares([b, 1]);
      await eventually(() => {
        expect(told).to.match(/assigned [01]\n$/);
      });
      expect(told).not.to.contain('failed');
    });

    it('shows its members, assignments and offsets to the tools of Kafka', async () => {
      const a = new Member('a', ledger);
      const membership = await join(a, undefined, LONG_SESSION_MS);
      await Promise.all([membership.commitOffset(0, 5), membership.commitOffset(1, 7)]);
      await place.outsider.administer(async (admin) => {
        const { groups } = await admin.describeGroups([membership.group]);
        expect(groups[0]).to.deep.include({ state: 'Stable', protocolType: 'consumer' });
        const assignment = groups[0]?.members[0]?.memberAssignment ?? Buffer.alloc(0);
        expect(kafkajs.AssignerProtocol.MemberAssignment.decode(assignment)?.assignment).to.deep.equal({
          [place.named('log')]: [0, 1],
        });
        const offsets = await admin.fetchOffsets({ groupId: membership.group });
        expect(offsets[0]?.partitions.map(({ offset }) => offset)).to.have.members(['5', '7']);
      });
    });

    it('does not take part in a group of others, and says so', async () => {
      const kafka = new kafkajs.Kafka({ brokers: [...brokers()], logLevel: kafkajs.logLevel.NOTHING });
      const consumer = kafka.consumer({
        groupId: place.named('g'),
        heartbeatInterval: 500,
        maxWaitTimeInMs: 100,
      });
      await consumer.connect();
      // kafkajs does not wait for the leaders of a topic that is new.
      await eventually(() => consumer.subscribe({ topic: place.named('log') }));
      const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve));
      await consumer.run({ eachMessage: () => Promise.resolve() });
      await joined;
      const refused = await failure(join(new Member('a', ledger)));
      await consumer.disconnect();
      expect(refused).to.be.instanceOf(BrokerError);
      expect(String(refused))
        .to.match(/not of Geoflock.*another group/)
        .and.contain(place.named('g'));
    });

    it('names the limits of the broker that a session timeout exceeds', async () => {
      const a = new Member('a', ledger);
      const refused = await failure(joinGroup({ ...options(a), sessionTimeoutMs: 500 }));
      expect(String(refused)).to.match(/session timeout 500 ms.*group\.min\.session\.timeout\.ms/);
    });

    it('fails, and leaves, when the listener fails', async () => {
      const told: string[] = [];
      const failing: AssignmentListener = {
        assigned: () => Promise.reject(new Error('no room')),
        revoked: (partitions) => Promise.resolve(void told.push(`revoked ${partitions.join()}`)),
        failed: (error) => told.push(error.message),
      };
      const ofA = options(new Member('a', ledger), undefined, LONG_SESSION_MS);
      const refused = await failure(joinGroup({ ...ofA, listener: failing }));
      expect(String(refused)).to.contain('no room');
      const b = new Member('b', ledger);
      await join(b, undefined, LONG_SESSION_MS);
      await shares([b, 2]);
      // It may have taken some before it failed.
      expect(told).to.deep.equal(['revoked 0,1']);
    });

    it('tells a member that is refused later, whose configuration is of the fewer', async () => {
      const [a, b] = [new Member('a', ledger), new Member('b', ledger)];
      const ofA = await join(a, undefined, LONG_SESSION_MS);
      const ofB = options(b, undefined, LONG_SESSION_MS);
      const refused = await failure(joinGroup({ ...ofB, fingerprint: 'other' }));
      expect(String(refused)).to.contain('2 partitions, other').and.contain('2 partitions, same');
      await ofA.confirm(0);
      expect(a.events).to.deep.equal(['assigned 0', 'assigned 1']);
      expect(a.errors).to.deep.equal([]);
    });
  });

  describe('on a Kafka that is killed', () => {
    const own = useOwnKafka();

    it('goes on by itself when its coordinator is back', async function () {
      this.timeout(300_000);
      brokers = () => own().brokers;
      place = new KafkaPlace(brokers());
      await place.outsider.administer((admin) =>
        admin.createTopics({ topics: [{ topic: place.named('log'), numPartitions: 2 }] }),
      );
      const [a, b] = [new Member('a', ledger), new Member('b', ledger)];
      await join(a);
      await join(b);
      await shares([a, 1], [b, 1]);
      await own().kill();
      await shares([a, 0], [b, 0]);
      await own().startAgain();
      await shares([a, 1], [b, 1]);
      expect([...a.errors, ...b.errors]).to.deep.equal([]);
    });
  });
});
