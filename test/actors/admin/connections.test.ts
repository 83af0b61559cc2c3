import { expect } from 'chai';
import { asFile, drain, onStage, rowLines, until } from '../pipeline/support.ts';
import { done, refusal } from './support.ts';

const ROWS = 'partition-0=>regions';

describe('a connection that is emptied', () => {
  it('loses no row unless that is said, and then each is a rejected row that can be redriven', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start({ 'checkpoint.every': '100ms' });
      const { connections, stats } = pipeline.topology;
      await stage.write('a.csv', asFile(rowLines(200)));
      await until('the first rows are counted', () => stats.partitions[0]?.rowsCounted === 200);
      await done(pipeline, { name: 'pause', stage: 'regions' });
      await stage.write('b.csv', asFile(rowLines(300, 2)));
      const waiting = (): number =>
        connections
          .get(ROWS)
          ?.queued()
          .reduce((rows, { cost }) => rows + cost.rows, 0) ?? 0;
      await until('the others wait', () => waiting() === 300);

      const [code, message] = await refusal(pipeline, { name: 'connections.empty', connection: ROWS });
      expect(code).to.equal('would-lose-rows');
      expect(message).to.contain('300 rows wait');
      expect(waiting()).to.equal(300);
      const peeked = await done(pipeline, { name: 'connections.peek', connection: ROWS, limit: 1 });
      expect(peeked.items).to.have.length(1);
      expect(peeked.items[0]?.label).to.match(/^partitions\/partition-0\/region-/);

      const emptied = await done(pipeline, { name: 'connections.empty', connection: ROWS, discard: true });
      expect(emptied).to.include({ rows: 300, rejected: 300 });
      await done(pipeline, { name: 'resume', stage: 'regions' });
      await stage.write('c.csv', asFile(rowLines(50, 3)));
      expect(await drain(pipeline)).to.equal(250);
      const { totals } = await done(pipeline, { name: 'status' });
      expect(totals.rows).to.deep.equal({ read: 550, counted: 250, rejected: 300 });
      expect(totals.rejectedByReason).to.deep.equal({ discarded: 300 });
      const file = await done(pipeline, { name: 'files.show', path: 'b.csv' });
      expect(file.rows).to.deep.equal({ read: 300, accepted: 0, rejected: 300 });

      const redriven = await done(pipeline, { name: 'rejected.redrive', reason: 'discarded' });
      expect(redriven).to.deep.equal({
        redriven: 300,
        already: 0,
        stillRejectedRows: 0,
        stillRejected: [],
        missing: [],
      });
      expect(await drain(pipeline)).to.equal(550);
    });
  });

  it('of files finds them again', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      await done(pipeline, { name: 'pause', stage: 'publisher' });
      await stage.write('a.csv', asFile(rowLines(20)));
      const waiting = (): number => pipeline.topology.connections.get('files')?.queued().length ?? 0;
      await until('the file waits', () => waiting() === 1);
      expect(await done(pipeline, { name: 'connections.empty', connection: 'files' })).to.deep.equal({
        connection: 'files',
        items: 1,
        rows: 0,
        rejected: 0,
      });
      await until('the file waits again', () => waiting() === 1);
      await done(pipeline, { name: 'resume', stage: 'publisher' });
      expect(await drain(pipeline)).to.equal(20);
    });
  });

  it('is the log, too: what is in it and not yet counted becomes rejected rows', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start({ 'checkpoint.every': '100ms', 'topics.partitions': '2' });
      await stage.write('a.csv', asFile(rowLines(200)));
      expect(await drain(pipeline)).to.equal(200);
      await done(pipeline, { name: 'pause', stage: 'partitions' });
      await stage.write('b.csv', asFile(rowLines(300, 2)));
      await until('it is on the log', () => pipeline.topology.stats.publisher.filesDone === 2);
      const peeked = await done(pipeline, { name: 'connections.peek', connection: 'log' });
      expect(peeked.items.reduce((rows, item) => rows + item.rows, 0)).to.equal(300);
      expect(peeked.connection).to.include({ name: 'log', paused: true, queued: peeked.items.length });
      const empty = { name: 'connections.empty', connection: 'log' } as const;
      expect((await refusal(pipeline, empty))[0]).to.equal('would-lose-rows');
      expect(await done(pipeline, { ...empty, discard: true })).to.include({ rows: 300, rejected: 300 });
      await stage.write('c.csv', asFile(rowLines(50, 3)));
      await until('one more is on the log', () => pipeline.topology.stats.publisher.filesDone === 3);
      await done(pipeline, { name: 'resume', stage: 'partitions' });
      expect(await drain(pipeline)).to.equal(250);
      const { totals } = await done(pipeline, { name: 'status' });
      expect(totals.rows).to.deep.equal({ read: 550, counted: 250, rejected: 300 });

      await stage.write('d.csv', asFile(rowLines(100, 4)));
      await until('it is read', () => pipeline.topology.stats.publisher.filesDone === 4);
      const { rejected } = await done(pipeline, { ...empty, discard: true });
      expect(await drain(pipeline)).to.equal(350 - rejected);
    });
  });

  it('does not discard what was counted before, when that is counted again', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start({ 'checkpoint.every': '100ms' });
      const { stats } = pipeline.topology;
      await stage.write('a.csv', asFile(rowLines(200)));
      expect(await drain(pipeline)).to.equal(200);
      await done(pipeline, { name: 'pause', stage: 'partitions' });
      await stage.write('b.csv', asFile(rowLines(300, 2)));
      await until('it is on the log', () => stats.publisher.filesDone === 2);
      await done(pipeline, { name: 'connections.empty', connection: 'log', discard: true });
      await done(pipeline, { name: 'rewind', toOffset: 'earliest' });
      await until('it is rewound', () => stats.partitions[0]?.rowsCounted === 0);
      await done(pipeline, { name: 'resume', stage: 'partitions' });
      expect(await drain(pipeline)).to.equal(200);
      const { totals } = await done(pipeline, { name: 'status' });
      expect(totals.rows).to.deep.equal({ read: 500, counted: 200, rejected: 300 });
    });
  });

  it('must be there', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      const [code, message] = await refusal(pipeline, { name: 'connections.empty', connection: 'nowhere' });
      expect(code).to.equal('not-found');
      expect(message).to.contain('files');
    });
  });
});
