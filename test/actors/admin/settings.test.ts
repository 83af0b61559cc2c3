import { expect } from 'chai';
import { decodeProgress } from '../../../src/actors/partition/progress.ts';
import type { Pipeline } from '../../../src/pipeline.ts';
import { asFile, drain, onStage, published, rowLines, timeOfRow } from '../pipeline/support.ts';
import { done, refusal } from './support.ts';

async function lateness({ broker, topology }: Pipeline): Promise<unknown> {
  const stored = await broker.tableGet(topology.topics.regions, 0, 'progress');
  return stored === undefined ? undefined : decodeProgress(stored).lateness;
}

/** One place, at these seconds after the first row's time. */
function rowsAt(seconds: readonly number[]): string {
  const at = (second: number): string => new Date(timeOfRow(second)).toISOString();
  return asFile(seconds.map((second) => `${at(second)},d,0,0,0,2.35,48.86,0`));
}

describe('settings', () => {
  it('outlive the process, are told as such, and can be taken back', async () => {
    await onStage(async (stage) => {
      const first = await stage.start();
      await stage.write('a.csv', asFile(rowLines(400)));
      const set = await done(first, { name: 'set', key: 'k', value: '3' });
      expect(set).to.include({ key: 'clustering.k', value: '3', source: 'run time' });
      await drain(first);
      expect((await published(first)).at(-1)?.model.k).to.equal(3);
      await stage.stop(first);

      const second = await stage.start();
      expect(second.topology.settings.configuration.clustering.k).to.equal(3);
      await drain(second);
      expect((await published(second)).at(-1)?.model.k).to.equal(3);
      const unset = await done(second, { name: 'unset', key: 'clustering.k' });
      expect(unset).to.include({ value: '5', source: 'configuration' });
      await drain(second);
      expect((await published(second)).at(-1)?.model.k).to.equal(5);
    });
  });

  it('of half-life and window need no row to be read again', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start({ 'regions.pane': '1m' });
      await stage.write('a.csv', rowsAt([0, 3_600]));
      expect(await drain(pipeline)).to.equal(2);
      await done(pipeline, { name: 'set', key: 'window', value: '30m' });
      expect(await drain(pipeline)).to.equal(1);
      await done(pipeline, { name: 'unset', key: 'window' });
      await done(pipeline, { name: 'set', key: 'half-life', value: '1h' });
      expect(await drain(pipeline)).to.be.closeTo(1.5, 0.02);
      await done(pipeline, { name: 'unset', key: 'half-life' });
      expect(await drain(pipeline)).to.equal(2);
    });
  });

  it('of lateness hold from a checkpoint on, which says so', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start({ 'checkpoint.every': '50ms' });
      await stage.write('a.csv', rowsAt([3_600, 0]));
      expect(await drain(pipeline)).to.equal(2);
      expect(await lateness(pipeline)).to.deep.equal({ ms: null, from: 0 });
      const from = (await done(pipeline, { name: 'status' })).partitions[0]?.nextOffset;
      await done(pipeline, { name: 'set', key: 'lateness', value: '10m' });
      await stage.write('b.csv', rowsAt([3_500, 100]));
      expect(await drain(pipeline)).to.equal(3);
      expect(await lateness(pipeline)).to.deep.equal({ ms: 600_000, from });
      await stage.stop(pipeline);

      // Also the first row is judged by it.
      await stage.write('c.csv', rowsAt([3_400, 50]));
      const again = await stage.start({ 'checkpoint.every': '50ms' });
      expect(await drain(again)).to.equal(4);
      const { totals } = await done(again, { name: 'status' });
      expect(totals.rejectedByReason).to.deep.equal({ late: 2 });
    });
  });

  it('of thresholds and the log limit hold at once', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      const { connections, settings } = pipeline.topology;
      await done(pipeline, { name: 'set', key: 'connections.files.rows', value: 7 });
      expect(connections.get('files')?.thresholds.rows).to.equal(7);
      // Below what a partition has for itself otherwise: what is opened later must fit.
      await done(pipeline, { name: 'set', key: 'connections.rows.bytes', value: '128KiB' });
      await done(pipeline, { name: 'restart', actor: 'regions' });
      await stage.write('a.csv', asFile(rowLines(5_000)));
      expect(await drain(pipeline)).to.equal(5_000);
      await done(pipeline, { name: 'set', key: 'connections.log.bytes', value: '1GiB' });
      expect(settings.configuration.connections.log.bytes).to.equal(2 ** 30);
    });
  });

  it('that cannot be are refused with the key, the value and what is expected', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      const cases: readonly (readonly [string, string | number, RegExp])[] = [
        ['k', 'many', /clustering\.k: "many": expected auto, or a whole number/],
        ['half-life', '5', /clustering\.halfLife: "5": expected off, or a duration/],
        ['clustering.features', 1, /cannot be set while it runs/],
        [
          'connections.rows.bytes',
          10,
          /connections\.rows\.bytes: 10: expected at least source\.maxLineBytes/,
        ],
      ];
      for (const [key, value, message] of cases) {
        const [code, told] = await refusal(pipeline, { name: 'set', key, value });
        expect(code, key).to.equal('invalid');
        expect(told).to.match(message);
      }
      expect(pipeline.topology.settings.set.values.size).to.equal(0);
    });
  });
});
