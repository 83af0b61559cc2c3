import { expect } from 'chai';
import { type Fold, fold } from '../../../src/actors/region/region-actor.ts';
import type { Pipeline } from '../../../src/pipeline.ts';
import { AskTimeoutError } from '../../../src/system/actor-system.ts';
import {
  append,
  asFile,
  drain,
  end,
  interceptCommits,
  onStage,
  rowLines,
  type Settings,
  until,
} from './support.ts';

/** Turns of the event loop between the start and the end: from before the first scan to after it. */
const TURNS = [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 21, 27, 34];

/** A region takes its time for each row, and nothing is committed but at the end. */
const BACKLOG = 4_000;
const MS_PER_ROW = 1;
const UNDER_LOAD: Settings = {
  'checkpoint.every': '1h',
  'connections.rows.rows': '16',
  'partitions.fanOutRows': '4',
};
const slowFold: Fold = (state, rows, from, to) => {
  const until = performance.now() + (to - from) * MS_PER_ROW;
  while (performance.now() < until) {
    // As a region does that has much to do: nobody else gets a turn.
  }
  fold(state, rows, from, to);
};

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('an end at any moment', () => {
  for (const how of ['stops', 'drains its log and stops'] as const) {
    it(`a pipeline that has just started ${how} without a time-out, and nothing is lost`, () =>
      onStage(async (stage) => {
        await stage.write('a.csv', asFile(rowLines(200)));
        for (const count of TURNS) {
          // No scan but the first: nothing else wakes whoever does not hear the end.
          const pipeline = await stage.start({ 'input.scanEvery': '1h' });
          await turns(count);
          // Whoever does not hear it is ended by a time-out, and `terminated` tells of that.
          if (how !== 'stops') {
            await end(pipeline);
          }
          await stage.stop(pipeline);
          expect(await pipeline.terminated, `after ${String(count)} turns`).to.deep.equal({
            kind: 'stopped',
          });
        }
        const pipeline = await stage.start();
        expect(await drain(pipeline)).to.equal(200);
        expect((await pipeline.totals()).rows).to.deep.equal({ read: 200, counted: 200, rejected: 0 });
      }));
  }

  it('under load writes a last checkpoint before its deadline, and the next start goes on from there', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start(UNDER_LOAD, { fold: slowFold });
      await append(
        pipeline.broker,
        rowLines(BACKLOG).map((value) => ({ value })),
      );
      await until('rows are read', () => (pipeline.topology.stats.partitions[0]?.rowsRead ?? 0) > 0);
      expect(await pipeline.end(4_000)).to.deep.equal({
        workedOff: false,
        held: false,
        published: undefined,
      });
      await stage.stop(pipeline);
      const next = await stage.start();
      const { counted } = (await next.totals()).rows;
      expect(counted).to.be.greaterThan(0).and.lessThan(BACKLOG);
      expect(await drain(next)).to.equal(BACKLOG);
      expect((await next.totals()).rows).to.deep.equal({ read: BACKLOG, counted: BACKLOG, rejected: 0 });
    }));

  it('says so where the last checkpoint cannot be written in time', () =>
    onStage(async (stage) => {
      let away = false;
      const pipeline = await stage.start(UNDER_LOAD, {
        fold: slowFold,
        intercept: (broker) =>
          interceptCommits(broker, async ({ commit, writer }) => {
            if (away && writer === 'partition-0') {
              await new Promise(() => undefined);
            }
            return await commit();
          }),
      });
      await append(
        pipeline.broker,
        rowLines(BACKLOG).map((value) => ({ value })),
      );
      away = true;
      await until('rows are read', () => (pipeline.topology.stats.partitions[0]?.rowsRead ?? 0) > 0);
      const problem = await pipeline.end(500).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(problem).to.be.instanceOf(AskTimeoutError);
      await stage.stop(pipeline);
      const next = await stage.start();
      expect(await drain(next)).to.equal(BACKLOG);
    }));

  it('has in its last checkpoint what others sent while the last model was made', () =>
    onStage(async (stage) => {
      const lines = rowLines(300);
      const send = (own: Pipeline, from: number, to: number): Promise<void> =>
        append(
          own.broker,
          lines.slice(from, to).map((value) => ({ value })),
        );
      let late = 0;
      const pipeline: Pipeline = await stage.start(
        { 'checkpoint.every': '1h' },
        {
          intercept: (broker) =>
            interceptCommits(broker, async ({ commit, writer }) => {
              if (writer === 'models-0' && late === 0) {
                late = 100;
                await send(pipeline, 200, 300);
                const { partitions } = pipeline.topology.stats;
                await until('they are read', () => partitions[0]?.position === 300);
              }
              return await commit();
            }),
        },
      );
      await send(pipeline, 0, 200);
      expect(await end(pipeline)).to.equal(200);
      await stage.stop(pipeline);
      const next = await stage.start();
      expect((await next.totals()).rows).to.deep.include({ counted: 300 });
      expect(await drain(next)).to.equal(300);
    }));

  for (const [stages, expected] of [
    [['partitions'], { workedOff: false, held: false }],
    [['regions'], { workedOff: false, held: true }],
  ] as const) {
    it(`while ${stages.join()} are paused tells what it leaves, and the next start counts it`, () =>
      onStage(async (stage) => {
        const pipeline = await stage.start({ 'checkpoint.every': '1h' });
        await append(
          pipeline.broker,
          rowLines(200).map((value) => ({ value })),
        );
        const { partitions } = pipeline.topology.stats;
        await until('all is counted', () => partitions[0]?.rowsRead === 200);
        for (const one of stages) {
          pipeline.topology.stages.pause(one);
        }
        expect(await pipeline.end(10_000)).to.deep.include(expected);
        await stage.stop(pipeline);
        const next = await stage.start();
        if (!expected.held) {
          expect((await next.totals()).rows).to.deep.include({ counted: 200 });
        }
        expect(await drain(next)).to.equal(200);
      }));
  }
});
