'use strict';

const inCi = Boolean(process.env.CI);

// mocha hands the node options below to a child process, so what is set here holds for the whole test run
// and for every process that a test starts. `npm run check:coverage` judges the data afterwards, so that CI
// measures coverage without running the tests twice.
if (inCi) process.env.NODE_V8_COVERAGE ??= `${__dirname}/coverage/tmp`;

module.exports = {
  'node-option': ['import=tsx'],
  require: ['./test/support/import-tests.cjs'],
  reporter: './test/support/reporter.ts',
  // Above every deadline of what a test waits for, which names it; a slow machine is no failure.
  timeout: 150_000,
  slow: 2_000,
  forbidOnly: inCi,
  failZero: true,
};
