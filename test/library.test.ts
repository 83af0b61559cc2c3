import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const COMPILER = path.join(PROJECT, 'node_modules/typescript/bin/tsc');

/** What the packed library imports, and what its declarations are to be checked with. */
const NEEDED = ['zod', '@types/node', 'undici-types'];

describe('the library', function () {
  this.timeout(120_000);
  let folder: string;

  const run = (command: string, ...args: readonly string[]): string => {
    const { status, stderr, stdout } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
    expect(status, `${stdout}${stderr}`).to.equal(0);
    return stdout;
  };

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-library-'));
    // The package as it would be installed, beside what it depends on.
    const packed = run('npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', folder, PROJECT);
    const modules = path.join(folder, 'node_modules');
    for (const name of NEEDED) {
      fs.mkdirSync(path.dirname(path.join(modules, name)), { recursive: true });
      fs.symlinkSync(path.join(PROJECT, 'node_modules', name), path.join(modules, name));
    }
    run('tar', '-xzf', packed.trim(), '-C', modules);
    fs.renameSync(path.join(modules, 'package'), path.join(modules, 'geoflock'));
  });

  after(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('does what its documentation shows', () => {
    const documentation = fs.readFileSync(path.join(PROJECT, 'docs/LIBRARY.md'), 'utf8');
    const [, example] = /<!-- example -->\n```js\n(.*?)```/s.exec(documentation) as unknown as [
      string,
      string,
    ];
    fs.writeFileSync(path.join(folder, 'example.mjs'), example);
    const { status, stderr, stdout } = spawnSync(process.execPath, ['example.mjs'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect({ status, stderr }).to.deep.equal({
      status: 0,
      stderr: 'line 5: latitude 122.35 is out of range [-90, 90]; is source.columns right?\n',
    });
    expect(stdout).to.match(/^2 clusters of 3 rows; 55 45 is 3,?9\d\d km from 1\n2\n$/);
  });

  it('has types, by which wrong use is told from right', () => {
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    const right = [
      "import { type Model, parseModel, predict, type Prediction, Predictor, RegionSummary } from 'geoflock';",
      "const model: Model = parseModel('');",
      'const prediction: Prediction = predict(model, 55, 45);',
      'const km: number = prediction.distanceKm;',
      'export { km, Predictor, RegionSummary };',
    ];
    fs.writeFileSync(path.join(folder, 'right.mts'), right.join('\n'));
    run(process.execPath, COMPILER, ...options, 'right.mts');
    fs.writeFileSync(
      path.join(folder, 'wrong.mts'),
      right.join('\n').replace('(model, 55, 45)', "(model, '55', 45)"),
    );
    const wrong = spawnSync(process.execPath, [COMPILER, ...options, 'wrong.mts'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(wrong.stdout).to.match(/^wrong\.mts\(3,\d+\): error TS2345: Argument of type 'string'/);
  });
});
