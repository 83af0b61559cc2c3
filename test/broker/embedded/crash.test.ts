import { spawn } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts';
import { eventually, readAll, text } from '../helpers.ts';
import { openAt, removeDirectory, temporaryDirectory } from '../fixtures.ts';
import { Processes } from '../../support/processes.ts';

const CHILD = new URL('./child.ts', import.meta.url).pathname;
const running = new Processes();
const TOPICS = [
  { name: 'log', kind: 'log', partitions: 3 },
  { name: 'table', kind: 'table', partitions: 2 },
] as const;

/** Runs the commit loop in `directory`, kills it `afterMs` after its first commit. */
async function killedRun(
  directory: string,
  afterMs: number,
): Promise<{ committed: number; flushed: number }> {
  const child = running.add(
    spawn(process.execPath, ['--import=tsx', CHILD, 'commit', directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  let output = '';
  const exited = new Promise((resolve) => child.once('close', resolve));
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString('utf8');
  });
  await eventually(() => {
    expect(output).to.match(/^flushed 0$/m);
  });
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  child.kill('SIGKILL');
  await exited;
  const last = (what: string): number =>
    Number([...output.matchAll(new RegExp(`^${what} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? -1);
  return { committed: last('committed'), flushed: last('flushed') };
}

/** How many transactions the store holds, checked to be whole: every partition and the table agree. */
async function transactionsIn(broker: EmbeddedBroker): Promise<number> {
  await broker.declareTopics(TOPICS);
  const counts: number[] = [];
  for (let partition = 0; partition < 3; partition++) {
    const numbers = (await readAll(broker, partition)).filter((value) => !value.startsWith('\0'));
    expect(numbers).to.deep.equal(numbers.map((_, at) => String(at)));
    counts.push(numbers.length);
  }
  const newest = await broker.tableGet('table', 0, 'n');
  counts.push(newest === undefined ? 0 : Number(text(newest)) + 1);
  expect(new Set(counts).size, `transactions seen: ${counts.join()}`).to.equal(1);
  return counts[0] ?? 0;
}

describe('an embedded store whose process is killed', () => {
  let parent: string;

  beforeEach(async () => {
    parent = await temporaryDirectory();
  });

  afterEach(async () => {
    await running.killAll();
    await removeDirectory(parent);
  });

  for (const afterMs of [7, 60, 171]) {
    it(`holds exactly whole transactions, ${String(afterMs)} ms into a commit loop`, async () => {
      const directory = join(parent, 'store');
      const { committed, flushed } = await killedRun(directory, afterMs);
      expect(flushed).to.be.at.least(0);

      // The loss of power, on a copy: only what was flushed is promised.
      const copy = join(parent, 'copy');
      await mkdir(copy);
      await copyFile(join(directory, 'data.mdb'), join(copy, 'data.mdb'));
      const restored = await openAt(copy, { safeRestore: true });
      const afterPowerLoss = await transactionsIn(restored);
      expect(afterPowerLoss).to.be.at.least(flushed + 1);
      await restored.close();

      const broker = await openAt(directory);
      const afterKill = await transactionsIn(broker);
      // The one under way may have become visible before its process could say so.
      expect(afterKill).to.be.within(committed + 1, committed + 2);
      expect(afterPowerLoss).to.be.at.most(afterKill);

      // And it goes on from there.
      const writer = await broker.openWriter('w');
      const transaction = writer.begin();
      transaction.append('log', 0, [{ key: null, value: Buffer.from(String(afterKill)), timestamp: 0 }]);
      await transaction.commit();
      expect((await readAll(broker, 0)).at(-1)).to.equal(String(afterKill));
      await broker.close();
    });
  }
});
