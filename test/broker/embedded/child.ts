/**
 * A process for the tests to kill, or to run as somebody else.
 *
 *     child.ts open <directory> <uid>     prints how opening ended
 *     child.ts commit <directory>         commits without end; prints `committed n` and `flushed n`
 */
import { writeSync } from 'node:fs';
import { openAt } from '../fixtures.ts';

const [task, directory = '', uid = ''] = process.argv.slice(2);

function print(line: string): void {
  writeSync(1, `${line}\n`);
}

async function commitWithoutEnd(): Promise<void> {
  const broker = await openAt(directory);
  await broker.declareTopics([
    { name: 'log', kind: 'log', partitions: 3 },
    { name: 'table', kind: 'table', partitions: 2 },
  ]);
  const writer = await broker.openWriter('w');
  for (let n = 0; ; n++) {
    const transaction = writer.begin();
    for (let partition = 0; partition < 3; partition++) {
      transaction.append('log', partition, [
        { key: null, value: Buffer.from(String(n)), timestamp: n },
        { key: null, value: new Uint8Array(20_000), timestamp: n },
      ]);
    }
    transaction.put('table', 0, 'n', Buffer.from(String(n)));
    const { flushed } = await transaction.commit();
    print(`committed ${String(n)}`);
    void flushed.then(() => {
      print(`flushed ${String(n)}`);
    });
  }
}

if (task === 'open') {
  process.setgid?.(Number(uid));
  process.setuid?.(Number(uid));
  try {
    await (await openAt(directory)).close();
    print('opened');
  } catch (error) {
    print(String(error));
  }
} else {
  await commitWithoutEnd();
}
