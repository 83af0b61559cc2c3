import { expect } from 'chai';
import { STAGES } from '../../../src/admin/stages.ts';
import { asFile, onStage, rowLines, until } from '../pipeline/support.ts';
import { done } from './support.ts';

const FILES = 24;
const ROWS = 10_000;

describe('commands under load', () => {
  it('pause, resume, restart, change and checkpoint every stage, and every row is counted once', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start(
        {
          'topics.partitions': '3',
          'checkpoint.every': '100ms',
          'publisher.transactionBytes': '64KiB',
          'source.maxLineBytes': '1KiB',
          'partitions.fanOutRows': '2000',
          'connections.rows.rows': '4000',
          'model.every': '100ms',
        },
        { live: true },
      );
      const { stats } = pipeline.topology;
      const counted = (): number => stats.partitions.reduce((sum, { rowsCounted }) => sum + rowsCounted, 0);
      for (let file = 0; file < FILES; file++) {
        await stage.write(`${String(file)}.csv`, asFile(rowLines(ROWS, file)));
      }
      await until('rows are counted', () => counted() > 0);
      for (const each of STAGES) {
        await done(pipeline, { name: 'pause', stage: each });
        await done(pipeline, { name: 'resume', stage: each });
        const { actors } = await done(pipeline, { name: 'restart', actor: each });
        expect(actors, each).to.not.equal([]);
        await done(pipeline, { name: 'set', key: 'k', value: 3 + STAGES.indexOf(each) });
        await done(pipeline, { name: 'checkpoint' });
      }
      const { rows } = await done(pipeline, { name: 'drain' }, { expiresAt: Date.now() + 200_000 });
      const lines = await stage.countLines();
      expect(lines).to.equal(FILES * ROWS);
      expect(rows).to.deep.equal({ read: lines, counted: lines, rejected: 0 });
      const { detail } = await done(pipeline, { name: 'models.show' });
      expect(detail).to.include({ k: 8, weight: lines });
    });
  }).timeout(300_000);
});
