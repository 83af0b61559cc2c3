import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The program itself: loading it is running it. */
const PROGRAM = 'cli/main.ts';

describe('modules', () => {
  // It also shows files that no test loads to the coverage report, which knows loaded files only.
  it('loading every module prints nothing and leaves nothing open', async () => {
    const modules = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts') && path !== PROGRAM)
      .map((path) => `await import('./src/${path}');`);
    expect(modules).not.to.be.empty;

    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type', 'module', '--eval', modules.join('\n')],
      { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: 55_000 },
    );
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null, string | null]>,
    ]);

    expect({ stdout, stderr, code, signal }).to.deep.equal({ stdout: '', stderr: '', code: 0, signal: null });
  }).timeout(60_000);
});
