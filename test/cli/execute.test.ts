import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { execute } from '../../src/cli/execute.ts';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process. */
async function geoflock(...args: string[]): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const code = await execute(args, {
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
  });
  return { code, stdout, stderr };
}

describe('execute', () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-cli-'));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  const wrong: readonly (readonly [string, string])[] = [
    ['', 'Usage: geoflock'],
    ['rnu', "geoflock: unknown command 'rnu'\n(Did you mean run?)"],
    ['--nope', "geoflock: unknown option '--nope'"],
    ['run --onec', "geoflock: unknown option '--onec'\n(Did you mean --once?)"],
    ['run --json', 'geoflock: --json needs --once'],
    ['run --settle-timeout 60', 'input.settleTimeout: "60" (flag --settle-timeout): expected a duration'],
    ['run --log-level loud', 'log.level: "loud" (flag --log-level): expected one of debug'],
    ['run --once --input FOLDER/none', 'geoflock: no input folder: FOLDER/none does not exist'],
    ['run --once --input FOLDER/file', 'geoflock: no input folder: FOLDER/file is not a folder'],
    ['run --config FOLDER/none', '--config "FOLDER/none": expected a readable folder'],
    ['demo --duration 20', 'Expected a duration with its unit'],
    ['config --config FOLDER/none', '--config "FOLDER/none": expected a readable folder'],
    ['generate', "missing required argument 'dir'"],
    ['generate FOLDER/out -1', 'Expected a whole number of at least 0.'],
    ['generate FOLDER/out 1.5', 'Expected a whole number of at least 0.'],
    ['generate FOLDER/out --files 0', 'Expected a whole number of at least 1.'],
    ['generate FOLDER/out --shape ring', "argument 'ring' is invalid. Allowed choices are uniform, cities."],
    ['generate FOLDER/out --bad 0.001', 'Expected a share from 0% to 100%, such as 0.1%.'],
    ['generate FOLDER/out --bad 100.1%', 'Expected a share from 0% to 100%, such as 0.1%.'],
    ['generate FOLDER/out --cities 3 --noise 1%', '--cities, --noise needs --shape cities'],
    ['generate FOLDER/out --header false', 'Allowed choices are true, original.'],
    ['generate FOLDER/out --every 10', 'Expected a duration with its unit'],
    ['generate FOLDER/out 1 2', "too many arguments for 'generate'"],
  ];
  for (const [line, message] of wrong) {
    it(`refuses "geoflock ${line}" with 2 and a message`, async () => {
      fs.writeFileSync(path.join(folder, 'file'), '');
      const args = line.replaceAll('FOLDER', folder).split(' ').filter(Boolean);
      const { code, stdout, stderr } = await geoflock(...args);
      expect(code).to.equal(2);
      expect(stdout).to.equal('');
      expect(stderr).to.include(message.replaceAll('FOLDER', folder));
      expect(fs.readdirSync(folder)).to.deep.equal(['file']);
    });
  }

  it('prints help to stdout and exits with 0', async () => {
    for (const args of [['--help'], ['-h'], ['help'], ['generate', '--help'], ['help', 'generate']]) {
      const { code, stdout, stderr } = await geoflock(...args);
      expect({ code, stderr }, args.join(' ')).to.deep.equal({ code: 0, stderr: '' });
      expect(stdout).to.include(args.includes('generate') ? '--seed' : 'Commands:');
    }
  });

  it('prints the configuration as JSON', async () => {
    const { code, stdout } = await geoflock('config', '--json', '--state', folder);
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.have.nested.property('supervision.window.value', 60_000);
    expect(JSON.parse(stdout)).to.have.nested.property('state.directory.source', 'flag --state');
  });

  it('generates 20 rows by default', async () => {
    expect(await geoflock('generate', folder, '--files', '1')).to.include({ code: 0, stdout: '' });
    const [name] = fs.readdirSync(folder);
    expect(fs.readFileSync(path.join(folder, name ?? ''), 'utf8').split('\n')).to.have.length(22);
  });

  it('exits with 1 when it cannot write', async () => {
    fs.writeFileSync(path.join(folder, 'file'), '');
    const { code, stderr } = await geoflock('generate', path.join(folder, 'file/out'), '--files', '1');
    expect(code).to.equal(1);
    expect(stderr).to.match(/^geoflock: cannot write to .*file\/out: ENOTDIR/);
  });
});
