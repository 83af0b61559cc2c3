import { expect } from 'chai';
import type { Broker } from '../../../src/broker/broker.ts';
import { FencedError, NotOwnerError } from '../../../src/broker/errors.ts';
import type { KafkaBrokerOptions } from '../../../src/broker/kafka/broker.ts';
import { useKafka } from '../../support/kafka.ts';
import { eventually, failure, pause } from '../helpers.ts';
import { KafkaPlace, SESSION_MS } from './fixtures.ts';
import { Ledger, Member } from './members.ts';
import { Proxy } from './proxy.ts';

const PARTITIONS = 6;
/** Of what is told at once: nobody waits for it to end. */
const SHORT_SESSION = { sessionTimeoutMs: SESSION_MS } as const;
const LONG_SESSION = { sessionTimeoutMs: 120_000 } as const;
const HEARTBEAT = 12;

describe('a group on Kafka', function () {
  this.timeout(150_000);
  const brokers = useKafka();
  let place: KafkaPlace;
  let ledger: Ledger;
  let opened: Broker[];
  let proxies: Proxy[];
  let members: Member[];

  beforeEach(() => {
    place = new KafkaPlace(brokers());
    ledger = new Ledger();
    opened = [];
    proxies = [];
    members = [];
  });

  afterEach(async () => {
    for (const proxy of proxies) {
      proxy.comeBack();
    }
    await Promise.all(opened.map((broker) => broker.close()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await place.dispose();
    expect(ledger.violations).to.deep.equal([]);
  });

  async function open(overrides: Partial<KafkaBrokerOptions> = {}): Promise<Broker> {
    const broker = await place.open(overrides);
    opened.push(broker);
    await broker.declareTopics([{ name: place.named('log'), kind: 'log', partitions: PARTITIONS }]);
    return broker;
  }

  async function joined(
    name: string,
    overrides: Partial<KafkaBrokerOptions> = {},
  ): Promise<{ member: Member; broker: Broker }> {
    const broker = await open(overrides);
    const member = new Member(name, ledger);
    members.push(member);
    await member.join(broker, place.named('g'), place.named('log'));
    return { member, broker };
  }

  /** Resolves when the members own so many partitions each, and all are owned. */
  async function shares(...expected: readonly (readonly [Member, number])[]): Promise<void> {
    await eventually(() => {
      expect(ledger.owners.size).to.equal(PARTITIONS);
      expect(expected.map(([member]) => member.owned.length)).to.deep.equal(
        expected.map(([, share]) => share),
      );
      for (const [member] of expected) {
        expect([...member.membership.owned].sort()).to.deep.equal(member.owned);
      }
    }, 45_000);
  }

  it('hands over in two steps: the former owner lets go first, and all else stays where it is', async () => {
    const { member: a } = await joined('a', SHORT_SESSION);
    await shares([a, 6]);
    let letGo = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    a.revocation = () => gate;
    const { member: b } = await joined('b', SHORT_SESSION);
    await eventually(() => {
      expect(a.events.filter((event) => event.startsWith('revoking'))).to.have.length(3);
    });
    // Longer than a session: heartbeats go on while it lets go, and it keeps the rest.
    await pause(SESSION_MS + 1_000);
    expect(b.owned).to.deep.equal([]);
    expect(a.membership.owned).to.have.length.at.least(3);
    letGo();
    await shares([a, 3], [b, 3]);
    expect(a.events.filter((event) => event.startsWith('assigned'))).to.have.length(6);
    expect([...a.errors, ...b.errors]).to.deep.equal([]);
  });

  it('shares evenly among many, moves no more than it must, and takes back what they leave', async () => {
    const { member: a } = await joined('a', LONG_SESSION);
    const { member: b } = await joined('b', LONG_SESSION);
    await shares([a, 3], [b, 3]);
    const [ofA, ofB] = [a.owned, b.owned];
    const { member: c } = await joined('c', LONG_SESSION);
    await shares([a, 2], [b, 2], [c, 2]);
    expect(ofA).to.include.members([...a.owned]);
    expect(ofB).to.include.members([...b.owned]);
    await c.membership.leave();
    await b.membership.leave();
    // Told, not found out when a session is over.
    await shares([a, 6], [b, 0], [c, 0]);
    expect(c.membership.owned).to.deep.equal([]);
  });

  it('takes over from a member that is not heard of, after it has let go by itself', async () => {
    const proxy = await Proxy.listen();
    proxies.push(proxy);
    const { socketFactory } = proxy;
    const { broker, member: a } = await joined('a', { ...SHORT_SESSION, socketFactory });
    const { broker: other, member: b } = await joined('b', SHORT_SESSION);
    await shares([a, 3], [b, 3]);
    const [partition = -1] = a.owned;
    const writer = await broker.openWriter(`rows-${String(partition)}`, {
      membership: a.membership,
      partition,
    });
    const began = Date.now();
    proxy.goAway();
    await shares([a, 0], [b, 6]);
    expect(Date.now() - began).to.be.at.least(SESSION_MS - 1_000);
    expect(a.errors).to.deep.equal([]);

    // Once it is back it owns nothing of before: it is refused, and then given a share like a new member.
    const claim = { membership: b.membership, partition };
    const owner = await other.openWriter(`rows-${String(partition)}`, claim);
    a.events.length = 0;
    proxy.comeBack();
    expect(await failure(writer.begin().commit())).to.be.instanceOf(FencedError);
    await shares([a, 3], [b, 3]);
    if (b.owned.includes(partition)) {
      const stale = { membership: a.membership, partition };
      expect(await failure(broker.openWriter(writer.name, stale))).to.be.instanceOf(NotOwnerError);
      await owner.begin().commit();
    }
  });

  it('changes nothing when its coordinator is away for less than a session', async () => {
    const proxy = await Proxy.listen();
    proxies.push(proxy);
    const { member: a } = await joined('a', { ...LONG_SESSION, socketFactory: proxy.socketFactory });
    const { member: b } = await joined('b', LONG_SESSION);
    await shares([a, 3], [b, 3]);
    const before = [a.events.length, b.events.length];
    proxy.goAway();
    const asked = proxy.accepted;
    await eventually(() => {
      expect(proxy.accepted, 'it has found its coordinator away').to.be.greaterThan(asked + 2);
    });
    const beaten = proxy.requests.get(HEARTBEAT) ?? 0;
    proxy.comeBack();
    await eventually(() => {
      expect(proxy.requests.get(HEARTBEAT), 'it is heard of again').to.be.greaterThan(beaten + 1);
    });
    expect([a.events.length, b.events.length]).to.deep.equal(before);
  });

  it('refuses members of different configuration, and tells both what they have', async () => {
    const { member: a } = await joined('a', { fingerprint: 'regions at level 3' });
    await shares([a, 6]);
    const b = new Member('b', ledger);
    const broker = await open({ fingerprint: 'regions at level 4' });
    const refused = await failure(b.join(broker, place.named('g'), place.named('log')));
    await eventually(() => {
      const told = [...b.errors, ...(refused instanceof Error ? [refused] : [])];
      expect(told.length).to.be.at.least(1);
      expect(told[0]?.message).to.contain('level 3').and.contain('level 4');
    });
    expect(b.owned).to.deep.equal([]);
  });

  it('leaves a member that leaves while another joins with nothing', async () => {
    const { member: a } = await joined('a');
    await shares([a, 6]);
    const joining = joined('b');
    await a.membership.leave();
    const { member: b } = await joining;
    await shares([b, 6]);
    expect(a.owned).to.deep.equal([]);
  });
});
