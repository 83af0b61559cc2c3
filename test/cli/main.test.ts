import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { until } from '../actors/pipeline/support.ts';
import { Processes } from '../support/processes.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const TSX = import.meta.resolve('tsx');

const running = new Processes();

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], cwd: string, environment: Record<string, string> = {}): ChildProcess {
  const env = { ...process.env, ...environment };
  return running.add(
    spawn(process.execPath, ['--import', TSX, MAIN, ...args], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}

describe('geoflock', () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-cli-'));
  });

  afterEach(async () => {
    await running.killAll();
    fs.rmSync(folder, { recursive: true });
  });

  function geoflock(args: string, environment: Record<string, string> = {}): Promise<Outcome> {
    return outcomeOf(start(args.split(' ').filter(Boolean), folder, environment));
  }

  it('prints its version', async () => {
    const manifest = fs.readFileSync(path.resolve(import.meta.dirname, '../../package.json'), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    expect(await geoflock('--version')).to.deep.equal({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('exits with 2 when its flags or configuration are wrong', async () => {
    const { code, stdout, stderr } = await geoflock('run --settle-timeout 60');
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
    expect(stderr).to.match(/^geoflock: invalid configuration:\n {2}input\.settleTimeout: "60" /);
  });

  it('prints the configuration from any working directory, beside another config folder', async () => {
    fs.mkdirSync(path.join(folder, 'config'));
    fs.writeFileSync(path.join(folder, 'config/default.json'), '{"port": 80}');
    fs.mkdirSync(path.join(folder, 'mine'));
    fs.writeFileSync(path.join(folder, 'mine/default.yaml'), 'clustering: {k: 7}');
    const environment = { GEOFLOCK_MODEL_EVERY: '9s', NODE_CONFIG_DIR: path.join(folder, 'config') };
    const { code, stdout, stderr } = await geoflock('config --config mine --log-level warn', environment);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.match(/^clustering\.k +7 +\S+mine\/default\.yaml$/m);
    expect(stdout).to.match(/^model\.every +9s +environment variable GEOFLOCK_MODEL_EVERY$/m);
    expect(stdout).to.match(/^log\.level +warn +flag --log-level$/m);
    expect(stdout).to.match(/^regions\.level +3 +\S+config\/default\.yaml$/m);
  });

  it('generates what the seed says, without a word on a pipe', async () => {
    const outcome = await geoflock('generate out 3 --files 2 --seed 1 --header original');
    expect(outcome).to.deep.equal({ code: 0, stdout: '', stderr: '' });
    const names = fs.readdirSync(path.join(folder, 'out')).sort();
    expect(names).to.deep.equal([
      'mobile_data_1767225600000000000.csv',
      'mobile_data_1767225610000000000.csv',
    ]);
    const lines = fs.readFileSync(path.join(folder, 'out', names[0] ?? ''), 'utf8').split('\n');
    expect(lines).to.have.length(5);
    expect(lines[0]).to.match(/,latitude,longitude,locked$/);
  });

  const signals: readonly (readonly [NodeJS.Signals, number])[] = [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ];
  for (const [signal, expected] of signals) {
    it(`generates until ${signal}, then exits with ${String(expected)} and leaves whole files`, async () => {
      const child = start(['generate', 'out', '5', '--every', '50ms'], folder);
      const outcome = outcomeOf(child);
      const out = path.join(folder, 'out');
      await until('two files are there', () => fs.existsSync(out) && fs.readdirSync(out).length >= 2, 40_000);
      child.kill(signal);
      expect(await outcome).to.deep.equal({ code: expected, stdout: '', stderr: '' });
      for (const name of fs.readdirSync(out)) {
        expect(fs.readFileSync(path.join(out, name), 'utf8').endsWith('\n')).to.equal(true);
      }
    });
  }
});
