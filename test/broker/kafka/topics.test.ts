import { expect } from 'chai';
import type { TopicSpec } from '../../../src/broker/broker.ts';
import { BrokerError, BrokerUnavailableError, TopicMismatchError } from '../../../src/broker/errors.ts';
import { KafkaConnections } from '../../../src/broker/kafka/kafkajs.ts';
import { newTopic } from '../../../src/broker/kafka/topic-settings.ts';
import { declareTopics, type TopicOptions } from '../../../src/broker/kafka/topics.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import { useKafka } from '../../support/kafka.ts';
import { randomName } from '../../support/random-name.ts';
import { failure } from '../helpers.ts';
import { Outsider } from './fixtures.ts';

const OPTIONS: TopicOptions = { replication: 'auto', clock: systemClock, log: silentLogger };

describe('the topics on Kafka', () => {
  const brokers = useKafka();
  let connections: KafkaConnections;
  let outsider: Outsider;
  let rows: TopicSpec;
  let table: TopicSpec;

  beforeEach(() => {
    outsider = new Outsider(brokers());
    connections = new KafkaConnections({ brokers: brokers(), clientId: 'test', log: silentLogger });
    rows = { name: randomName(), kind: 'log', partitions: 3 };
    table = { name: randomName(), kind: 'table', partitions: 2 };
  });

  afterEach(async () => {
    await connections.close();
    await outsider.deleteTopics([rows.name, table.name]);
  });

  function declare(...specs: readonly TopicSpec[]): Promise<readonly string[]> {
    return declareTopics(connections, specs, OPTIONS);
  }

  async function mismatch(...specs: readonly TopicSpec[]): Promise<string> {
    const error = await failure(declare(...specs));
    expect(error).to.be.instanceOf(TopicMismatchError);
    return (error as Error).message;
  }

  it('makes those that are missing and names them, and no others', async () => {
    expect(await declare(rows, table)).to.deep.equal([rows.name, table.name]);
    expect(await declare(rows, table)).to.deep.equal([]);
    expect(await connections.topic(rows.name)).to.deep.equal({ partitions: 3, replication: 1 });
    expect(await connections.topic(table.name)).to.have.property('partitions', 2);
    expect(await connections.topic(randomName())).to.equal(undefined);
  });

  it('is content when several make them at the same time: they were missing for each', async () => {
    const all = await Promise.all([1, 2, 3].map(() => declare(rows)));
    expect(await connections.topic(rows.name)).to.have.property('partitions', 3);
    expect(all.flat().every((name) => name === rows.name)).to.equal(true);
    expect(all.flat().length).to.be.at.least(1);
  });

  it('sets them up: tables are compacted, logs keep what retention says, all or nothing', async () => {
    const kept: TopicSpec = { ...rows, retention: { bytes: 3_000_000, ageMs: 7_200_000 } };
    await declare(kept, table);
    const described = await outsider.administer((admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: [kept.name, table.name].map((name) => ({ type: 2, name })),
      }),
    );
    const settings = (name: string): Record<string, string> =>
      Object.fromEntries(
        (described.resources.find(({ resourceName }) => resourceName === name)?.configEntries ?? []).map(
          ({ configName, configValue }) => [configName, configValue],
        ),
      );
    expect(settings(kept.name)).to.include({
      'cleanup.policy': 'delete',
      'retention.ms': '7200000',
      'retention.bytes': '1000000',
      'max.message.bytes': '8388608',
    });
    expect(settings(table.name)).to.include({ 'cleanup.policy': 'compact', 'max.message.bytes': '8388608' });
    expect(newTopic(rows, 1).configs).to.include({ 'retention.ms': '-1', 'retention.bytes': '-1' });
    expect(newTopic(rows, 3).configs).to.include({ 'min.insync.replicas': '2' });
    expect(newTopic(rows, 2).configs).to.include({ 'min.insync.replicas': '1' });
  });

  it('refuses another number of partitions, of every topic, naming both numbers and the remedy', async () => {
    await declare(rows, table);
    const message = await mismatch({ ...rows, partitions: 4 }, { ...table, partitions: 7 });
    expect(message)
      .to.match(new RegExp(`${rows.name} has 3 partitions.* and 4 are expected: set the number to 3`))
      .and.match(new RegExp(`${table.name} has 2 partitions.* and 7 are expected`));
    expect(await mismatch({ ...rows, partitions: 0 })).to.match(/0 partitions asked for/);
  });

  it('refuses a table that would forget and a log that would be compacted, with the remedy', async () => {
    await declare(rows, table);
    expect(await mismatch({ ...rows, kind: 'table' }))
      .to.include(`${rows.name} has cleanup.policy delete`)
      .and.include(`kafka-configs --alter --topic ${rows.name} --add-config cleanup.policy=compact`);
    expect(await mismatch({ ...table, kind: 'log' }))
      .to.include(`${table.name} has cleanup.policy compact`)
      .and.include('cleanup.policy=delete');
    await outsider.setTopic(table.name, { 'cleanup.policy': 'compact,delete' });
    expect(await mismatch(table)).to.include('compact,delete');
    await outsider.setTopic(table.name, { 'cleanup.policy': 'compact' });
    expect(await declare(table)).to.deep.equal([]);
  });

  it('says when there are fewer brokers than copies wanted', async () => {
    const error = await failure(declareTopics(connections, [rows], { ...OPTIONS, replication: 9 }));
    expect(error).to.be.instanceOf(BrokerError);
    expect((error as Error).message)
      .to.match(/9 copies on \d+ broker/)
      .and.match(/set the replication to/);
    expect(await connections.topic(rows.name)).to.equal(undefined);
  });

  it('says what Kafka has against a name', async () => {
    const error = await failure(declare({ ...rows, name: 'not a name' }));
    expect(error).to.be.instanceOf(BrokerError);
    expect((error as Error).message)
      .to.include('not a name')
      .and.match(/INVALID_TOPIC/);
  });

  it('gives up on brokers that are away at the time given, naming them', async () => {
    const nowhere = new KafkaConnections({ brokers: ['127.0.0.1:1'], clientId: 'test', log: silentLogger });
    const untilMs = systemClock.monotonic() + 300;
    const error = await failure(declareTopics(nowhere, [rows], { ...OPTIONS, untilMs }));
    expect(error).to.be.instanceOf(BrokerUnavailableError);
    expect((error as Error).message).to.include('127.0.0.1:1');
    await nowhere.close();
  });
});

