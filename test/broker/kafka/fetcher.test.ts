import { expect } from 'chai';
import { TopicLostError } from '../../../src/broker/errors.ts';
import { PartitionFeed } from '../../../src/broker/kafka/feed.ts';
import { Fetcher } from '../../../src/broker/kafka/fetcher.ts';
import type { Logger } from '../../../src/system/logger.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { listeningLogger } from './fixtures.ts';
import { SimulatedBroker } from './simulated-broker.ts';
import { TOPIC } from './simulated-log.ts';

describe('the fetcher', () => {
  let clock: SimulatedClock;
  let broker: SimulatedBroker;
  let fetcher: Fetcher;
  let lines: string[];
  let log: Logger;

  beforeEach(() => {
    clock = new SimulatedClock();
    broker = new SimulatedBroker();
    lines = [];
    log = listeningLogger(lines);
    fetcher = new Fetcher({ connections: broker, clock, log });
  });

  afterEach(() => {
    fetcher.close();
  });

  function open(partition: number, offset = 0): PartitionFeed {
    const feed = new PartitionFeed({ topic: TOPIC, partition, offset, fetcher, log });
    feed.fetchUpTo(Number.POSITIVE_INFINITY);
    return feed;
  }

  /** Lets what is under way come to the broker. */
  async function settle(): Promise<void> {
    await clock.advance(10);
  }

  it('asks once for all that want something, at first without waiting, then waiting', async () => {
    open(0);
    open(1);
    await settle();
    expect(broker.summary()).to.deep.equal(['prompt 0@0 1@0']);
    broker.answer();
    await settle();
    expect(broker.summary()).to.deep.equal(['waiting 0@0 1@0']);
  });

  it('asks for a reader that comes while a fetch waits at once, over the other connection', async () => {
    open(0);
    await settle();
    broker.answer();
    await settle();
    const late = open(1);
    broker.log(1).append(0, ['here']);
    await settle();
    expect(broker.summary()).to.deep.equal(['waiting 0@0', 'prompt 1@0']);
    broker.answer('prompt');
    await settle();
    expect(late.ready).to.equal(true);
  });

  it('does not miss a reader that asks in the very moment in which nobody else wants anything', async () => {
    broker.log(0).append(0, ['here']);
    for (let microtasks = 0; microtasks < 20; microtasks++) {
      const own = new Fetcher({ connections: broker, clock, log });
      const feed = new PartitionFeed({ topic: TOPIC, partition: 0, offset: 0, fetcher: own, log });
      const askLater = async (): Promise<void> => {
        for (let passed = 0; passed < microtasks; passed++) {
          await Promise.resolve();
        }
        feed.fetchUpTo(1);
      };
      own.wake({
        topic: TOPIC,
        partition: 1,
        get wanted() {
          void askLater();
          return undefined;
        },
        arrived: () => 0,
        outOfRange: () => undefined,
        failed: () => undefined,
      });
      await settle();
      expect(broker.summary(), `after ${String(microtasks)} microtasks`).to.have.lengthOf(1);
      own.close();
      broker.drop();
      await settle();
    }
  });

  it('does not let a reader that is idle slow one that is behind', async () => {
    open(0);
    const behind = open(1);
    for (let at = 0; at < 20; at++) {
      broker.log(1).append(0, [`${String(at)} ${'x'.repeat(100_000)}`]);
    }
    await settle();
    broker.answer();
    await settle();
    let answers = 0;
    while (behind.position < broker.log(1).end) {
      expect(broker.summary(), 'the idle one waits').to.include('waiting 0@0');
      if (behind.ready) {
        behind.take(1);
      } else {
        broker.answer('prompt');
        answers++;
      }
      await settle();
    }
    expect(answers).to.be.greaterThan(0);
  });

  it('does not ask for one that has something to read', async () => {
    const feed = open(0);
    broker.log(0).append(0, ['a']);
    await settle();
    broker.answer();
    await settle();
    expect(broker.summary()).to.deep.equal([]);
    expect(feed.take(1)).to.have.length(1);
    await settle();
    expect(broker.summary()).to.deep.equal(['waiting 0@1']);
  });

  it('asks first for who got nothing, where the limit of an answer binds', async () => {
    const feeds = [open(0), open(1), open(2)];
    for (const [partition] of feeds.entries()) {
      for (let at = 0; at < 3; at++) {
        broker.log(partition).append(0, ['x'.repeat(1_000)]);
      }
    }
    const first: string[] = [];
    for (let round = 0; round < 6; round++) {
      await settle();
      first.push(broker.summary()[0]?.split(' ')[1]?.split('@')[0] ?? '');
      broker.answer('prompt', { partitions: 1, bytes: 1 });
      await settle();
      for (const feed of feeds) {
        feed.take(1);
      }
    }
    expect(first).to.deep.equal(['0', '1', '2', '0', '1', '2']);
  });

  it('asks at most every few milliseconds where answers are small', async () => {
    const feed = open(0);
    let answers = 0;
    for (let ms = 0; ms < 100; ms++) {
      broker.log(0).append(0, ['x']);
      if (broker.summary().length > 0) {
        broker.answer();
        answers++;
      }
      await clock.advance(1);
      while (feed.ready) {
        feed.take(100);
      }
    }
    expect(answers).to.be.within(10, 25);
    expect(broker.log(0).end - feed.position).to.be.lessThan(10);
  });

  it('gives two readers of one partition each their own', async () => {
    const feeds = [open(0, 0), open(0, 1)];
    broker.log(0).append(0, ['a']);
    broker.log(0).append(0, ['b']);
    for (let round = 0; round < 4; round++) {
      await settle();
      broker.answer();
    }
    await settle();
    expect(feeds.map((feed) => feed.take(1)[0]?.offset)).to.deep.equal([0, 1]);
  });

  it('waits out a partition whose leader moves, and holds up no other', async () => {
    const moving = open(0);
    const other = open(1);
    broker.log(0).append(0, ['a']);
    broker.log(1).append(0, ['b']);
    broker.errorOf.set(0, 'NOT_LEADER_FOR_PARTITION');
    await settle();
    broker.answer();
    await settle();
    expect(other.ready).to.equal(true);
    expect(broker.refreshes).to.equal(0);
    broker.errorOf.clear();
    await clock.advance(60);
    expect(broker.refreshes).to.equal(1);
    broker.answer();
    await settle();
    expect(moving.ready).to.equal(true);
    expect(moving.failure).to.equal(undefined);
  });

  it('waits out a broker that is away: ever more seldom, said once, and once that it is back', async () => {
    const feeds = [open(0), open(1)];
    broker.log(0).append(0, ['a']);
    broker.log(1).append(0, ['b']);
    await settle();
    broker.away = true;
    broker.drop();
    await clock.advance(30_000);
    expect(broker.refreshes).to.be.within(20, 60);
    expect(lines.map((line) => line.split(' ')[0])).to.deep.equal(['warn']);
    broker.away = false;
    await clock.advance(2_100);
    broker.answer();
    await settle();
    broker.answer();
    await settle();
    expect(feeds.map(({ ready }) => ready)).to.deep.equal([true, true]);
    expect(lines.map((line) => line.split(' ')[0])).to.deep.equal(['warn', 'info']);
  });

  it('finds the leader anew, at once, where the connection was lost while nothing was asked', async () => {
    const feed = open(0);
    broker.log(0).append(0, ['a']);
    await settle();
    broker.answer();
    await settle();
    broker.replaceNode();
    feed.take(1);
    await settle();
    expect(broker.summary()).to.deep.equal(['waiting 0@1']);
    expect(broker.refreshes).to.equal(0);
  });

  it('gives up a topic that is not known for 15 s, not one that is new', async () => {
    const feed = open(0);
    broker.unknown = true;
    await clock.advance(10_000);
    await settle();
    broker.drop();
    await clock.advance(1_000);
    expect(feed.failure).to.equal(undefined);
    broker.unknown = false;
    await clock.advance(3_000);
    broker.answer();
    await settle();
    broker.unknown = true;
    broker.errorOf.set(0, 'UNKNOWN_TOPIC_OR_PARTITION');
    broker.answer();
    await clock.advance(14_000);
    expect(feed.failure, 'the time counts anew').to.equal(undefined);
    await clock.advance(4_000);
    expect(feed.failure).to.be.instanceOf(TopicLostError);
    expect(feed.failure?.message).to.contain(`${TOPIC}-0`);
  });

  it('fails one that may not be read, and only that', async () => {
    const refused = open(0);
    const other = open(1);
    broker.errorOf.set(0, 'TOPIC_AUTHORIZATION_FAILED');
    await settle();
    broker.answer();
    await settle();
    expect(refused.failure?.name).to.equal('AccessDeniedError');
    expect(other.failure).to.equal(undefined);
    expect(broker.summary()).to.deep.equal(['waiting 1@0']);
  });

  it('goes on within the log where the offset lies outside of it', async () => {
    const feed = open(0, 3);
    broker.offsets = { first: 5, end: 9 };
    broker.errorOf.set(0, 'OFFSET_OUT_OF_RANGE');
    await settle();
    broker.answer();
    broker.errorOf.clear();
    await settle();
    expect(feed.position).to.equal(5);
    expect(broker.summary()).to.deep.equal(['prompt 0@5']);
  });

  it('brings nothing to one that was given up meanwhile', async () => {
    const feed = open(0);
    broker.log(0).append(0, ['a']);
    await settle();
    feed.end('closed');
    broker.answer();
    await settle();
    expect(feed.ready).to.equal(false);
    expect(broker.summary()).to.deep.equal([]);
  });

  it('asks for nothing more once it is closed', async () => {
    open(0);
    await settle();
    fetcher.close();
    broker.answer();
    await clock.advance(5_000);
    expect(broker.summary()).to.deep.equal([]);
    expect(clock.pending).to.equal(0);
  });
});
