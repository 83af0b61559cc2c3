import { replaceFile } from '../actors/reporter/replace-file.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';

/** Writes what a command was asked for to a file, as a whole, or to stdout where none is named. @returns exit code */
export async function writeResult(text: string, file: string | undefined, output: Output): Promise<number> {
  if (file === undefined) {
    output.out(text);
    return EXIT_OK;
  }
  try {
    await replaceFile(file, text);
    output.err(`written to ${file}\n`);
    return EXIT_OK;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    output.err(`geoflock: ${file} cannot be written: ${why}\n`);
    return EXIT_FAILURE;
  }
}
