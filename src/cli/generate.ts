import path from 'node:path';
import { generateFiles, type GenerateOptions } from '../generator/generate.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';
import { untilStopped } from './signals.ts';

/** `geoflock generate`. Progress goes to stderr, and only on a terminal. */
export async function generateCommand(options: GenerateOptions, output: Output): Promise<number> {
  const terminal = process.stderr.isTTY;
  const total = { files: 0, rows: 0 };
  const code = await untilStopped(async (signal) => {
    try {
      await generateFiles(options, signal, (file) => {
        total.files++;
        total.rows += file.rows;
        if (terminal) {
          output.err(
            `\r\u001b[K${String(total.files)} files, ${String(total.rows)} rows: ${path.basename(file.path)}`,
          );
        }
      });
      return EXIT_OK;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      output.err(`geoflock: cannot write to ${options.directory}: ${reason}\n`);
      return EXIT_FAILURE;
    }
  });
  if (terminal && total.files > 0) {
    output.err('\n');
  }
  return code;
}
