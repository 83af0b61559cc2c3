import { expect } from 'chai';
import { PROGRESS_KEY } from '../../../src/actors/topics.ts';
import { decodeProgress } from '../../../src/actors/partition/progress.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import { AccessDeniedError, TopicLostError } from '../../../src/broker/errors.ts';
import { append, asFile, drain, onStage, rowLines, until } from './support.ts';

const EARLIER = rowLines(3).map((value) => ({ value }));
const LATER = rowLines(2, 2).map((value) => ({ value }));

async function nextOffset(broker: Broker): Promise<number | undefined> {
  const stored = await broker.tableGet('geoflock.regions', 0, PROGRESS_KEY);
  return stored === undefined ? undefined : decodeProgress(stored).nextOffset;
}

/** Rows of another producer, on the topic before anything is counted. */
function earlierRows(broker: Broker): Broker {
  return new Proxy(broker, {
    get(target, property) {
      if (property === 'join') {
        return async (...joining: Parameters<Broker['join']>) => {
          if (joining[1] === 'mobile_data' && (await target.offsets('mobile_data', 0)).end === 0) {
            await append(target, EARLIER);
          }
          return await target.join(...joining);
        };
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

describe('where a Geoflock that has counted nothing begins', () => {
  it('earliest: at the first row that is there', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start({}, { intercept: earlierRows });
      await until('they are there', () => pipeline.broker.unconsumed('mobile_data').records === 3);
      expect(await drain(pipeline)).to.equal(3);
    }));

  it('latest: at the end, committed before the first row is read, and asked once only', () =>
    onStage(async (stage) => {
      const latest = { 'partitions.startPosition': 'latest', 'checkpoint.every': '1h' };
      const first = await stage.start(latest, { intercept: earlierRows });
      let stored: number | undefined;
      await until('the position is committed', () => {
        void nextOffset(first.broker).then((offset) => {
          stored = offset;
        });
        return stored !== undefined;
      });
      expect(stored).to.equal(3);
      await append(first.broker, LATER);
      await stage.stop(first);
      // Between the two nobody has read: what came then is not skipped.
      const second = await stage.start(latest);
      expect(await drain(second)).to.equal(2);
      expect((await second.totals()).rows).to.deep.equal({ read: 2, counted: 2, rejected: 0 });
    }));
});

describe('what no restart heals', () => {
  for (const failure of [
    new TopicLostError('the topic is gone'),
    new AccessDeniedError('no right to read'),
  ]) {
    it(`ends the process at once with its message: ${failure.name} from the log`, () =>
      onStage(async (stage) => {
        const pipeline = await stage.start(
          {},
          {
            intercept: (broker) =>
              new Proxy(broker, {
                get(target, property) {
                  if (property === 'openReader') {
                    return () => Promise.reject(failure);
                  }
                  const value: unknown = Reflect.get(target, property, target);
                  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
                },
              }),
          },
        );
        const exit = await pipeline.terminated;
        expect(exit.kind === 'failed' ? exit.error : undefined).to.equal(failure);
      }));

    it(`ends the process at once with its message: ${failure.name} from a publisher's writer`, () =>
      onStage(async (stage) => {
        let opened = 0;
        await stage.write('a.csv', asFile(rowLines(5)));
        const pipeline = await stage.start(
          {},
          {
            intercept: (broker) =>
              new Proxy(broker, {
                get(target, property) {
                  if (property === 'openWriter') {
                    return (...opening: Parameters<Broker['openWriter']>) => {
                      if (opening[0].startsWith('publisher')) {
                        opened++;
                        return Promise.reject(failure);
                      }
                      return target.openWriter(...opening);
                    };
                  }
                  const value: unknown = Reflect.get(target, property, target);
                  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
                },
              }),
          },
        );
        const exit = await pipeline.terminated;
        expect(exit.kind === 'failed' ? exit.error : undefined).to.equal(failure);
        expect(opened, 'tries').to.equal(1);
      }));
  }
});
