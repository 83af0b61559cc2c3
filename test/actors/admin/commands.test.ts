import { expect } from 'chai';
import type { Broker } from '../../../src/broker/broker.ts';
import { asFile, drain, onStage, rowLines, until } from '../pipeline/support.ts';
import { audit, done, refusal, send } from './support.ts';

describe('commands', () => {
  it('tell what is counted, of which files, and where their rows are', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start({}, { live: true });
      await stage.write('a.csv', asFile([...rowLines(300), 'no row']));
      await drain(pipeline);
      const status = await done(pipeline, { name: 'status' });
      expect(status.totals.rows).to.deep.equal({ read: 301, counted: 300, rejected: 1 });
      expect(status.partitions).to.have.length(1);
      expect(status.partitions[0]).to.include({ partition: 0, owned: true, lag: 0 });
      expect(status.stages.map(({ running }) => running > 0)).to.deep.equal([
        true,
        true,
        true,
        true,
        true,
        true,
      ]);
      expect(status.model).to.include({ k: 5, weight: 300 });

      const { files } = await done(pipeline, { name: 'files.list' });
      expect(files.map(({ path, rows, state }) => ({ path, rows, state }))).to.deep.equal([
        { path: 'a.csv', rows: { read: 301, accepted: 300, rejected: 1 }, state: 'done' },
      ]);
      const file = await done(pipeline, { name: 'files.show', path: 'a.csv' });
      expect(file.by).to.equal(pipeline.replica);
      expect(
        file.offsets.map(({ done: counted, partition, rows }) => [partition, rows, counted]),
      ).to.deep.equal([[0, 300, 300]]);

      const rejected = await done(pipeline, { name: 'rejected.list' });
      expect(rejected.found).to.equal(1);
      const [row] = rejected.rows;
      const shown = await done(pipeline, { name: 'rejected.show', id: row?.id ?? '' });
      expect(shown.row.text).to.equal('no row');
      expect(shown.file?.path).to.equal('a.csv');

      const { models } = await done(pipeline, { name: 'models.list' });
      const latest = await done(pipeline, { name: 'models.show' });
      expect(latest.model).to.equal(models[0]?.model);
      const { predictions } = await done(pipeline, {
        name: 'predict',
        positions: [{ longitude: 2.35, latitude: 48.86 }],
      });
      expect(predictions[0]?.distanceKm).to.be.lessThan(200);
    });
  });

  it('hold each stage, and let it do one thing at a time', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start({ 'checkpoint.every': '100ms' }, { live: true });
      const counted = (): number => pipeline.topology.stats.partitions[0]?.rowsCounted ?? 0;
      await done(pipeline, { name: 'pause', stage: 'regions' });
      await stage.write('a.csv', asFile(rowLines(100)));
      await until('rows wait for their regions', () =>
        pipeline.topology.connections.list().some(({ queued }) => queued.length > 0),
      );
      const listed = await done(pipeline, { name: 'connections.list' });
      const waiting = listed.connections.find(({ name }) => name === 'partition-0=>regions');
      expect(waiting).to.include({ paused: true });
      await done(pipeline, { name: 'resume', stage: 'regions' });
      await until('they are counted', () => counted() === 100);

      await done(pipeline, { name: 'pause', stage: 'partitions' });
      await stage.write('b.csv', asFile(rowLines(100, 2)));
      await until('the second file is read', () => pipeline.topology.stats.publisher.filesDone === 2);
      expect(counted()).to.equal(100);
      expect(await refusal(pipeline, { name: 'drain' })).to.deep.equal([
        'paused',
        'not while partitions is paused: resume it first',
      ]);
      await done(pipeline, { name: 'run-once', stage: 'partitions' });
      await done(pipeline, { name: 'checkpoint' });
      expect(counted()).to.equal(200);

      await done(pipeline, { name: 'pause', stage: 'publisher' });
      await stage.write('c.csv', asFile(rowLines(100, 3)));
      await until('the third file waits', () =>
        pipeline.topology.connections
          .list()
          .some(({ name, queued }) => name === 'files' && queued.length === 1),
      );
      expect((await done(pipeline, { name: 'run-once', stage: 'publisher' })).ended).to.equal(true);
      expect(pipeline.topology.stats.publisher.filesDone).to.equal(3);
      for (const each of ['publisher', 'partitions'] as const) {
        await done(pipeline, { name: 'resume', stage: each });
      }
      const { rows } = await done(pipeline, { name: 'drain' });
      expect(rows).to.deep.equal({ read: 300, counted: 300, rejected: 0 });
    });
  });

  it('that could not be begun before they expired are not done later', async () => {
    await onStage(async (stage) => {
      // A broker that is away for a while: opening a writer takes longer than the command is valid.
      let away: Promise<void> = Promise.resolve();
      const intercept = (broker: Broker): Broker =>
        new Proxy(broker, {
          get: (target, property) => {
            const value: unknown = Reflect.get(target, property, target);
            if (property !== 'openWriter') {
              return typeof value === 'function' ? (value.bind(target) as unknown) : value;
            }
            return async (name: string) => {
              if (name.startsWith('control-') || name === 'settings-0') {
                await away;
              }
              return await target.openWriter(name);
            };
          },
        });
      const pipeline = await stage.start({}, { intercept });
      let back = (): void => undefined;
      away = new Promise((resolve) => {
        back = resolve;
      });
      const soon = { expiresAt: Date.now() + 3_000 };
      const late = await Promise.all([
        refusal(pipeline, { name: 'pause', stage: 'publisher' }, soon),
        refusal(pipeline, { name: 'set', key: 'k', value: 3 }, soon),
      ]);
      expect(late.map(([code]) => code)).to.deep.equal(['timeout', 'timeout']);
      back();
      await done(pipeline, { name: 'set', key: 'log-level', value: 'error' });
      const { stages } = await done(pipeline, { name: 'status' });
      expect(stages.filter(({ paused }) => paused)).to.deep.equal([]);
      expect([...pipeline.topology.settings.set.values.keys()]).to.deep.equal(['log.level']);
    });
  });

  it('are carried out once for each id, and each is in the audit', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      const first = await send(pipeline, { name: 'set', key: 'k', value: 3 }, { id: 'one', by: 'somebody' });
      await done(pipeline, { name: 'set', key: 'k', value: 4 }, { id: 'two' });
      expect(await send(pipeline, { name: 'set', key: 'k', value: 3 }, { id: 'one' })).to.deep.equal(first);
      const { settings } = await done(pipeline, { name: 'settings.list' });
      expect(settings.find(({ key }) => key === 'clustering.k')).to.include({
        value: '4',
        source: 'run time',
      });
      expect((await refusal(pipeline, { name: 'set', key: 'k', value: 0 }))[0]).to.equal('invalid');
      expect((await refusal(pipeline, { name: 'status' }, { expiresAt: Date.now() - 1 }))[0]).to.equal(
        'expired',
      );
      const records = await audit(pipeline);
      expect(records.map(({ id, status }) => [id, status]).slice(0, 2)).to.deep.equal([
        ['one', 'done'],
        ['two', 'done'],
      ]);
      expect(records[0]).to.deep.include({
        by: 'somebody',
        door: 'http',
        replica: pipeline.replica,
        command: { name: 'set', key: 'k', value: 3 },
      });
    });
  });
});
