import zlib from 'node:zlib';
import { expect } from 'chai';
import { RecordTooLargeError } from '../../../src/broker/errors.ts';
import { useKafka } from '../../support/kafka.ts';
import { Scene } from '../conformance/scene.ts';
import { failure, NEVER, readAll, record } from '../helpers.ts';
import { KafkaPlace } from './fixtures.ts';

describe('the size of what is written to Kafka', () => {
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

  it('is refused beyond what the topic allows, naming record, size and setting', async () => {
    await place.allowRecordsOf(scene.log, 100_000);
    const writer = await scene.broker.openWriter('w');
    const transaction = writer.begin();
    transaction.append(scene.log, 0, [record('before')]);
    transaction.append(scene.log, 1, [record(new Uint8Array(200_000), 'a key')]);
    const error = await failure(transaction.commit());
    expect(error).to.be.instanceOf(RecordTooLargeError);
    expect((error as Error).message)
      .to.contain(scene.log)
      .and.contain('a key')
      .and.match(/200.?\d\d\d/)
      .and.contain('max.message.bytes');

    const again = (await scene.broker.openWriter('w')).begin();
    again.append(scene.log, 1, [record('fits')]);
    await again.commit();
    expect(await readAll(scene.broker, 0, 0, scene.log)).to.deep.equal([]);
    expect(await readAll(scene.broker, 1, 0, scene.log)).to.deep.equal(['fits']);
  });

  // What of zstd this Node cannot write is refused, as the test of the codecs shows.
  const zstd = 'zstdCompressSync' in zlib ? (['zstd'] as const) : [];
  for (const compression of ['none', 'gzip', 'lz4', ...zstd] as const) {
    it(`of a transaction has no limit, with compression ${compression}`, async () => {
      await place.allowRecordsOf(scene.log, 1024 * 1024);
      const broker = await place.open({ compression });
      await broker.declareTopics(scene.topics);
      const transaction = (await broker.openWriter('w')).begin();
      let seed = 1;
      const values = Array.from({ length: 3_000 }, (_, at) =>
        Buffer.from(
          new Uint8Array(1_500).map(() => (seed = (seed * 16_807) % 2_147_483_647) & 63).fill(at & 63, 0, 9),
        ),
      );
      for (const partition of [0, 1]) {
        transaction.append(
          scene.log,
          partition,
          values.map((value) => record(value)),
        );
      }
      await transaction.commit();
      await broker.close();
      for (const partition of [0, 1]) {
        const reader = await scene.broker.openReader(scene.log, partition, 0);
        let at = 0;
        while (at < values.length) {
          for (const { value } of await reader.read(1 << 20, NEVER)) {
            expect(Buffer.compare(value ?? Buffer.alloc(0), values[at] ?? Buffer.alloc(0))).to.equal(0);
            at++;
          }
        }
        await reader.close();
      }
    });
  }
});
