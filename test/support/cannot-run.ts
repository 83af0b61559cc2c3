/**
 * What a test needs is not on this machine: it is skipped, and says so. With `CI` set that is a failure, because
 * there nobody would see it.
 */
export function cannotRun(test: Mocha.Context, why: string, cause?: unknown): never {
  if (process.env['CI'] !== undefined && process.env['CI'] !== '') {
    throw new Error(why, { cause });
  }
  process.stderr.write(`skipped: ${why}\n`);
  test.skip();
}
