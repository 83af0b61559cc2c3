import { writeSync } from 'node:fs';
import Mocha from 'mocha';

/** How long the process may live on after the last test, in milliseconds. */
const LINGER_LIMIT = 60_000;

/**
 * mocha's spec reporter, followed by one line that programs can read, the last of the run:
 * `N passed, N failed`, with `, N skipped` when tests were pending.
 *
 * It is written when the process exits, so that nothing follows it. A run that fails without a failed
 * test (no tests at all, an error thrown after the last one, a process that doesn't end) counts as one
 * failure.
 */
export default class TotalsReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    runner.once('end', () => {
      // mocha sets the exit code in a listener that it adds after this event: ours has to come later.
      setImmediate(() => {
        process.once('exit', (code) => {
          this.#writeTotals(Math.max(runner.failures, runner.stats?.failures ?? 0), code);
        });
      });
      setTimeout(endLingering, LINGER_LIMIT).unref();
    });
  }

  #writeTotals(failures: number, code: number): void {
    const failed = failures === 0 && code !== 0 ? 1 : failures;
    if (failed > 0) process.exitCode = 1;
    const skipped = this.stats.pending === 0 ? '' : `, ${String(this.stats.pending)} skipped`;
    writeSync(1, `${String(this.stats.passes)} passed, ${String(failed)} failed${skipped}\n`);
  }
}

/** Ends a process that something left open would keep alive, and says what it was. */
function endLingering(): void {
  const open = process.getActiveResourcesInfo().join(', ');
  writeSync(2, `The tests are over, but the process does not end. Still open: ${open}\n`);
  process.exit(1);
}
