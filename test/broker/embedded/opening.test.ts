import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, open, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { openOrderedStore } from '../../../src/broker/embedded/lmdb.ts';
import { StoreLockedError, StoreUnusableError } from '../../../src/broker/errors.ts';
import { append, failure, readAll, record } from '../helpers.ts';
import { openAt, removeDirectory, temporaryDirectory } from '../fixtures.ts';
import { Processes } from '../../support/processes.ts';

const LOG = { name: 'log', kind: 'log', partitions: 3 } as const;
const CHILD = new URL('./child.ts', import.meta.url).pathname;

describe('opening an embedded store', () => {
  const running = new Processes();
  let parent: string;
  let directory: string;

  beforeEach(async () => {
    parent = await temporaryDirectory();
    directory = join(parent, 'deep', 'store.d');
  });

  afterEach(async () => {
    await running.killAll();
    await removeDirectory(parent);
  });

  async function refusal(): Promise<StoreUnusableError> {
    const error = await failure(openAt(directory));
    expect(error).to.be.instanceOf(StoreUnusableError);
    expect((error as Error).message).to.contain(directory);
    return error as StoreUnusableError;
  }

  async function madeStore(): Promise<void> {
    const broker = await openAt(directory);
    await broker.declareTopics([LOG]);
    await append(broker, 0, [record(new Uint8Array(5_000_000))]);
    await broker.close();
  }

  it('creates a missing directory', async () => {
    const broker = await openAt(directory);
    await broker.close();
    expect((await readFile(join(directory, 'data.mdb'))).byteLength).to.be.greaterThan(0);
  });

  it('refuses a file in place of the directory', async () => {
    await mkdir(join(parent, 'deep'));
    await writeFile(directory, 'x');
    expect((await refusal()).message).to.match(/directory/);
  });

  it('opens beside other files, which it leaves alone: one volume may hold state, report and input', async () => {
    await mkdir(join(directory, 'report'), { recursive: true });
    await writeFile(join(directory, 'report/model.json'), '{}');
    await writeFile(join(directory, 'photo.jpg'), 'x');
    await madeStore();
    await (await openAt(directory)).close();
    expect(await readFile(join(directory, 'report/model.json'), 'utf8')).to.equal('{}');
    expect(await readFile(join(directory, 'photo.jpg'), 'utf8')).to.equal('x');
  });

  it('refuses a data file that is none', async () => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'data.mdb'), 'x'.repeat(10_000));
    expect((await refusal()).message).to.match(/not a store.*backup/);
  });

  it('refuses a data file that was cut', async () => {
    await madeStore();
    await truncate(join(directory, 'data.mdb'), 100_000);
    expect((await refusal()).message).to.match(/cut.*backup/);
  });

  it('begins anew in an empty data file', async () => {
    await mkdir(directory, { recursive: true });
    await (await open(join(directory, 'data.mdb'), 'w')).close();
    await (await openAt(directory)).close();
  });

  it('refuses a store of another program, and of another format version', async () => {
    const foreign = openOrderedStore({ directory, addressBytes: 1 << 24, safeRestore: false });
    await foreign.write([{ key: Buffer.from('hello'), value: Buffer.from('world') }]);
    await foreign.close();
    expect((await refusal()).message).to.match(/not written by Geoflock/);
    const later = openOrderedStore({ directory, addressBytes: 1 << 24, safeRestore: false });
    await later.write([{ key: Uint8Array.of(1), value: Buffer.from('{"product":"geoflock","format":99}') }]);
    await later.close();
    expect((await refusal()).message).to.match(/version 99/);
  });

  it('refuses a directory that it may not write', async function () {
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o500);
    if (process.getuid?.() !== 0) {
      expect((await refusal()).message).to.match(/not writable/);
      return;
    }
    // Root may write anywhere: ask a child that gives the right up.
    await chmod(parent, 0o755);
    await chmod(join(parent, 'deep'), 0o755);
    await chmod(directory, 0o555);
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--import=tsx',
      CHILD,
      'open',
      directory,
      '65534',
    ]);
    expect(stdout).to.match(/StoreUnusableError.*not writable/);
  });

  describe('that is in use', () => {
    it('is refused to the same process, also by another path of the directory', async () => {
      const broker = await openAt(directory);
      const error = await failure(openAt(directory));
      expect(error).to.be.instanceOf(StoreLockedError);
      expect((error as Error).message)
        .to.contain(directory)
        .and.contain(String(process.pid));
      const alias = join(parent, 'alias');
      await symlink(directory, alias);
      expect(await failure(openAt(alias))).to.be.instanceOf(StoreLockedError);
      await broker.close();
      await (await openAt(directory)).close();
    });

    it('is refused to another process until the owner is killed, and then open at once', async () => {
      const child = running.add(
        spawn(process.execPath, ['--import=tsx', CHILD, 'commit', directory], {
          stdio: ['ignore', 'pipe', 'inherit'],
        }),
      );
      const exited = new Promise((resolve) => child.once('exit', resolve));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      const error = await failure(openAt(directory));
      expect(error).to.be.instanceOf(StoreLockedError);
      expect((error as Error).message).to.contain(String(child.pid));
      child.kill('SIGKILL');
      await exited;
      const broker = await openAt(directory);
      await broker.declareTopics([LOG]);
      expect((await readAll(broker, 0)).length).to.be.greaterThan(0);
      await broker.close();
    });
  });
});
