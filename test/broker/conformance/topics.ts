import { expect } from 'chai';
import type { TopicSpec } from '../../../src/broker/broker.ts';
import { TopicMismatchError } from '../../../src/broker/errors.ts';
import { append, failure, readAll, record } from '../helpers.ts';
import type { Scene, Traits } from './scene.ts';

export function topicTests(scene: Scene, traits: Traits): void {
  describe('topics', () => {
    it('are created once, and told', async () => {
      const [log] = scene.topics;
      const more: TopicSpec = { name: scene.fixture.named('more'), kind: 'table', partitions: 1 };
      expect(await scene.broker.declareTopics([log, more])).to.deep.equal([more.name]);
      expect(await scene.broker.declareTopics([log, more])).to.deep.equal([]);
    });

    it('are refused with another number of partitions, naming both and the remedy', async () => {
      const [log] = scene.topics;
      const error = await failure(scene.broker.declareTopics([{ ...log, partitions: 4 }]));
      expect(error).to.be.instanceOf(TopicMismatchError);
      expect((error as Error).message)
        .to.contain(log.name)
        .and.match(/\b3\b/)
        .and.match(/\b4\b/)
        .and.match(/set|start/);
    });

    it('are not created where they are to be there: the missing ones are named', async () => {
      const [log] = scene.topics;
      const gone: TopicSpec = { name: scene.fixture.named('never-made'), kind: 'table', partitions: 1 };
      const error = await failure(scene.broker.declareTopics([log, gone], 'refuse'));
      expect(error).to.be.instanceOf(TopicMismatchError);
      expect(String(error)).to.contain(gone.name).and.not.contain(log.name);
      expect(await scene.broker.declareTopics([log], 'refuse')).to.deep.equal([]);
      expect(await scene.broker.declareTopics([gone])).to.deep.equal([gone.name]);
    });

    it('tell first and end, and continue the offsets after reopening', async () => {
      const { log } = scene;
      expect(await scene.broker.offsets(log, 0)).to.deep.equal({ first: 0, end: 0 });
      await append(scene.broker, 0, [record('a'), record('b')], log);
      // A marker may still be on its way to the log when the commit is told.
      const before = await scene.broker.offsets(log, 0);
      expect(before.end).to.be.at.least(2);
      await scene.reopen();
      const after = await scene.broker.offsets(log, 0);
      expect(after.first).to.equal(0);
      expect(after.end).to.be.within(before.end, 3);
      await append(scene.broker, 0, [record('c')], log);
      expect((await scene.broker.offsets(log, 0)).end).to.be.greaterThan(after.end);
      expect(await readAll(scene.broker, 0, 0, log)).to.deep.equal(['a', 'b', 'c']);
      expect(await readAll(scene.broker, 0, after.end, log)).to.deep.equal(['c']);
    });

    if (traits.keepsUnconsumed) {
      it('count what is not consumed, and never remove it', async () => {
        const kept = scene.fixture.named('kept');
        const retention = { bytes: 1, ageMs: 1 };
        await scene.broker.declareTopics([{ name: kept, kind: 'log', partitions: 1, retention }]);
        const writer = await scene.broker.openWriter('w');
        for (let at = 0; at < 5; at++) {
          const transaction = writer.begin();
          transaction.append(kept, 0, [record(String(at))]);
          await transaction.commit();
        }
        expect(scene.broker.unconsumed(kept).records).to.equal(5);
        await scene.broker.consumedUpTo(kept, 0, (await scene.broker.offsets(kept, 0)).first + 2);
        const another = writer.begin();
        another.append(kept, 0, [record('5')]);
        await another.commit();
        expect((await readAll(scene.broker, 0, 0, kept)).slice(-4)).to.deep.equal(['2', '3', '4', '5']);
      });

      it('count again what is to be consumed again, also after reopening', async () => {
        const { log } = scene;
        await append(
          scene.broker,
          0,
          Array.from({ length: 5 }, (_, at) => record(String(at))),
          log,
        );
        await scene.broker.consumedUpTo(log, 0, 5);
        await scene.broker.consumeAgainFrom(log, 0, 2);
        await scene.broker.consumeAgainFrom(log, 0, 4);
        expect(scene.broker.unconsumed(log).records).to.equal(3);
        await scene.reopen();
        expect(scene.broker.unconsumed(log).records).to.equal(3);
        await scene.broker.consumedUpTo(log, 0, 3);
        expect(scene.broker.unconsumed(log).records).to.equal(2);
      });
    } else {
      it('do not bound what is not consumed, and say so', async () => {
        await append(scene.broker, 0, [record('a')], scene.log);
        expect(scene.broker.unconsumed(scene.log)).to.deep.equal({ bytes: 0, records: 0 });
      });
    }
  });
}
