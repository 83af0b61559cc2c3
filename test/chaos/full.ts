/** `npm run chaos`. Not a `.test.ts`, so that `npm test` runs only the short form. */
import { longestRunMs } from './chaos-run.ts';
import { chaosIsExact, type Extent, useChaos } from './suite.ts';

const FULL: Extent = {
  faults: 4,
  outside: 4,
  stops: 3,
  files: 20,
  readyFiles: 3,
  rowsAFile: 50_000,
  partitions: 8,
  transactionBytes: '256KiB',
  withinMs: 540_000,
};

describe('chaos on a Kafka, in full', function () {
  this.timeout(longestRunMs(FULL.withinMs));
  const suite = useChaos();

  it('leaves two replicas exact over 1,000,000 rows in 20 files', async () => {
    await chaosIsExact(suite, FULL);
  });
});
