import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { lookAt, reasonOf, scan } from '../../../src/actors/file-watcher/scan.ts';
import { Workshop } from '../publisher/ingest-run.ts';

describe('the scan', () => {
  let shop: Workshop;

  beforeEach(() => {
    shop = new Workshop();
  });

  afterEach(() => {
    shop.remove();
  });

  async function found(
    recursive = true,
  ): Promise<{ files: string[]; broken: string[]; unreadable: string[] }> {
    const all = { files: [] as string[], broken: [] as string[], unreadable: [] as string[] };
    const matches = (name: string): boolean => /^[^.].*\.csv$/s.test(name);
    for await (const items of scan({ directory: shop.input, matches, recursive })) {
      for (const item of items) {
        if ('file' in item) {
          all.files.push(item.file.path);
        } else if ('broken' in item) {
          all.broken.push(`${item.broken.path}: ${item.broken.problem}`);
        } else {
          all.unreadable.push(item.unreadable);
        }
      }
    }
    all.files.sort();
    return all;
  }

  it('finds regular files that match, in all folders, and links to files', async () => {
    for (const name of [
      'a.csv',
      'sub/b b.csv',
      'sub/sub/ü\n.csv',
      '.hidden.csv',
      '.hidden/c.csv',
      'd.txt',
      'csv',
    ]) {
      shop.put(name, 'x');
    }
    fs.mkdirSync(shop.at('folder.csv'));
    fs.symlinkSync(shop.at('sub/b b.csv'), shop.at('link.csv'));
    fs.symlinkSync(shop.at('sub'), shop.at('folder link.csv'));
    spawnSync('mkfifo', [shop.at('pipe.csv')]);
    expect(await found()).to.deep.equal({
      files: ['a.csv', 'link.csv', 'sub/b b.csv', 'sub/sub/ü\n.csv'],
      broken: [],
      unreadable: [],
    });
    expect((await found(false)).files).to.deep.equal(['a.csv', 'link.csv']);
  });

  it('names what cannot be looked at', async () => {
    shop.put('good.csv', 'x');
    fs.symlinkSync('nowhere', shop.at('dangling.csv'));
    fs.symlinkSync('circle.csv', shop.at('circle.csv'));
    fs.writeFileSync(
      Buffer.concat([Buffer.from(`${shop.input}/latin`), Buffer.from([0xe9]), Buffer.from('.csv')]),
      'x',
    );
    const { broken, files } = await found();
    expect(files).to.deep.equal(['good.csv']);
    expect(broken).to.have.members([
      'dangling.csv: dangling link',
      'circle.csv: a link that leads in a circle',
      'latin\uFFFD.csv: its name is not valid UTF-8; rename it',
    ]);
  });

  it('says when the folder itself is gone', async () => {
    fs.rmdirSync(shop.input);
    expect((await found()).unreadable).to.deep.equal([`folder ${shop.input}: it does not exist`]);
  });

  it('tells size and time of one path, nothing of one that is gone or no file', async () => {
    shop.put('a.csv', 'abc');
    const { mtimeMs } = fs.statSync(shop.at('a.csv'));
    expect(await lookAt(shop.input, 'a.csv')).to.deep.equal({ file: { path: 'a.csv', size: 3, mtimeMs } });
    expect(await lookAt(shop.input, 'gone.csv')).to.equal(undefined);
    expect(await lookAt(path.dirname(shop.input), 'input')).to.equal(undefined);
  });

  it('gives file system errors in words', () => {
    const error = (code: string): Error => Object.assign(new Error(`${code}: plain`), { code });
    expect(
      ['EACCES', 'EPERM', 'ENOENT', 'ELOOP', 'EISDIR', 'EIO'].map((code) => reasonOf(error(code))),
    ).to.deep.equal([
      'permission denied',
      'permission denied',
      'it does not exist',
      'a link that leads in a circle',
      'it is a folder',
      'EIO: plain',
    ]);
    expect(reasonOf('text')).to.equal('text');
  });
});
