import { expect } from 'chai';
import type { Broker, PartitionReader } from '../../src/broker/broker.ts';
import type { Health } from '../../src/health/judge.ts';
import { nextTurn } from '../../src/system/event-loop.ts';
import { asFile, drain, end, onStage, rowLines, until } from './pipeline/support.ts';
import { done } from './admin/support.ts';

const QUICK = { 'checkpoint.every': '100ms', 'health.stuckAfter': '1s' } as const;

/** A broker of which the rows' readers give nothing from now on, though they are asked and told to give up. */
function silent(state: { silent: boolean; reads: number }): (broker: Broker) => Broker {
  return withReader((reader) => {
    const read = reader.read.bind(reader);
    reader.read = async (bytes, signal) => {
      if (!state.silent) {
        return await read(bytes, signal);
      }
      state.reads++;
      await new Promise<void>((resolve) => {
        if (signal.aborted) {
          resolve();
        }
        signal.addEventListener('abort', () => {
          resolve();
        });
      });
      return [];
    };
    Object.defineProperty(reader, 'ready', { get: () => false });
  });
}

/** A broker whose readers of the rows are changed. */
function withReader(change: (reader: PartitionReader) => void): (broker: Broker) => Broker {
  return (broker) =>
    new Proxy(broker, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (property !== 'openReader') {
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        }
        return async (topic: string, partition: number, offset: number) => {
          const reader = await target.openReader(topic, partition, offset);
          if (topic === 'mobile_data') {
            change(reader);
          }
          return reader;
        };
      },
    });
}

/** A broker of which the rows' readers hang when they are told to, also when they should give up. */
function hanging(times: { left: number; hung: number }): (broker: Broker) => Broker {
  return withReader((reader) => {
    const read = reader.read.bind(reader);
    reader.read = (bytes, signal) => {
      if (times.left === 0) {
        return read(bytes, signal);
      }
      times.left--;
      times.hung++;
      return new Promise((resolve) => {
        // Only the end of the incarnation, not what else it would like to do, ends the wait.
        const since = performance.now();
        const check = (): void => {
          if (signal.aborted && performance.now() - since > 6_000) {
            resolve([]);
          } else {
            setTimeout(check, 50);
          }
        };
        check();
      });
    };
  });
}

/** Looks at each turn of the event loop: what is stuck is restarted at the watchdog's next look. */
async function untilStuck(health: Health): Promise<void> {
  const isTold = (): boolean =>
    health.readyz().reasons.some((reason) => reason.startsWith('partition 0 is stuck'));
  const deadline = performance.now() + 30_000;
  while (!isTold()) {
    expect(performance.now(), 'time in which that is told').to.be.below(deadline);
    await nextTurn();
  }
}

describe('the watchdog', () => {
  it('makes a stuck partition fail: it is not ready, restarts, and counts every row once', async () => {
    await onStage(async (stage) => {
      const times = { left: 0, hung: 0 };
      const pipeline = await stage.start(QUICK, { intercept: hanging(times) });
      const { health, stats } = pipeline.topology;
      await until('it is ready', () => health.readyz().status === 'ok');
      // Also one that has committed before.
      await stage.write('before.csv', asFile(rowLines(50)));
      await until('there was a checkpoint', () => stats.partitions[0]?.rowsCounted === 50);
      times.left = 1;
      await stage.write('a.csv', asFile(rowLines(100)));
      await until('it hangs', () => times.hung === 1);
      await untilStuck(health);
      await until('it is restarted', () => stats.stuckRestarts > 0);
      await until('it is ready again', () => health.readyz().status === 'ok');
      expect(await drain(pipeline)).to.equal(150);
      const status = await done(pipeline, { name: 'status' });
      const partitions = status.stages.find(({ stage: name }) => name === 'partitions');
      expect(partitions?.restarts).to.be.greaterThan(0);
      expect(partitions?.bulletins.map(({ message }) => message).join()).to.contain('nothing has moved');
    });
  });

  it('notices a partition that is given nothing of what is there, and ends the process when no restart helps', async () => {
    await onStage(async (stage) => {
      const state = { silent: false, reads: 0 };
      const pipeline = await stage.start(QUICK, { intercept: silent(state) });
      const { health, stats } = pipeline.topology;
      await until('it is ready', () => health.readyz().status === 'ok');
      state.silent = true;
      await until('it is silent', () => state.reads > 0);
      await stage.write('a.csv', asFile(rowLines(100)));
      await untilStuck(health);
      const exit = await pipeline.terminated;
      expect(exit.kind === 'failed' && String(exit.error)).to.contain(
        'restarts have not brought it to a checkpoint',
      );
      expect(stats.stuckRestarts).to.equal(3);
    });
  });

  it('takes nobody for stuck who has nothing to do, however rarely there is a checkpoint', async () => {
    const began = performance.now();
    await onStage(async (stage) => {
      const pipeline = await stage.start({ ...QUICK, 'checkpoint.every': '10m' });
      const { health, stats } = pipeline.topology;
      await stage.write('a.csv', asFile(rowLines(100)));
      await until('they are read', () => (stats.partitions[0]?.rowsRead ?? 0) === 100);
      await until('its loop has turned on for long', () => performance.now() > began + 4_000);
      expect(stats.stuckRestarts).to.equal(0);
      expect(health.readyz().status).to.equal('ok');
      expect(await drain(pipeline)).to.equal(100);
    });
  });

  it('lets be what is paused, and tells that', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start(QUICK);
      const { health, stats } = pipeline.topology;
      await done(pipeline, { name: 'pause', stage: 'regions' });
      await stage.write('a.csv', asFile(rowLines(100)));
      await until('its rows wait', () =>
        pipeline.topology.connections.list().some(({ queued }) => queued.length > 0),
      );
      await until('its loop stands still for long', () => {
        const { turnedAt } = stats.partitions[0] ?? { turnedAt: 0 };
        return performance.now() - turnedAt > 0 && health.healthz().reasons.includes('paused: regions');
      });
      expect(health.readyz().status).to.equal('ok');
      expect(stats.stuckRestarts).to.equal(0);
      await done(pipeline, { name: 'resume', stage: 'regions' });
      expect(await drain(pipeline)).to.equal(100);
    });
  });

  it('of a region that fails for ever there is an end: told while it restarts, then the system fails', async () => {
    await onStage(async (stage) => {
      const fold = (): never => {
        throw new Error('made to fail for ever');
      };
      const pipeline = await stage.start(
        {
          'supervision.restarts': '4',
          'supervision.initialBackoff': '100ms',
          'supervision.maxBackoff': '100ms',
        },
        { fold },
      );
      await stage.write('a.csv', asFile(rowLines(10)));
      const exit = await pipeline.terminated;
      expect(exit.kind).to.equal('failed');
      expect(exit.kind === 'failed' && String(exit.error)).to.contain('made to fail for ever');
    });
  });

  it('is not ready any more once it is to end', async () => {
    await onStage(async (stage) => {
      const pipeline = await stage.start();
      const { health } = pipeline.topology;
      await until('it is ready', () => health.readyz().status === 'ok');
      await end(pipeline);
      expect(health.readyz()).to.deep.equal({ status: 'failing', reasons: ['the process is ending'] });
    });
  });
});
