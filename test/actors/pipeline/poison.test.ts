import { expect } from 'chai';
import { FoldError } from '../../../src/clustering/features.ts';
import { type Fold, fold } from '../../../src/actors/region/region-actor.ts';
import {
  append,
  asFile,
  drain,
  end,
  failingFold,
  onStage,
  RecordedLog,
  rejectedRows,
  rowLines,
  type Settings,
  timeOfRow,
} from './support.ts';

const LINES = rowLines(400);
/** Byte offset of a line in a file of all lines. */
const byteOf = (row: number): number => asFile(LINES.slice(0, row)).length;
const ORDERLY: Settings = { 'supervision.restarts': '4', 'supervision.window': '1m' };

describe('poison rows', () => {
  it('a row that the fold fails on is set aside with its origin; all others are counted, also in a new process', () =>
    onStage(async (stage) => {
      const row = 137;
      await stage.write('a.csv', asFile(LINES));
      let pipeline = await stage.start(ORDERLY, { fold: failingFold([timeOfRow(row)]) });
      expect(await drain(pipeline)).to.equal(LINES.length - 1);

      const [rejected, ...others] = await rejectedRows(pipeline.broker);
      expect(others).to.deep.equal([]);
      expect(rejected).to.deep.include({ reason: 'poison', stage: 'region' });
      expect(rejected?.file).to.deep.include({ line: row + 1, byte: byteOf(row) });
      expect(rejected?.id).to.equal(`${String(rejected?.file?.id)}:${String(byteOf(row))}`);
      expect(rejected?.row).to.deep.equal({
        encoding: 'utf8',
        text: LINES[row],
        bytes: LINES[row]?.length,
      });
      const totals = {
        rows: { read: 400, counted: 399, rejected: 1 },
        rejectedByReason: { poison: 1 },
      };
      expect(await pipeline.totals()).to.deep.include(totals);

      await stage.stop(pipeline);
      pipeline = await stage.start(ORDERLY, { fold: failingFold([timeOfRow(row)]) });
      expect(await drain(pipeline)).to.equal(LINES.length - 1);
      expect(await pipeline.totals()).to.deep.include(totals);
    }));

  it('poison rows of one batch, in one message and in many, are all learned in as many restarts as one', () =>
    onStage(async (stage) => {
      const poison = [3, 4, 77, 200, 201, 202, 203, 204, 399];
      const pipeline = await stage.start(
        { ...ORDERLY, 'supervision.restarts': '8' },
        { fold: failingFold(poison.map(timeOfRow)) },
      );
      await append(pipeline.broker, [
        { value: LINES.slice(0, 210).join('\n') },
        ...LINES.slice(210).map((value) => ({ value })),
      ]);
      expect(await drain(pipeline)).to.equal(LINES.length - poison.length);
      const rejected = await rejectedRows(pipeline.broker);
      expect(rejected.map(({ row }) => row.text)).to.deep.equal(poison.map((row) => LINES[row]));
      expect(rejected.map(({ record }) => record)).to.deep.equal(
        poison.map((row) => ({
          topic: 'mobile_data',
          partition: 0,
          offset: row < 210 ? 0 : row - 209,
          line: row < 210 ? row : 0,
        })),
      );
      expect((await pipeline.totals()).rows).to.deep.equal({
        read: LINES.length,
        counted: LINES.length - poison.length,
        rejected: poison.length,
      });
    }));

  it('more poison rows than a process survives are set aside by several processes, each going on', () =>
    onStage(async (stage) => {
      // One message each, and credit for one row: every poison row costs its own two restarts.
      const poison = [5, 30, 31, 90];
      const settings: Settings = {
        'connections.rows.rows': '1',
        'supervision.restarts': '3',
        'supervision.window': '1m',
      };
      const start = (): ReturnType<typeof stage.start> =>
        stage.start(settings, { fold: failingFold(poison.map(timeOfRow)) });
      let pipeline = await start();
      await append(
        pipeline.broker,
        LINES.slice(0, 100).map((value) => ({ value })),
      );
      let processes = 1;
      for (; processes < 10; processes++) {
        if ((await end(pipeline).catch(() => undefined)) !== undefined) {
          break;
        }
        expect((await pipeline.terminated).kind).to.equal('failed');
        await stage.stop(pipeline);
        pipeline = await start();
      }
      expect(processes).to.be.greaterThan(1);
      expect((await pipeline.totals()).rows).to.deep.equal({ read: 100, counted: 96, rejected: 4 });
    }));

  it('a row that failed once and not again is counted', () =>
    onStage(async (stage) => {
      let failures = 0;
      const onceFailing: Fold = (summary, rows, from, to) => {
        const at = rows.time.indexOf(timeOfRow(50));
        if (failures === 0 && at >= from && at < to) {
          failures++;
          throw new FoldError(at, new Error('this once'));
        }
        fold(summary, rows, from, to);
      };
      const pipeline = await stage.start(ORDERLY, { fold: onceFailing });
      await stage.write('a.csv', asFile(LINES));
      expect(await drain(pipeline)).to.equal(LINES.length);
      expect(failures).to.equal(1);
      expect(await rejectedRows(pipeline.broker)).to.deep.equal([]);
    }));

  it('any other failure is never a row’s: past the intensity it ends the system, and nothing is lost', () =>
    onStage(async (stage) => {
      const log = new RecordedLog();
      let calls = 0;
      const broken: Fold = () => {
        calls++;
        throw new Error('ENOMEM');
      };
      let pipeline = await stage.start({ 'supervision.restarts': '2' }, { fold: broken, log });
      await stage.write('a.csv', asFile(LINES.slice(0, 10)));
      const drained = pipeline
        .drain({ settleTimeoutMs: 30_000 }, 40_000)
        .catch((error: unknown) => String(error));
      const exit = await pipeline.terminated;
      expect(exit).to.deep.include({ kind: 'failed' });
      expect(exit.kind === 'failed' ? String(exit.error) : '').to.include('ENOMEM');
      expect(calls, 'the first and two restarts, in each of the regions of the batch').to.be.at.least(3);
      expect(log.messages('error')).to.include('actor system failed');
      expect(await rejectedRows(pipeline.broker)).to.deep.equal([]);
      expect(await drained).to.include('ENOMEM');
      await stage.stop(pipeline);

      pipeline = await stage.start();
      expect(await drain(pipeline)).to.equal(10);
      expect((await pipeline.totals()).rows).to.deep.equal({ read: 10, counted: 10, rejected: 0 });
    }));
});
