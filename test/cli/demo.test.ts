import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { demoCommand } from '../../src/cli/demo.ts';
import { UsageError } from '../../src/cli/usage.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { chooseCities } from '../../src/generator/choose-cities.ts';
import { loadLargeCities } from '../../src/places/places.ts';
import { systemClock } from '../../src/system/clock.ts';
import type { Place } from '../../src/geo/place.ts';
import type { Configuration } from '../../src/config/schema.ts';
import { until } from '../actors/pipeline/support.ts';
import { Processes } from '../support/processes.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const TSX = import.meta.resolve('tsx');
/** Longer than a test lasts. */
const LONG_MS = 3_600_000;
const ESCAPE = '\u001b';

interface Shown {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('geoflock demo', () => {
  const running = new Processes();
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-demo-'));
  });

  afterEach(async () => {
    await running.killAll();
    fs.rmSync(folder, { recursive: true });
  });

  function configuration(report = path.join(folder, 'report')): Configuration {
    const flags = Object.entries({
      'input.directory': path.join(folder, 'input'),
      'state.directory': path.join(folder, 'state'),
      'report.directory': report,
      'log.level': 'silent',
    }).map(([key, value]) => ({ flag: 'test', key, value }));
    return loadConfiguration({ environment: {}, flags }).configuration;
  }

  async function demo(settings: Configuration, terminal: boolean, durationMs: number): Promise<Shown> {
    let out = '';
    let err = '';
    const code = await demoCommand(
      settings,
      { durationMs, rowsPerFile: 300, terminal },
      {
        out: (written) => {
          out += written;
        },
        err: (written) => {
          err += written;
        },
      },
    );
    return { code, out, err };
  }

  /** Resolves when the demo is at work: its first file is there. */
  async function generating(): Promise<void> {
    const input = path.join(folder, 'input');
    await until('the first file is there', () => fs.existsSync(input) && fs.readdirSync(input).length > 0);
  }

  /** The rows in the files that the demo wrote, each of which has a header. */
  function generatedRows(): number {
    return fs
      .readdirSync(path.join(folder, 'input'))
      .map((name) => fs.readFileSync(path.join(folder, 'input', name), 'utf8'))
      .reduce((rows, content) => rows + content.split('\n').length - 2, 0);
  }

  it('writes plain lines on a pipe, ends by itself with the results, and counts every row', async () => {
    const args = ['--duration', '8s', '--rows-per-file', '500'];
    const folders = ['input', 'state', 'report'].flatMap((name) => [`--${name}`, path.join(folder, name)]);
    const child = running.add(
      spawn(process.execPath, ['--import', TSX, MAIN, 'demo', ...args, ...folders], {
        cwd: folder,
        // Any that is free: others of this machine may have the default one.
        env: { ...process.env, GEOFLOCK_ADMIN_PORT: '0' },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    // A machine that stands still for a second is told of, and is none of the demo's.
    const told = err.split('\n').filter((line) => !line.includes('scheduled runs missed'));
    expect({ code, told }).to.deep.equal({ code: 0, told: [''] });
    expect(out).not.to.include(ESCAPE);
    expect(out).not.to.include('\r');
    expect(out).to.match(/^00:\d\d rows\/s=\d+ files=\d+ read=\d+ counted=\d+ queued=\d+ restarts=0/);
    const rows = generatedRows();
    expect(rows).to.be.at.least(500);
    const grouped = rows.toLocaleString('en-US');
    expect(out).to.include(`\ndraining\nrows ${grouped} read, ${grouped} counted, 0 rejected\n`);
    expect(out).to.match(/\nresults: report\/report\.html, model\.json and more\n$/);
    const model = JSON.parse(fs.readFileSync(path.join(folder, 'report/model.json'), 'utf8')) as {
      weight: number;
      clusters: readonly { readonly place: Place | null }[];
    };
    expect(model.weight).to.equal(rows);
    // Of few rows, those from anywhere move a cluster or two; the others are where the phones are.
    const places = model.clusters.map(({ place }) => place?.name);
    expect(out).to.match(new RegExp(`near\\n +1 .* {2}${places[0] ?? ''}, `));
    const great = chooseCities(await loadLargeCities(systemClock), 12, 1_500).map(({ name }) => name);
    expect(places.filter((name) => great.includes(name ?? '')).length).to.be.at.least(8);
  });

  it('draws one table over itself on a terminal', async () => {
    const { code, out, err } = await demo(configuration(), true, 6_000);
    expect({ code, err }).to.deep.equal({ code: 0, err: '' });
    const frames = out.split('\ndraining ...\n')[0]?.split(`${ESCAPE}[0J`).slice(0, -1) ?? [];
    expect(frames.length).to.be.at.least(2);
    frames.forEach((frame, index) => {
      const lines = frame.split('\n').slice(0, -1);
      expect(lines[0]).to.include('Geoflock');
      const before = frames[index - 1]?.split('\n').slice(0, -1).length;
      expect(
        frame.startsWith(before === undefined ? `${ESCAPE}[2K` : `${ESCAPE}[${String(before)}A`),
      ).to.equal(true);
      for (const line of lines) {
        expect(line).to.include(`${ESCAPE}[2K`);
      }
    });
    expect(out).to.match(/\nrows [\d,]+ read, [\d,]+ counted, 0 rejected\n/);
  });

  it('drains at SIGINT and exits with 130', async () => {
    const [{ code, out, err }] = await Promise.all([
      demo(configuration(), false, LONG_MS),
      generating().then(() => process.emit('SIGINT')),
    ]);
    expect({ code, err }).to.deep.equal({ code: 130, err: '' });
    const grouped = generatedRows().toLocaleString('en-US');
    expect(out).to.match(
      new RegExp(`(^|\n)draining\nrows ${grouped} read, ${grouped} counted, 0 rejected\n`),
    );
  });

  it('says what is wrong with the report folder, and generates nothing', async () => {
    const file = path.join(folder, 'file');
    fs.writeFileSync(file, '');
    const { code, out, err } = await demo(configuration(file), false, 1_000);
    expect({ code, out }).to.deep.equal({ code: 1, out: '' });
    expect(err).to.match(/^geoflock: the report folder .*file cannot be written .*--report DIR/);
    expect(fs.readdirSync(folder)).to.deep.equal(['file']);
  });

  it('says that the state folder cannot be used', async () => {
    fs.writeFileSync(path.join(folder, 'state'), '');
    const { code, out, err } = await demo(configuration(), false, 1_000);
    expect({ code, out }).to.deep.equal({ code: 1, out: '' });
    expect(err).to.match(/^geoflock: .*state/);
  });

  it('refuses a file in place of the input folder', async () => {
    fs.writeFileSync(path.join(folder, 'input'), '');
    const outcome = await demo(configuration(), false, 1_000).catch((error: unknown) => error);
    expect(outcome).to.be.instanceOf(UsageError);
    expect((outcome as Error).message).to.match(/^the input folder .*input cannot be made .*--input DIR/);
  });

  it('fails, and says why, when it cannot write files any more', async () => {
    const settings = configuration();
    const input = path.join(folder, 'input');
    const [{ code, err }] = await Promise.all([
      demo(settings, false, LONG_MS),
      generating().then(() => {
        fs.rmSync(input, { recursive: true, force: true });
        fs.writeFileSync(input, '');
      }),
    ]);
    expect(code).to.equal(1);
    expect(err).to.match(/^geoflock: E[A-Z]+: /);
  });
});
