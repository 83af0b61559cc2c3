import { expect } from 'chai';
import type { Broker } from '../../../src/broker/broker.ts';
import { useKafka } from '../../support/kafka.ts';
import { Scene } from '../conformance/scene.ts';
import { entriesOf, pause, text } from '../helpers.ts';
import { KafkaPlace } from './fixtures.ts';

describe('a table on Kafka', () => {
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

  const entries = async (broker: Broker): Promise<[string, string | null][]> => {
    await broker.refreshTable(scene.table, 0);
    return entriesOf(broker, 0, undefined, scene.table);
  };

  it('is restored from a log that was compacted, tombstones removed too', async function () {
    this.timeout(180_000);
    await place.outsider.setTopic(scene.table, {
      'segment.ms': '200',
      'min.cleanable.dirty.ratio': '0.001',
      'max.compaction.lag.ms': '300',
      'min.compaction.lag.ms': '0',
      'delete.retention.ms': '100',
    });
    const model = new Map<string, string>();
    const writer = await scene.broker.openWriter('w');
    const follower = await scene.beside();
    let written = 0;
    const write = async (round: number): Promise<void> => {
      const transaction = writer.begin();
      for (let at = 0; at < 40; at++) {
        const key = `key ${String((at * 7) % 40).padStart(2, '0')}`;
        if ((round + at) % 5 === 0) {
          model.delete(key);
          transaction.put(scene.table, 0, key, null);
        } else {
          model.set(key, String(round));
          transaction.put(scene.table, 0, key, Buffer.from(String(round)));
        }
        written++;
      }
      await transaction.commit();
    };
    const expected = (): [string, string][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1));
    for (let round = 0; round < 12; round++) {
      await write(round);
      expect(await entries(follower)).to.deep.equal(expected());
      await pause(60);
    }
    // A segment is closed by what is appended after its time; the cleaner then takes its turn.
    let left = written;
    for (let round = 12; left > written / 3; round++) {
      await write(round);
      await pause(700);
      left = (await place.outsider.values(scene.table, 1)).length;
    }
    const restored = await scene.beside();
    expect(await entries(restored)).to.deep.equal(expected());
    expect(await entries(follower)).to.deep.equal(expected());
    expect(await entries(scene.broker)).to.deep.equal(expected());
  });

  it('waits in a refresh for a transaction that is open, and shows it when it was committed', async () => {
    await place.outsider.transact(async (transaction) => {
      const messages = [{ partition: 0, key: 'k', value: 'v' }];
      await transaction.send({ topic: scene.table, messages });
      let refreshed = false;
      const refresh = scene.broker.refreshTable(scene.table, 0).then(() => {
        refreshed = true;
      });
      await pause(500);
      expect(refreshed).to.equal(false);
      await transaction.commit();
      await refresh;
      expect(text(await scene.broker.tableGet(scene.table, 0, 'k'))).to.equal('v');
    });
  });

  it('is refreshed by many at once', async () => {
    const writer = await scene.broker.openWriter('w');
    const other = await scene.beside();
    for (let round = 0; round < 10; round++) {
      const transaction = writer.begin();
      transaction.put(scene.table, 1, 'round', Buffer.from(String(round)));
      await transaction.commit();
      await Promise.all(
        Array.from({ length: 5 }, async () => {
          await other.refreshTable(scene.table, 1);
          expect(text(await other.tableGet(scene.table, 1, 'round'))).to.equal(String(round));
        }),
      );
    }
  });
});
