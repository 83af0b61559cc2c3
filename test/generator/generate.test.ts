import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { generateFiles, type GenerateOptions } from '../../src/generator/generate.ts';

describe('generateFiles', () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-generate-'));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  function options(changes: Partial<GenerateOptions> = {}): GenerateOptions {
    return {
      directory: folder,
      rows: 5,
      files: 2,
      everyMs: 0,
      shape: 'uniform',
      seed: '1',
      header: 'true',
      ...changes,
    };
  }

  function generate(changes: Partial<GenerateOptions> = {}): ReturnType<typeof generateFiles> {
    return generateFiles(options(changes), new AbortController().signal);
  }

  function contents(directory = folder): string[] {
    return fs
      .readdirSync(directory)
      .sort()
      .map((name) => fs.readFileSync(path.join(directory, name), 'utf8'));
  }

  it('fixes names and bytes with a seed', async () => {
    const total = await generate();
    expect(fs.readdirSync(folder).sort()).to.deep.equal([
      'mobile_data_1767225600000000000.csv',
      'mobile_data_1767225610000000000.csv',
    ]);
    const [first, second] = contents();
    expect(first).to.match(/^timepoint,.*,longitude,latitude,locked\n2026-01-01 00:00:00\.000,/);
    expect(second).to.match(/\n2026-01-01 00:00:18\.000,[^\n]*\n$/);
    expect(total).to.deep.equal({ files: 2, rows: 10, bytes: contents().join('').length });
    // The bytes must stay what they are: other tests and measurements name files by their seed.
    expect(createHash('sha256').update(contents().join('')).digest('hex')).to.equal(
      '6c8cd999d2854cfa07a7b4efa133f976755bf7dcb97ac2636efa50f323eeaabc',
    );
  });

  it('fixes names and bytes of cities with a seed, broken rows among them', async () => {
    const total = await generate({ shape: 'cities', rows: 3_000, bad: 0.01 });
    expect(fs.readdirSync(folder).sort()).to.deep.equal([
      'mobile_data_1767225600000000000.csv',
      'mobile_data_1767225610000000000.csv',
    ]);
    expect(total.rows).to.equal(6_000);
    expect(contents().map((text) => text.split('\n').length)).to.deep.equal([3_002, 3_002]);
    // These bytes change with the cities of the package, and with how devices move: then say so in the changes.
    expect(createHash('sha256').update(contents().join('')).digest('hex')).to.equal(
      '7c372a9c8eef58406a7b4ce85ca2be1c5f3877cf3ed0e57a591099753ee76936',
    );
  });

  it('keeps the devices of cities from file to file', async () => {
    await generate({ shape: 'cities', rows: 1_000, cities: { cities: 5, devices: 50, noise: 0 } });
    const [first, second] = contents().map((text) => {
      const rows = text.trimEnd().split('\n').slice(1);
      return new Set(rows.map((row) => row.split(',')[1]));
    });
    expect(first?.size).to.be.within(35, 70);
    expect([...(second ?? [])].filter((id) => first?.has(id)).length).to.be.above(30);
  });

  it('writes other values with another seed', async () => {
    await generate({ directory: path.join(folder, 'a'), seed: '1' });
    await generate({ directory: path.join(folder, 'b'), seed: '2' });
    expect(contents(path.join(folder, 'a'))).not.to.deep.equal(contents(path.join(folder, 'b')));
  });

  it('changes nothing but the header with --header original', async () => {
    await generate({ directory: path.join(folder, 'a'), files: 1 });
    await generate({ directory: path.join(folder, 'b'), files: 1, header: 'original' });
    const [mine] = contents(path.join(folder, 'a'));
    const [original] = contents(path.join(folder, 'b'));
    expect(original?.split('\n')[0]).to.equal(
      'timepoint,deviceId,acceloX,acceloY,acceloZ,latitude,longitude,locked',
    );
    expect(original?.split('\n').slice(1)).to.deep.equal(mine?.split('\n').slice(1));
  });

  it('never overwrites: a taken name gives way to the next nanosecond', async () => {
    const taken = path.join(folder, 'mobile_data_1767225600000000000.csv');
    fs.writeFileSync(taken, 'mine');
    await generate({ files: 1 });
    expect(fs.readFileSync(taken, 'utf8')).to.equal('mine');
    expect(fs.readdirSync(folder).sort()).to.deep.equal([
      'mobile_data_1767225600000000000.csv',
      'mobile_data_1767225600000000001.csv',
    ]);
  });

  it('writes a header alone for no rows', async () => {
    await generate({ rows: 0, files: 1 });
    expect(contents()).to.deep.equal([
      'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked\n',
    ]);
  });

  it('writes every row of a file of several slices', async () => {
    await generate({ rows: 5000, files: 1 });
    const lines = (contents()[0] ?? '').split('\n');
    expect(lines).to.have.length(5002);
    expect(new Set(lines).size).to.equal(5002);
  });

  it('without a seed writes different rows of the last ten seconds under the present time', async () => {
    const before = Date.now();
    await generate({ seed: undefined, files: 2, rows: 20 });
    const after = Date.now();
    for (const name of fs.readdirSync(folder)) {
      const ms = Number(BigInt(/\d+/.exec(name)?.[0] ?? '0') / 1_000_000n);
      expect(ms).to.be.within(before, after);
    }
    const [first, second] = contents();
    expect(first).not.to.equal(second);
    const times = (first ?? '')
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => Date.parse(`${line.slice(0, 23).replace(' ', 'T')}Z`));
    expect(times).to.have.length(20);
    expect(Math.min(...times)).to.be.within(before - 10_000, after - 10_000);
    expect(Math.max(...times)).to.be.at.most(after);
  });

  it('makes the folder', async () => {
    await generate({ directory: path.join(folder, 'x/y'), files: 1 });
    expect(fs.readdirSync(path.join(folder, 'x/y'))).to.have.length(1);
  });

  it('ends after a whole row when it is stopped', async () => {
    const abort = new AbortController();
    // More than the header: there are rows.
    const written = (name: string): boolean => fs.statSync(path.join(folder, name)).size > 10_000;
    const watch = setInterval(() => {
      if (fs.readdirSync(folder).some(written)) {
        abort.abort();
      }
    }, 1);
    const stopped = generateFiles(options({ rows: 100_000_000, files: 1 }), abort.signal);
    const total = await stopped.finally(() => {
      clearInterval(watch);
    });
    const [content] = contents();
    expect(content?.endsWith('\n')).to.equal(true);
    expect(total.rows).to.be.greaterThan(0);
    expect((content ?? '').split('\n').length - 2).to.equal(total.rows);
  });

  it('goes on without end, a file each pause, until it is stopped', async () => {
    const abort = new AbortController();
    let files = 0;
    const started = performance.now();
    const total = await generateFiles(options({ files: undefined, everyMs: 20 }), abort.signal, () => {
      files++;
      if (files === 4) {
        abort.abort();
      }
    });
    expect(total.files).to.equal(4);
    expect(performance.now() - started).to.be.greaterThan(55);
  });

  it('rejects with the file system error when it cannot write', async () => {
    const file = path.join(folder, 'file');
    fs.writeFileSync(file, '');
    let code: unknown;
    await generate({ directory: path.join(file, 'sub') }).catch((error: unknown) => {
      code = (error as NodeJS.ErrnoException).code;
    });
    expect(code).to.equal('ENOTDIR');
  });

  it('lets the event loop turn while it works', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await generate({ rows: 40_000, files: 1 });
    clearInterval(timer);
    // 20 slices, each followed by a write.
    expect(turns).to.be.greaterThan(8);
  });
});
