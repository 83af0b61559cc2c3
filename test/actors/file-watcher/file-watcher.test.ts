import fs from 'node:fs';
import { expect } from 'chai';
import { until } from '../pipeline/support.ts';
import { csv, type LoggedLine, row, type Run, Workshop } from '../publisher/ingest-run.ts';

/** Warnings and errors, without those of scans that came late on a busy machine. */
function troubles(lines: readonly LoggedLine[]): readonly LoggedLine[] {
  return lines.filter(
    ({ level, text }) => level !== 'info' && level !== 'debug' && text !== 'scheduled runs missed',
  );
}

describe('the file watcher', () => {
  let shop: Workshop;
  let run: Run | undefined;

  beforeEach(() => {
    shop = new Workshop();
    run = undefined;
  });

  afterEach(async () => {
    await run?.stop();
    shop.remove();
  });

  const filesDone = (): number => run?.pipeline.topology.stats.publisher.filesDone ?? 0;
  const scans = (): number => run?.pipeline.topology.stats.fileWatcher.scans ?? 0;
  const read = (files: number): Promise<void> =>
    until(`${String(files)} files are read`, () => filesDone() === files);
  const scanned = (more = 0): Promise<void> => until('the folder is scanned', () => scans() > more);

  it('sees new files by events long before the next scan, also in new subfolders', async () => {
    run = await shop.start({
      settings: { 'input.events': 'true', 'input.scanEvery': '1h', 'input.minimumAge': '100ms' },
    });
    await scanned();
    /** chokidar sets its watches up in the background, and says nothing: it is told again and again. */
    const seen = async (name: string, done: number): Promise<void> => {
      const again = setInterval(() => {
        shop.age(name);
      }, 1_000);
      await read(done).finally(() => {
        clearInterval(again);
      });
    };
    shop.put('a.csv', csv(3));
    await seen('a.csv', 1);
    fs.mkdirSync(shop.at('sub'));
    shop.put('sub/b.csv', csv(3));
    await seen('sub/b.csv', 2);
    fs.appendFileSync(shop.at('a.csv'), `${row(3)}\n`);
    await seen('a.csv', 3);
    expect((await run.sweep()).totals.rows.counted).to.equal(7);
  });

  it('sees them by the scan where there are no events', async () => {
    run = await shop.start({ settings: { 'input.scanEvery': '100ms', 'input.minimumAge': '100ms' } });
    await scanned();
    shop.put('a.csv', csv(3));
    await read(1);
    shop.put('sub/b.csv', csv(3));
    await read(2);
  });

  it('tells of what it cannot read once, not with each scan', async () => {
    fs.symlinkSync('nowhere', shop.at('dangling.csv'));
    shop.put('no header.csv', 'a,b\n1,2\n');
    shop.put('good.csv', csv(1));
    run = await shop.start({ settings: { 'input.scanEvery': '50ms' } });
    await until('both are told', () => troubles(run?.messages ?? []).length >= 2);
    await scanned(scans() + 8);
    const errors = troubles(run.messages);
    expect(errors.map(({ fields }) => fields['file'])).to.have.members(['dangling.csv', 'no header.csv']);
    expect((await run.sweep()).totals.files).to.deep.equal({ done: 1, failed: 2 });
  });

  it('reads a link that was dangling once it leads somewhere', async () => {
    fs.symlinkSync(`${shop.folder}/later`, shop.at('a.csv'));
    run = await shop.start({ settings: { 'input.scanEvery': '50ms', 'input.minimumAge': '100ms' } });
    expect((await run.sweep()).totals.files).to.deep.equal({ done: 0, failed: 1 });
    fs.writeFileSync(`${shop.folder}/later`, csv(2));
    await read(1);
    expect((await run.sweep()).totals.files).to.deep.equal({ done: 1, failed: 0 });
  });

  it('names a file that was there at the start and is gone before it is read, and ends', async () => {
    shop.put('a.csv', csv(1), 2 * 3_600_000);
    shop.put('young.csv', csv(1), 0);
    run = await shop.start({ settings: { 'input.minimumAge': '1h', 'input.scanEvery': '50ms' } });
    const sweep = run.sweep(60_000);
    // By then the sweep has listed what is there.
    await scanned(scans() + 2);
    await read(1);
    fs.rmSync(shop.at('young.csv'));
    const { messages, totals } = await sweep;
    expect(totals.files).to.deep.equal({ done: 1, failed: 0 });
    expect(troubles(messages).map(({ fields, text }) => [fields['file'], text])).to.deep.equal([
      ['young.csv', 'gone before it was read'],
    ]);
  });

  it('two files of the same content are both counted, in the order of their times', async () => {
    shop.put('b.csv', csv(4), 9_000);
    shop.put('a.csv', csv(4), 8_000);
    shop.put('c.csv', csv(4), 7_000);
    run = await shop.start();
    const { messages, totals } = await run.sweep();
    expect(totals.rows.counted).to.equal(12);
    const read = messages
      .filter(({ text }) => text === 'read to its end')
      .map(({ fields }) => fields['file']);
    expect(read).to.deep.equal(['b.csv', 'a.csv', 'c.csv']);
  });

  it('another source name means other files', async () => {
    shop.put('a.csv', csv(4));
    await shop.once();
    const other = await shop.once({ settings: { 'source.name': 'other' } });
    expect(other.totals.rows.counted).to.equal(8);
    expect((await shop.once()).totals.rows.counted).to.equal(8);
  });

  it('reads paths that are longer than a key of the store', async () => {
    const folder = Array.from({ length: 10 }, (_, n) => `${String(n)}${'x'.repeat(190)}`).join('/');
    shop.put(`${folder}/a.csv`, csv(4));
    expect((await shop.once()).totals.rows.counted).to.equal(4);
    const again = await shop.once();
    expect(again.totals.rows.counted).to.equal(4);
    expect(again.totals.files).to.deep.equal({ done: 1, failed: 0 });
  });
});
