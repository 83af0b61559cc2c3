import { expect } from 'chai';
import { runCommand } from '../../../src/cli/run.ts';
import { encodeOrigin } from '../../../src/rows/origin.ts';
import {
  append,
  asFile,
  drain,
  type ForeignRecord,
  onStage,
  rejectedRows,
  rowLines,
  type Stage,
  until,
} from './support.ts';

const LINES = rowLines(12);
const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';
const HOUR = 3_600_000;
const ARRIVED = Date.UTC(2026, 5, 1);
const rowAt = (time: number): string => `${new Date(time).toISOString()},d,0,0,0,10,50,0`;

/** Every way a row may come from elsewhere: 7 good ones in 3 messages, the rest to be set aside. */
const MIXED: readonly ForeignRecord[] = [
  { value: LINES[0] ?? '', key: 'somebody' },
  { value: `\n${LINES.slice(1, 5).join('\n')}\n  \n`, timestamp: ARRIVED },
  { value: null },
  { value: '' },
  { value: `${HEADER}\r\n${String(LINES[5])}\r\nnonsense\r\n${String(LINES[6]).replace(/,[^,]*$/, '')}\r\n` },
  { value: ' \n\n', timestamp: ARRIVED },
  { value: rowAt(ARRIVED + HOUR), timestamp: ARRIVED },
  { value: rowAt(ARRIVED + HOUR + 1), timestamp: ARRIVED },
];
const REJECTED = [
  ['mobile_data-0-2-0', 'empty-message', ''],
  ['mobile_data-0-3-0', 'empty-message', ''],
  ['mobile_data-0-4-0', 'header-line', HEADER],
  ['mobile_data-0-4-2', 'column-count', 'nonsense'],
  ['mobile_data-0-4-3', 'column-count', String(LINES[6]).replace(/,[^,]*$/, '')],
  ['mobile_data-0-7-0', 'future', rowAt(ARRIVED + HOUR + 1)],
];

describe('rows from elsewhere', () => {
  it('are counted, or set aside under topic, partition, offset and line', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start();
      await append(pipeline.broker, MIXED);
      await stage.write('a.csv', asFile(LINES));
      expect(await drain(pipeline)).to.equal(7 + LINES.length);

      const rejected = await rejectedRows(pipeline.broker);
      expect(rejected.map(({ id, reason, row }) => [id, reason, row.text])).to.deep.equal(REJECTED);
      for (const { file, stage: where, message, id, record } of rejected) {
        expect(file).to.equal(undefined);
        expect(where).to.equal('partition');
        expect(message).not.to.equal('');
        expect(`${String(record?.topic)}-0-${String(record?.offset)}-${String(record?.line)}`).to.equal(id);
      }
      expect(await pipeline.totals()).to.deep.include({
        files: { done: 1, failed: 0 },
        rows: { read: 13 + LINES.length, counted: 7 + LINES.length, rejected: 6 },
        rejectedByReason: { 'empty-message': 2, 'header-line': 1, 'column-count': 2, future: 1 },
      });
    }));

  it('run --once accounts for them, and for them alone', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start();
      await append(pipeline.broker, MIXED);
      await stage.stop(pipeline);

      for (const time of ['first', 'second']) {
        const { code, result } = await runOnce(stage);
        expect(code, `exit code of the ${time} run`).to.equal(0);
        expect(result.rows).to.deep.equal({ read: 13, counted: 7, rejected: 6 });
        expect(result.model.weight).to.equal(7);
      }
    }));

  it('messages without a row are done with too: a log full of them does not stop the files', () =>
    onStage(async (stage) => {
      const settings = {
        'source.maxLineBytes': '128',
        'connections.log.bytes': '16KiB',
        'checkpoint.every': '20ms',
      };
      const pipeline = await stage.start(settings);
      await append(
        pipeline.broker,
        Array.from({ length: 40 }, () => ({ value: ' '.repeat(500) + '\n' })),
      );
      await until('they are done with', () => pipeline.broker.unconsumed('mobile_data').records === 0);
      await stage.write('a.csv', asFile(LINES));
      expect(await drain(pipeline)).to.equal(LINES.length);
      expect((await pipeline.totals()).rows).to.deep.equal({ read: 12, counted: 12, rejected: 0 });
    }));

  it('a damaged origin header ends nothing: the row is set aside under its place in the topic', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start({ 'supervision.restarts': '0' });
      await append(pipeline.broker, [
        { value: 'nonsense', headers: { 'geoflock-origin': new Uint8Array([1, 255, 255]) } },
        { value: LINES[0] ?? '' },
      ]);
      expect(await drain(pipeline)).to.equal(1);
      const rejected = await rejectedRows(pipeline.broker);
      expect(rejected.map(({ id, file }) => [id, file])).to.deep.equal([['mobile_data-0-0-0', undefined]]);
    }));

  it('rows that another Geoflock published from its files are foreign: it has their files in its ledger', () =>
    onStage(async (stage) => {
      const origin = encodeOrigin('its-file', [2], [100]);
      const pipeline = await stage.start();
      await append(pipeline.broker, [
        { value: LINES[0] ?? '', headers: { 'other-origin': origin } },
        { value: 'nonsense', headers: { 'other-origin': origin } },
      ]);
      expect(await drain(pipeline)).to.equal(1);
      expect((await pipeline.totals()).rows).to.deep.equal({ read: 2, counted: 1, rejected: 1 });
      const rejected = await rejectedRows(pipeline.broker);
      expect(rejected.map(({ id, file }) => [id, file])).to.deep.equal([['mobile_data-0-1-0', undefined]]);
    }));

  it('rows of the test source are read and counted like any other', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start({ 'sample.every': '20ms', 'checkpoint.every': '20ms' });
      await stage.write('a.csv', asFile(LINES));
      await until('some samples', () => (pipeline.topology.stats.partitions[0]?.rowsCounted ?? 0) >= 12 + 3);
      await stage.stop(pipeline);

      const { code, result } = await runOnce(stage);
      expect(code).to.equal(0);
      expect(result.rows.rejected).to.equal(0);
      expect(result.rows.counted).to.be.at.least(15);
      expect(result.rows.read).to.equal(result.rows.counted);
      expect(result.model.weight).to.equal(result.rows.counted);
    }));

  it('an accepted line that grew on its way to the topic is not too long there', () =>
    onStage(async (stage) => {
      const maxLineBytes = 128;
      const bare = `2026-01-01T00:00:00,dev,0.1,0.2,9.8,2.35,48.86,`;
      const longest = bare + '1'.repeat(maxLineBytes - bare.length);
      const pipeline = await stage.start({
        'source.maxLineBytes': String(maxLineBytes),
        'source.timezone': '+02:00',
      });
      await stage.write('a.csv', asFile([longest]));
      expect(await drain(pipeline)).to.equal(1);
      expect((await pipeline.totals()).rows).to.deep.equal({ read: 1, counted: 1, rejected: 0 });
    }));
});

interface OnceResult {
  readonly rows: { readonly read: number; readonly counted: number; readonly rejected: number };
  readonly model: { readonly weight: number };
}

/** `run --once --json` in this process. */
async function runOnce(stage: Stage): Promise<{ code: number; result: OnceResult }> {
  let printed = '';
  const code = await runCommand(
    stage.configuration(),
    { once: true, json: true },
    {
      out: (text) => {
        printed += text;
      },
      err: () => undefined,
    },
  );
  return { code, result: JSON.parse(printed) as OnceResult };
}
