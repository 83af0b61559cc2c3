import { expect } from 'chai';
import { exchange, KafkaConnections } from '../../../src/broker/kafka/kafkajs.ts';
import { fetchRequest } from '../../../src/broker/kafka/wire/fetch.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import { useKafka } from '../../support/kafka.ts';
import { eventually } from '../helpers.ts';
import { KafkaPlace } from './fixtures.ts';
import { Proxy } from './proxy.ts';

describe('connections to a Kafka broker', () => {
  const brokers = useKafka();

  it('are one for fetches and one for the rest, however many ask at once, and end when they are closed', async () => {
    const place = new KafkaPlace(brokers());
    const topic = place.named('log');
    const broker = await place.open();
    await broker.declareTopics([{ name: topic, kind: 'log', partitions: 3 }]);
    await broker.close();
    const proxy = await Proxy.listen();
    const connections = new KafkaConnections({
      brokers: brokers(),
      clientId: 'test',
      log: silentLogger,
      socketFactory: proxy.socketFactory,
    });
    const leader = await connections.leader(topic, 0);
    const asked = proxy.accepted;
    await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        exchange(
          leader,
          fetchRequest({
            maxWaitMs: 0,
            minBytes: 1,
            maxBytes: 1_000,
            partitions: [{ topic, partition: at % 3, offset: 0, maxBytes: 1_000 }],
          }),
        ),
      ),
    );
    expect(proxy.accepted - asked).to.equal(1);
    await connections.close();
    await eventually(() => {
      expect(proxy.open).to.equal(0);
    });
    await proxy.close();
    await place.dispose();
  });
});
