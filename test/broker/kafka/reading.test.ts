import { expect } from 'chai';
import kafkajs from 'kafkajs';
import { useKafka } from '../../support/kafka.ts';
import { Scene } from '../conformance/scene.ts';
import { append, NEVER, pause, readAll, record, text } from '../helpers.ts';
import { KafkaPlace, listeningLogger } from './fixtures.ts';
import { Proxy } from './proxy.ts';

const MIB = 1024 * 1024;

describe('reading from Kafka', () => {
  const brokers = useKafka();
  let scene: Scene;
  let place: KafkaPlace;

  beforeEach(async () => {
    place = new KafkaPlace(brokers());
    scene = new Scene(() => Promise.resolve(place));
    await scene.begin();
  });

  afterEach(async () => {
    await scene.end();
  });

  it('fetches no more than a little ahead of a reader that pauses', async () => {
    const values = Array.from({ length: 160 }, (_, at) => `${String(at)} ${'x'.repeat(50_000)}`);
    const writer = await scene.broker.openWriter('w');
    for (let from = 0; from < values.length; from += 40) {
      const transaction = writer.begin();
      transaction.append(
        scene.log,
        0,
        values.slice(from, from + 40).map((value) => record(value)),
      );
      await transaction.commit();
    }
    const proxy = await Proxy.listen();
    const broker = await place.open({ socketFactory: proxy.socketFactory });
    await broker.declareTopics(scene.topics);
    const reader = await broker.openReader(scene.log, 0, 0);
    const seen = (await reader.read(1, NEVER)).map((one) => text(one.value) ?? '');
    await pause(800);
    expect(proxy.replyBytes).to.be.lessThan(3.2 * MIB);
    const before = proxy.replyBytes;
    await pause(500);
    expect(proxy.replyBytes - before).to.be.lessThan(20_000);

    while (seen.length < values.length) {
      seen.push(...(await reader.read(100_000, NEVER)).map((one) => text(one.value) ?? ''));
    }
    expect(seen).to.deep.equal(values);
    await reader.close();
    await broker.close();
    await proxy.close();
  });

  it('sees what others wrote in their ways, and nothing of what they aborted', async () => {
    await place.outsider.produce(async (producer) => {
      await producer.send({
        topic: scene.log,
        compression: kafkajs.CompressionTypes.GZIP,
        messages: [
          { partition: 0, key: 'k', value: 'with headers', headers: { a: ['1', '2'], b: Buffer.of(1) } },
          { partition: 0, key: null, value: 'plain' },
          { partition: 0, key: 'k', value: null },
        ],
      });
    });
    await place.outsider.transact(async (transaction) => {
      await transaction.send({ topic: scene.log, messages: [{ partition: 0, value: 'aborted' }] });
      await transaction.abort();
    });
    await append(scene.broker, 0, [record('ours')], scene.log);
    await place.outsider.transact(async (transaction) => {
      await transaction.send({ topic: scene.log, messages: [{ partition: 0, value: 'committed' }] });
      await transaction.commit();
    });
    expect(await readAll(scene.broker, 0, 0, scene.log)).to.deep.equal([
      'with headers',
      'plain',
      'null',
      'ours',
      'committed',
    ]);
  });

  it('waits at a transaction that is open, and shows it when it is committed', async () => {
    const reader = await scene.broker.openReader(scene.log, 0, 0);
    await place.outsider.transact(async (transaction) => {
      await transaction.send({ topic: scene.log, messages: [{ partition: 0, value: 'first' }] });
      await append(scene.broker, 0, [record('second')], scene.log);
      const stop = new AbortController();
      setTimeout(() => {
        stop.abort();
      }, 400);
      expect(await reader.read(MIB, stop.signal)).to.deep.equal([]);
      await transaction.commit();
    });
    const seen: (string | null)[] = [];
    while (seen.length < 2) {
      seen.push(...(await reader.read(MIB, NEVER)).map((one) => text(one.value)));
    }
    expect(seen).to.deep.equal(['first', 'second']);
    await reader.close();
  });

  it('goes on where the log begins now, telling loudly what is lost, unless it wants whatever there is', async () => {
    const lines: string[] = [];
    const broker = await place.open({ log: listeningLogger(lines) });
    await broker.declareTopics(scene.topics);
    await append(
      broker,
      0,
      Array.from({ length: 20 }, (_, at) => record(String(at))),
      scene.log,
    );
    await place.outsider.administer(async (admin) => {
      // Without this kafkajs knows nothing of the topic, and says so.
      await admin.fetchTopicOffsets(scene.log);
      await admin.deleteTopicRecords({ topic: scene.log, partitions: [{ partition: 0, offset: '12' }] });
    });
    expect((await broker.offsets(scene.log, 0)).first).to.equal(12);
    const kept = Array.from({ length: 8 }, (_, at) => String(at + 12));
    const errors = (): string[] => lines.filter((line) => line.startsWith('error'));
    expect(await readAll(broker, 0, 0, scene.log)).to.deep.equal(kept);
    expect(errors()).to.deep.equal([]);
    expect(await readAll(broker, 0, 5, scene.log)).to.deep.equal(kept);
    expect(errors()).to.have.length(1);
    expect(errors()[0])
      .to.contain(scene.log)
      .and.match(/\b5\b/)
      .and.match(/\b12\b/);
    await broker.close();
  });
});