describe('connections to Kafka', () => {
  const brokers = useKafka();

  it('begin with any address that answers', async () => {
    const connections = new KafkaConnections({
      brokers: ['127.0.0.1:1', 'localhost:2', ...brokers()],
      clientId: 'test',
      log: silentLogger,
    });
    for (let at = 0; at < 4; at++) {
      expect(await connections.brokerCount()).to.be.at.least(1);
    }
    await connections.close();
    expect(await failure(connections.brokerCount())).to.be.instanceOf(BrokerError);
  });

  it('are asked about a topic that is missing without spoiling what is known of others', async () => {
    const connections = new KafkaConnections({ brokers: brokers(), clientId: 'test', log: silentLogger });
    const outsider = new Outsider(brokers());
    const spec: TopicSpec = { name: randomName(), kind: 'log', partitions: 1 };
    await declareTopics(connections, [spec], OPTIONS);
    expect(await failure(connections.leader(randomName(), 0))).to.have.property(
      'type',
      'UNKNOWN_TOPIC_OR_PARTITION',
    );
    await connections.refresh();
    await connections.leader(spec.name, 0);
    expect(await failure(connections.leader(spec.name, 1))).to.have.property(
      'type',
      'UNKNOWN_TOPIC_OR_PARTITION',
    );
    await connections.close();
    await outsider.deleteTopics([spec.name]);
  });

  it('refuse what is not an address', () => {
    for (const broker of ['', 'localhost', 'a:b', '::1:9092']) {
      expect(() => new KafkaConnections({ brokers: [broker], clientId: 'test', log: silentLogger })).to.throw(
        BrokerError,
        'host:port',
      );
    }
    const v6 = new KafkaConnections({ brokers: ['[::1]:9092'], clientId: 'test', log: silentLogger });
    expect(v6.brokers).to.deep.equal(['[::1]:9092']);
  });
});
