import { expect } from 'chai';
import { BrokerError, FencedError } from '../../../src/broker/errors.ts';
import { entriesOf, failure, readAll, record, text } from '../helpers.ts';
import type { Scene } from './scene.ts';

export function transactionTests(scene: Scene): void {
  describe('transactions', () => {
    it('show records and table entries together or not at all', async () => {
      const { broker, log, table } = scene;
      const other = await scene.beside();
      const writer = await broker.openWriter('w');
      const transaction = writer.begin();
      transaction.append(log, 0, [record('a')]);
      transaction.put(table, 1, 'k', Buffer.from('v'));
      await other.refreshTable(table, 1);
      expect(await readAll(other, 0, 0, log)).to.deep.equal([]);
      expect(await other.tableGet(table, 1, 'k')).to.equal(undefined);
      expect(await broker.tableGet(table, 1, 'k')).to.equal(undefined);
      await (await transaction.commit()).flushed;
      // Its own at once, another's after a refresh.
      expect(text(await broker.tableGet(table, 1, 'k'))).to.equal('v');
      await other.refreshTable(table, 1);
      expect(await readAll(other, 0, 0, log)).to.deep.equal(['a']);
      expect(text(await other.tableGet(table, 1, 'k'))).to.equal('v');
      expect(await other.tableGet(table, 0, 'k')).to.equal(undefined);
    });

    it('leave nothing when they are aborted', async () => {
      const { log, table } = scene;
      const writer = await scene.broker.openWriter('w');
      const aborted = writer.begin();
      aborted.append(log, 0, [record('lost')]);
      aborted.put(table, 0, 'lost', Buffer.from('v'));
      await aborted.abort();
      const kept = writer.begin();
      kept.append(log, 0, [record('kept')]);
      await kept.commit();
      await scene.reopen();
      expect(await readAll(scene.broker, 0, 0, log)).to.deep.equal(['kept']);
      expect(await entriesOf(scene.broker, 0, undefined, table)).to.deep.equal([]);
    });

    it('may be empty', async () => {
      const writer = await scene.broker.openWriter('w');
      await (await writer.begin().commit()).flushed;
      const next = writer.begin();
      next.append(scene.log, 0, [record('a')]);
      await next.commit();
      await (await writer.begin().commit()).flushed;
      expect(await readAll(scene.broker, 0, 0, scene.log)).to.deep.equal(['a']);
    });

    it('are one at a time, and finished once', async () => {
      const writer = await scene.broker.openWriter('w');
      const transaction = writer.begin();
      expect(() => writer.begin()).to.throw(BrokerError);
      await transaction.commit();
      expect(() => {
        transaction.append(scene.log, 0, [record('late')]);
      }).to.throw(BrokerError);
      expect(await failure(transaction.commit())).to.be.instanceOf(BrokerError);
      await writer.begin().abort();
      await writer.close();
      expect(() => writer.begin()).to.throw(BrokerError);
    });

    it('of every earlier writer of a name are fenced, and of no other name', async () => {
      const { broker, log, table } = scene;
      const former = await broker.openWriter('w');
      const other = await broker.openWriter('other');
      const stale = former.begin();
      stale.append(log, 0, [record('stale')]);
      stale.put(table, 0, 'stale', Buffer.from('v'));
      const owner = await (await scene.beside()).openWriter('w');
      expect(await failure(stale.commit())).to.be.instanceOf(FencedError);
      const mine = owner.begin();
      mine.append(log, 0, [record('mine')]);
      await mine.commit();
      const theirs = other.begin();
      theirs.append(log, 0, [record('other')]);
      await theirs.commit();
      expect(await readAll(broker, 0, 0, log)).to.deep.equal(['mine', 'other']);
      await broker.refreshTable(table, 0);
      expect(await entriesOf(broker, 0, undefined, table)).to.deep.equal([]);
    });

    it('of a rightful owner are fenced by a stale one that opens last; it reopens and goes on', async () => {
      const { broker, log } = scene;
      const other = await scene.beside();
      const rightful = await broker.openWriter('w');
      const stalled = await other.openWriter('w');
      expect(await failure(rightful.begin().commit())).to.be.instanceOf(FencedError);
      const again = await broker.openWriter('w');
      expect(await failure(stalled.begin().commit())).to.be.instanceOf(FencedError);
      const transaction = again.begin();
      transaction.append(log, 2, [record('once')]);
      await transaction.commit();
      expect(await readAll(other, 2, 0, log)).to.deep.equal(['once']);
    });

    it('move rows and progress together, so that whoever goes on from the progress counts each once', async () => {
      const { log, table } = scene;
      const source = Array.from({ length: 60 }, (_, at) => `row ${String(at)}`);
      const progress = async (): Promise<number> => {
        await scene.broker.refreshTable(table, 0);
        return Number(text(await scene.broker.tableGet(table, 0, 'next')) ?? 0);
      };
      // Each life commits a few steps and dies with one under way, its writer never closed.
      for (let life = 0; life < 3; life++) {
        const writer = await scene.broker.openWriter('w');
        for (let step = 0; step < 3; step++) {
          const from = await progress();
          const transaction = writer.begin();
          const rows = source.slice(from, from + 5);
          transaction.append(
            log,
            1,
            rows.map((row) => record(row)),
          );
          transaction.put(table, 0, 'next', Buffer.from(String(from + rows.length)));
          if (step < 2) {
            await transaction.commit();
          }
        }
        await scene.reopen();
      }
      expect(await progress()).to.equal(30);
      expect(await readAll(scene.broker, 1, 0, log)).to.deep.equal(source.slice(0, 30));
    });
  });
}
