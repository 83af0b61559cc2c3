import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const HEAP = new URL('../dist/heap.js', import.meta.url).href;

/** Counts the collections of the whole heap while buffers come and go beside a heap of 20 MB. */
const PROGRAM = `
  import { PerformanceObserver, constants } from 'node:perf_hooks';
  import { setImmediate as nextTurn } from 'node:timers/promises';
  const { collectLessOften } = await import(${JSON.stringify(HEAP)});
  if (process.argv[1] === 'seldom') collectLessOften();
  let collections = 0;
  new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++;
    }
  }).observe({ entryTypes: ['gc'] });
  const alive = Array.from({ length: 250_000 }, (_, at) => ({ at, text: String(at) }));
  const buffers = [];
  for (let made = 0; made < 4_000; made++) {
    buffers[made % 8] = Buffer.allocUnsafeSlow(256 * 1024);
    if (made % 8 === 0) await nextTurn();
  }
  await nextTurn();
  console.log(collections, alive.length);
`;

describe('the heap of the command', () => {
  it('is collected less often where memory is little', () => {
    const collections = (how: 'seldom' | 'by default'): number => {
      const flags = ['--max-old-space-size=200', '--max-semi-space-size=1', '--input-type=module'];
      const output = execFileSync(process.execPath, [...flags, '--eval', PROGRAM, how], {
        encoding: 'utf8',
        cwd: fileURLToPath(new URL('..', import.meta.url)),
      });
      return Number(output.split(' ')[0]);
    };
    expect(collections('seldom')).to.be.below(0.7 * collections('by default'));
  });
});
