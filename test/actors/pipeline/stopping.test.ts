import { expect } from 'chai';
import { asFile, drain, onStage, rowLines } from './support.ts';

/** Turns of the event loop between the start and the end: from before the first scan to after it. */
const TURNS = [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 21, 27, 34];

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
            await drain(pipeline, false);
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
});
