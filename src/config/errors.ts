/**
 * The configuration cannot be used. `problems` holds one line each, naming the key, the value and
 * what was expected; the command line prints them all and exits with 2.
 */
export class ConfigurationError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`invalid configuration:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigurationError';
    this.problems = problems;
  }
}
