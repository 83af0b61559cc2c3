import { execute } from './execute.ts';
import { collectLessOften } from '../heap.ts';
import { EXIT_FAILURE } from './usage.ts';

collectLessOften();

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
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
});
// Ends the process even if a command left a timer or watcher behind, but not before its output is out.
process.stdout.write('', () => {
  process.exit(code);
});
