import { connect } from 'node:net';
import { expect } from 'chai';
import { AccessDeniedError, BrokerUnavailableError } from '../../../src/broker/errors.ts';
import type { KafkaBrokerOptions } from '../../../src/broker/kafka/broker.ts';
import { useOwnKafka } from '../../support/kafka.ts';
import { within } from '../../support/within.ts';
import { SASL_PASSWORD } from '../../support/kafka-container.ts';
import { Scene } from '../conformance/scene.ts';
import { eventually, failure, NEVER, pause, readAll, record, text } from '../helpers.ts';
import { KafkaPlace, listeningLogger, openKafkaAt } from './fixtures.ts';
import { Ledger, Member } from './members.ts';

describe('a Kafka that is away', () => {
  it('is waited for at the start, so long and no longer', async () => {
    const began = Date.now();
    const opened = openKafkaAt(['127.0.0.1:1'], 'g', { waitForBrokerMs: 1_200 });
    const error = await within(20_000, 'giving up brokers that are away', failure(opened));
    expect(error).to.be.instanceOf(BrokerUnavailableError);
    expect((error as Error).message).to.contain('127.0.0.1:1');
    expect(Date.now() - began).to.be.at.least(1_000);
  });

  describe('or refuses', () => {
    const kafka = useOwnKafka();

    const as = (username: string, password: string) =>
      ({ sasl: { mechanism: 'plain', username, password } }) as const;

    it('serves whoever has the right credentials', async () => {
      const place = new KafkaPlace(kafka().brokers);
      const broker = await openKafkaAt(kafka().saslBrokers, 'g', as('admin', SASL_PASSWORD));
      await broker.declareTopics([{ name: place.named('log'), kind: 'log', partitions: 1 }]);
      const transaction = (await broker.openWriter('w')).begin();
      transaction.append(place.named('log'), 0, [record('a')]);
      await transaction.commit();
      expect(await readAll(broker, 0, 0, place.named('log'))).to.deep.equal(['a']);
      await broker.close();
      await place.dispose();
    });

    it('is not waited for when it refuses the credentials', async () => {
      // Longer than the test may take.
      const patient = { ...as('admin', 'wrong'), waitForBrokerMs: 3_600_000 };
      const error = await failure(openKafkaAt(kafka().saslBrokers, 'g', patient));
      expect(error).to.be.instanceOf(AccessDeniedError);
      expect((error as Error).message).not.to.contain('wrong');
    });

    it('is not waited for when it refuses a right', async () => {
      const broker = await openKafkaAt(kafka().saslBrokers, 'g', as('nobody', SASL_PASSWORD));
      const declared = await failure(
        broker.declareTopics([{ name: 'not-allowed', kind: 'log', partitions: 1 }]),
      );
      expect(declared).to.be.instanceOf(AccessDeniedError);
      expect((declared as Error).message).to.contain('not-allowed');
      expect(await failure(broker.openWriter('w'))).to.be.instanceOf(AccessDeniedError);
      await broker.close();
    });

    it('is waited out while running: reads, commits, refreshes and groups go on by themselves', async function () {
      this.timeout(300_000);
      const place = new KafkaPlace(kafka().brokers);
      const scene = new Scene(() => Promise.resolve(place));
      await scene.begin();
      const lines: string[] = [];
      let connections = 0;
      const socketFactory: KafkaBrokerOptions['socketFactory'] = ({ host, onConnect, port }) => {
        connections++;
        return connect(port, host, onConnect);
      };
      const broker = await place.open({ log: listeningLogger(lines), socketFactory });
      await broker.declareTopics(scene.topics);
      const ledger = new Ledger();
      const member = new Member('a', ledger);
      await member.join(broker, place.named('g'), scene.log);
      const writer = await broker.openWriter('w');
      const commit = async (value: string): Promise<void> => {
        const transaction = writer.begin();
        transaction.append(scene.log, 0, [record(value)]);
        transaction.put(scene.table, 0, 'last', Buffer.from(value));
        await transaction.commit();
      };
      const reader = await broker.openReader(scene.log, 0, 0);
      const seen: (string | null)[] = [];
      const readOn = async (count: number): Promise<void> => {
        while (seen.length < count) {
          seen.push(...(await reader.read(1 << 20, NEVER)).map((one) => text(one.value)));
        }
      };
      await commit('before');
      await readOn(1);

      await kafka().kill();
      connections = 0;
      const during = {
        commit: commit('during'),
        read: readOn(2),
        refresh: broker.refreshTable(scene.table, 1),
      };
      // The other begins while there is nobody.
      const opening = place.open({ waitForBrokerMs: 200_000, socketFactory });
      await pause(5_000);
      process.stdout.write(`          ${String(connections)} connections tried in 5 s without a broker\n`);
      // Each of those who wait tries again after pauses of up to 2 s; one that does not pause tries thousands.
      expect(connections).to.be.within(1, 300);
      await kafka().startAgain();
      await Promise.all([during.commit, during.read, during.refresh]);
      const other = await opening;
      await other.declareTopics(scene.topics);
      await commit('after');
      await readOn(3);
      expect(seen).to.deep.equal(['before', 'during', 'after']);
      expect(await readAll(other, 0, 0, scene.log)).to.deep.equal(seen);
      await other.refreshTable(scene.table, 0);
      expect(text(await other.tableGet(scene.table, 0, 'last'))).to.equal('after');
      await eventually(() => {
        expect(member.membership.owned).to.have.length(3);
        expect(member.owned).to.have.length(3);
      }, 60_000);
      expect(member.errors).to.deep.equal([]);
      expect(ledger.violations).to.deep.equal([]);
      const told = lines.filter((line) => line.startsWith('warn')).length;
      expect(told, lines.join('\n')).to.be.within(1, 30);
      await other.close();
      await broker.close();
      await scene.end();
    });
  });
});
