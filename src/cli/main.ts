import { once } from 'node:events';
import { execute } from './execute.ts';
import { collectLessOften } from '../heap.ts';
import { EXIT_FAILURE } from './usage.ts';

collectLessOften();

let isRead = true;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  isRead = false;
  // A reader that has seen enough (`| head`) is no failure of the command.
  if (error.code !== 'EPIPE') {
    process.stderr.write(`geoflock: cannot write to stdout: ${error.message}\n`);
    process.exit(EXIT_FAILURE);
  }
});

const code = await execute(process.argv.slice(2), {
  out: (text) => {
    process.stdout.write(text);
  },
  err: (text) => {
    process.stderr.write(text);
  },
  ready: async () => {
    if (isRead && process.stdout.writableNeedDrain) {
      // Of a reader that is gone the error tells.
      await once(process.stdout, 'drain').catch(() => undefined);
    }
    return isRead;
  },
});
// Ends the process even if a command left a timer or watcher behind, but not before its output is out.
process.stdout.write('', () => {
  process.exit(code);
});
