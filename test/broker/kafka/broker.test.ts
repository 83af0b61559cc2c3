import { expect } from 'chai';
import type { AssignmentListener, Broker } from '../../../src/broker/broker.ts';
import { BrokerError, BrokerUnavailableError } from '../../../src/broker/errors.ts';
import { useKafka } from '../../support/kafka.ts';
import { append, eventually, failure, NEVER, record, text } from '../helpers.ts';
import { within } from '../../support/within.ts';
import { KafkaPlace, listeningLogger, openKafkaAt } from './fixtures.ts';
import { API, type Frame, Proxy } from './proxy.ts';

const QUIET: AssignmentListener = {
  assigned: () => Promise.resolve(),
  revoked: () => Promise.resolve(),
  failed: (error) => {
    throw error;
  },
};

/** Whether the broker may keep it until there is something new: its longest wait stands behind its header. */
function isWaitingFetch({ apiKey, bytes, kind }: Frame): boolean {
  if (kind !== 'request' || apiKey !== API.fetch) {
    return false;
  }
  const clientIdAt = 8;
  const replicaIdAt = clientIdAt + 2 + bytes.readInt16BE(clientIdAt);
  return bytes.readInt32BE(replicaIdAt + 4) > 0;
}

describe('the broker on Kafka', () => {
  const brokers = useKafka();
  let place: KafkaPlace;
  let broker: Broker;
  let log: string;
  let table: string;

  beforeEach(async () => {
    place = new KafkaPlace(brokers());
    log = place.named('log');
    table = place.named('table');
    broker = await place.open();
    await broker.declareTopics([
      { name: log, kind: 'log', partitions: 2 },
      { name: table, kind: 'table', partitions: 1 },
    ]);
  });

  afterEach(async () => {
    await broker.close();
    await place.dispose();
  });

  it('names what is asked for and was not declared, or not as such', async () => {
    expect(String(await failure(broker.openReader('other', 0, 0)))).to.match(/other was not declared/);
    expect(String(await failure(broker.openReader(table, 0, 0)))).to.match(/is a table, not a log/);
    expect(String(await failure(broker.refreshTable(log, 0)))).to.match(/is a log, not a table/);
    expect(String(await failure(broker.offsets(log, 2))))
      .to.contain(log)
      .and.match(/no partition 2/)
      .and.match(/0 to 1/);
    expect(String(await failure(broker.join('g', 'other', QUIET)))).to.match(/other was not declared/);
  });

  it('ends at once when it is closed, with all that waits', async () => {
    const reader = await broker.openReader(log, 0, 0);
    const reading = failure(reader.read(1, NEVER));
    const open = place.outsider.transact(async (transaction) => {
      await transaction.send({ topic: table, messages: [{ key: 'k', value: 'v' }] });
      const refreshing = failure(broker.refreshTable(table, 0));
      await new Promise((resolve) => setTimeout(resolve, 200));
      // The transaction is open, and nobody writes: there is nothing else that would end them.
      await Promise.all([broker.close(), broker.close()]);
      for (const error of await Promise.all([reading, refreshing])) {
        expect(error).to.be.instanceOf(BrokerError);
        expect(String(error)).to.match(/closed/);
      }
      await transaction.abort();
    });
    await open;
    const later = [
      () => broker.openReader(log, 0, 0),
      () => broker.openWriter('w'),
      () => broker.offsets(log, 0),
      () => broker.tableGet(table, 0, 'k'),
      () => broker.join('g', log, QUIET),
      () => broker.declareTopics([]),
    ];
    for (const use of later) {
      expect(String(await failure(use()))).to.match(/closed/);
    }
  });

  it('leaves its groups when it is closed: nobody waits for its session to run out', async () => {
    const group = `${place.prefix}g`;
    // Longer than the test may take.
    const long = { sessionTimeoutMs: 600_000 };
    const leaving = await place.open(long);
    await leaving.declareTopics([{ name: log, kind: 'log', partitions: 2 }]);
    await leaving.join(group, log, QUIET);
    const successor = await place.open(long);
    await successor.declareTopics([{ name: log, kind: 'log', partitions: 2 }]);
    const membership = await successor.join(group, log, QUIET);
    await leaving.close();
    await eventually(() => {
      expect(membership.owned).to.deep.equal([0, 1]);
    });
    await successor.close();
  });

  it('shows Kafka’s tools how far its groups are', async () => {
    const group = `${place.prefix}g`;
    await append(broker, 1, [record('a'), record('b')], log);
    // How far it is is told in a part of a session, or not at all.
    const member = await place.open({ sessionTimeoutMs: 120_000 });
    await member.declareTopics([{ name: log, kind: 'log', partitions: 2 }]);
    const membership = await member.join(group, log, QUIET);
    await member.consumedUpTo(log, 1, 2);
    const shown = await place.outsider.administer((admin) =>
      admin.fetchOffsets({ groupId: group, topics: [log] }),
    );
    const offsets = shown[0]?.partitions
      .toSorted((a, b) => a.partition - b.partition)
      .map(({ offset }) => offset);
    expect(offsets).to.deep.equal(['-1', '2']);
    await membership.leave();
    await member.consumedUpTo(log, 1, 2);
    await member.close();
  });

  it('serves a new reader promptly while others wait at the end of theirs', async () => {
    await append(broker, 1, [record('here')], log);
    const proxy = await Proxy.listen();
    const reads = await place.open({ socketFactory: proxy.socketFactory });
    await reads.declareTopics([{ name: log, kind: 'log', partitions: 2 }]);
    // A fetch that is to wait at the broker waits for good.
    let held = 0;
    let letGo = (): void => undefined;
    const gone = new Promise<'pass'>((resolve) => {
      letGo = () => {
        resolve('pass');
      };
    });
    proxy.judge = (frame) => {
      if (!isWaitingFetch(frame)) {
        return 'pass';
      }
      held++;
      return gone;
    };
    const idle = await reads.openReader(log, 0, 0);
    const waiting = new AbortController();
    const reading = idle.read(1, waiting.signal);
    await eventually(() => {
      expect(held).to.equal(1);
    });
    for (let round = 0; round < 10; round++) {
      const reader = await reads.openReader(log, 1, 0);
      const records = await within(20_000, 'a record that is there', reader.read(1, NEVER));
      expect(records.map((one) => text(one.value))).to.deep.equal(['here']);
      await reader.close();
    }
    expect(held, 'fetches that wait').to.equal(1);
    waiting.abort();
    expect(await reading).to.deep.equal([]);
    letGo();
    await reads.close();
    await proxy.close();
  });
});

describe('a Kafka that is not there', () => {
  const nobody = ['127.0.0.1:1'];

  it('is waited for so long, then named', async () => {
    const lines: string[] = [];
    const began = performance.now();
    const opened = openKafkaAt(nobody, 'g', { waitForBrokerMs: 2_000, log: listeningLogger(lines) });
    const error = await within(20_000, 'giving up brokers that are away', failure(opened));
    expect(error).to.be.instanceOf(BrokerUnavailableError);
    expect(String(error)).to.contain('127.0.0.1:1');
    expect(performance.now() - began).to.be.at.least(1_990);
    expect(lines.filter((line) => line.includes('waiting for Kafka'))).to.have.length(1);
  });

  it('is not waited for any longer once the signal aborts', async () => {
    const stop = new AbortController();
    const opening = failure(openKafkaAt(nobody, 'g', { waitForBrokerMs: 60_000, signal: stop.signal }));
    setTimeout(() => {
      stop.abort(new Error('shutting down'));
    }, 100);
    expect(String(await opening)).to.match(/shutting down/);
  });
});
