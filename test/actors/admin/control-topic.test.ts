import { expect } from 'chai';
import { asFile, drain, onStage, rowLines, until } from '../pipeline/support.ts';
import { audit, audited, done, sendOverTopic } from './support.ts';

const soon = (): number => Date.now() + 60_000;

describe('the control topic', () => {
  it('takes commands from any producer, and answers on the topic of replies', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      await stage.write('a.csv', asFile(rowLines(30)));
      await drain(pipeline);
      await sendOverTopic(
        pipeline,
        { id: 'a', expiresAt: soon(), by: 'console', command: { name: 'status' } },
        { id: 'b', expiresAt: soon(), by: 'console', command: { name: 'pause', stage: 'publisher' } },
        { id: 'c', expiresAt: soon(), by: 'console', command: { name: 'set', key: 'k', value: 2 } },
      );
      expect(await audited(pipeline, 'b')).to.deep.include({
        replica: pipeline.replica,
        by: 'console',
        door: 'control',
        target: 'any',
        status: 'done',
        result: { stage: 'publisher', paused: true },
      });
      const status = await audited(pipeline, 'a');
      expect((status['result'] as { totals: { rows: object } }).totals.rows).to.deep.equal({
        read: 30,
        counted: 30,
        rejected: 0,
      });
      await audited(pipeline, 'c');
      await until('it is in effect', () => pipeline.topology.settings.configuration.clustering.k === 2);
      expect(pipeline.topology.stages.paused()).to.deep.equal(['publisher']);
    });
  });

  it('lets be what is no command, is for others or has expired, and goes on', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      const pause = { name: 'pause', stage: 'reporter' };
      await sendOverTopic(
        pipeline,
        'no json',
        { id: 'unknown', expiresAt: soon(), by: 'x', command: { name: 'fly' } },
        { id: 'wrong', expiresAt: soon(), by: 'x', command: { name: 'pause', stage: 'nowhere' } },
        { id: 'late', expiresAt: Date.now() - 1, by: 'x', command: pause },
        { id: 'other', target: 'another-replica', expiresAt: soon(), by: 'x', command: pause },
        { id: 'last', expiresAt: soon(), by: 'x', command: { name: 'settings.list' } },
      );
      await audited(pipeline, 'last');
      expect(pipeline.topology.stages.paused()).to.deep.equal([]);
      const told = (await audit(pipeline)).map(({ error, id }) => [
        id,
        (error as { code?: string } | undefined)?.code,
      ]);
      expect(told).to.deep.equal([
        ['offset-0', 'invalid'],
        ['unknown', 'invalid'],
        ['wrong', 'invalid'],
        ['last', undefined],
      ]);
    });
  });

  it('carries nothing out a second time when it is read again after a restart', async () => {
    await onStage(async (stage) => {
      const first = await stage.start();
      const command = (id: string, key: string): object => ({
        id,
        target: key,
        expiresAt: soon(),
        by: 'x',
        command: { name: 'pause', stage: 'publisher' },
      });
      const rewind = {
        id: 'rewind',
        expiresAt: soon(),
        by: 'x',
        command: { name: 'rewind', toOffset: 'earliest' },
      };
      await sendOverTopic(first, command('pause', first.replica), rewind);
      await audited(first, 'pause');
      await audited(first, 'rewind');
      await stage.stop(first);

      const second = await stage.start();
      await sendOverTopic(second, { id: 'end', expiresAt: soon(), by: 'x', command: { name: 'topology' } });
      await audited(second, 'end');
      expect(second.topology.stages.paused()).to.deep.equal([]);
      const outcomes = (await audit(second)).filter(({ id }) => id === 'rewind' || id === 'pause');
      expect(outcomes).to.have.length(2);
      expect(outcomes.find(({ id }) => id === 'rewind')?.['result']).to.deep.include({ epoch: 1 });
    });
  });

  it('takes what was sent while nobody was there to read it', async () => {
    await onStage(async (stage) => {
      const first = await stage.start();
      await done(first, { name: 'pause', stage: 'partitions' });
      const { broker, topology } = first;
      const send = sendOverTopic(
        { broker, topology },
        {
          id: 'set',
          expiresAt: soon(),
          by: 'x',
          command: { name: 'set', key: 'log-level', value: 'error' },
        },
      );
      await send;
      await stage.stop(first);
      const second = await stage.start();
      await audited(second, 'set');
      await until('it is in effect', () => second.topology.settings.configuration.log.level === 'error');
      expect((await audit(second)).filter(({ id }) => id === 'set')).to.have.length(1);
    });
  });
});
