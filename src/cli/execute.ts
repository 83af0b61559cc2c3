import { CommanderError } from 'commander';
import { buildProgram } from './program.ts';
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE, type Output, UsageError } from './usage.ts';

/** Reads the command line, runs the command and resolves to the exit code. Never rejects. */
export async function execute(argv: readonly string[], output: Output): Promise<number> {
  let code = EXIT_OK;
  const program = buildProgram(output, (result) => {
    code = result;
  });
  if (argv.length === 0) {
    output.err(program.helpInformation());
    return EXIT_USAGE;
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    return exitCodeOf(error, output);
  }
}

/** Tells the user what went wrong, unless commander did. */
function exitCodeOf(error: unknown, output: Output): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  }
  if (error instanceof UsageError || (error instanceof Error && error.name === 'ConfigurationError')) {
    output.err(`geoflock: ${error.message}\n`);
    return EXIT_USAGE;
  }
  output.err(`geoflock: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT_FAILURE;
}
