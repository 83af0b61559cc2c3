import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { drain, onStage, RecordedLog, until } from './support.ts';

const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';

function rows(east: number, count: number): string {
  const lines = Array.from(
    { length: count },
    (_, n) =>
      `2026-01-01 08:00:${String(n % 60).padStart(2, '0')}.000,d,0,0,9.8,${String(east)},${String(40 + n / 100)},1`,
  );
  return [HEADER, ...lines, ''].join('\n');
}

describe('the reporter', function () {
  this.timeout(60_000);

  it('writes what the tables say when everything is worked off: rows, reasons with examples, files', async () => {
    await onStage(async (stage) => {
      await stage.write('good.csv', rows(2, 50));
      await stage.write('bad.csv', `${HEADER}\n2026-01-01 08:00:00.000,d,0,0,9.8,abc,<b>&,1\nx\n`);
      const pipeline = await stage.start();
      await drain(pipeline);
      const text = readFileSync(join(stage.folder, 'report', 'report.md'), 'utf8');
      expect(text).to.match(/^- rows: 52 read, 50 counted, 2 rejected$/m);
      expect(text).to.match(/^- files: 2 done, 0 failed$/m);
      expect(text)
        .to.match(/^\| longitude-not-a-number \| +1 \|$/m)
        .and.match(/^\| column-count +\| +1 \|$/m);
      expect(text).to.match(
        /^- longitude-not-a-number, bad\.csv, line 2: ` 2026-.*,abc,<b>&,1 `: longitude "abc" is not/m,
      );
      expect(text).to.match(/^\| good\.csv \| done +\| +50 \| +0 \|$/m);
      const html = readFileSync(join(stage.folder, 'report', 'report.html'), 'utf8');
      expect(html).to.include('abc,&lt;b&gt;&amp;,1').and.not.include('<b>');
      await stage.stop(pipeline);
    });
  });

  it('writes it again when there is a new model', async () => {
    await onStage(async (stage) => {
      const settings = { 'model.every': '50ms', 'checkpoint.every': '50ms', 'report.every': '1s' };
      const log = new RecordedLog();
      const pipeline = await stage.start(settings, { live: true, log });
      const report = join(stage.folder, 'report', 'report.md');
      await stage.write('a.csv', rows(2, 10));
      await until(
        'the first report',
        () => existsSync(report) && readFileSync(report, 'utf8').includes('10 counted'),
        30_000,
      );
      await stage.write('b.csv', rows(20, 10));
      await until('the second report', () => readFileSync(report, 'utf8').includes('20 counted'), 30_000);
      expect(log.messages('error')).to.deep.equal([]);
      await stage.stop(pipeline);
    });
  });

  it('exports copies by the schedule, tells a failure and goes on when it is mended', async () => {
    await onStage(async (stage) => {
      const directory = join(stage.folder, 'exports');
      await writeFile(directory, 'in the way');
      const settings = {
        'model.every': '50ms',
        'checkpoint.every': '50ms',
        'exports.directory': directory,
        'exports.every': '*/1 * * * * *',
        'exports.formats': 'geojson,md,csv,pmml',
        'exports.keep.count': '2',
      };
      const log = new RecordedLog();
      const pipeline = await stage.start(settings, { live: true, log });
      await stage.write('a.csv', rows(2, 10));
      await until('the failure', () => log.messages('error').length > 0, 30_000);
      await rm(directory);
      // The next export may have made it already.
      await mkdir(directory, { recursive: true });
      const newest = (): string[] => readdirSync(directory).sort();
      await until(
        'two exports',
        () => new Set(newest().map((name) => name.split('.')[0])).size === 2,
        30_000,
      );
      const first = newest()[0] ?? '';
      await until('the removal of the first', () => !newest().includes(first), 30_000);
      for (const name of newest()) {
        expect(name).to.match(/^geoflock-\d{8}T\d{6}Z\.(geojson|md|csv|pmml)$/);
      }
      await stage.stop(pipeline);
    });
  });
});
