import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { asFile, drain, onStage, rowLines } from './pipeline/support.ts';

describe('a file that grows after it was read to its end', () => {
  it('is one file with all its rows, not another one each time', () =>
    onStage(async (stage) => {
      const rows = rowLines(6);
      await stage.write('a.csv', asFile(rows.slice(0, 2)));
      const pipeline = await stage.start();
      for (const counted of [2, 4, 6]) {
        expect(await drain(pipeline)).to.equal(counted);
        const totals = await pipeline.totals();
        expect(totals.files).to.deep.equal({ done: 1, failed: 0 });
        expect(totals.rows).to.deep.equal({ read: counted, counted, rejected: 0 });
        await appendFile(join(stage.folder, 'input', 'a.csv'), asFile(rows.slice(counted, counted + 2)));
      }
    }));
});
