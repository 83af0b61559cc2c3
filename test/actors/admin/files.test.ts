import { expect } from 'chai';
import { asFile, onStage, rowLines, until } from '../pipeline/support.ts';
import { done, refusal, send } from './support.ts';

describe('files.retry', () => {
  it('tries a failed file again, and only that, without a restart', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      const { publisher } = pipeline.topology.stats;
      await stage.write('good.csv', asFile(rowLines(10)));
      for (const name of ['a.csv', 'b.csv']) {
        await stage.write(name, 'some,other,columns\n1,2,3\n');
      }
      await until('both failed', () => publisher.filesFailed === 2);
      const failed = await done(pipeline, { name: 'files.list', state: 'failed' });
      expect(failed.files.map(({ path }) => path)).to.have.members(['a.csv', 'b.csv']);
      expect((await refusal(pipeline, { name: 'files.retry', path: 'good.csv' }))[0]).to.equal('not-found');
      expect(await done(pipeline, { name: 'files.retry', path: 'a.csv' })).to.deep.equal({
        files: ['a.csv'],
      });
      await until('one was tried again', () => publisher.filesFailed === 3);
      expect((await done(pipeline, { name: 'files.retry' })).files).to.have.members(['a.csv', 'b.csv']);
      await until('both were', () => publisher.filesFailed === 5);
    });
  });
});

describe('many commands at once', () => {
  it('are each carried out and recorded, in the order of their writes', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      const keys = Array.from({ length: 30 }, (_, index) => ({
        k: 2 + (index % 7),
        id: `set-${String(index)}`,
      }));
      const outcomes = await Promise.all(
        keys.map(({ id, k }) => send(pipeline, { name: 'set', key: 'k', value: k }, { id })),
      );
      expect(outcomes.map(({ status }) => status)).to.deep.equal(keys.map(() => 'done'));
      const { settings } = await done(pipeline, { name: 'settings.list' });
      expect(settings.find(({ key }) => key === 'clustering.k')?.value).to.equal(String(keys.at(-1)?.k));
    });
  });
});
