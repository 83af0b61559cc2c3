import { join } from 'node:path';
import { expect } from 'chai';
import type { Verdict } from './chaos.ts';
import { longestRunMs } from './chaos-run.ts';
import { CHAOS_MUTANTS, makeChaosMutant } from './mutants.ts';
import { chaosIsExact, type Extent, useChaos } from './suite.ts';

const SHORT: Extent = {
  faults: 1,
  outside: 1,
  stops: 1,
  files: 16,
  readyFiles: 3,
  rowsAFile: 4_000,
  partitions: 4,
  transactionBytes: '80KiB',
  withinMs: 480_000,
};
/** What was counted or is on the topic is not what was in the files. */
const INEXACT =
  /(lines of the topic|lines too many|lines that are missing|rows read|rows counted|weight): \d/;

describe('chaos on a Kafka', function () {
  this.timeout(longestRunMs(SHORT.withinMs));
  const suite = useChaos();

  it('leaves two replicas exact, in its short form (`npm run chaos` is the full one)', async () => {
    await chaosIsExact(suite, SHORT);
  });

  describe('of a broken Geoflock', () => {
    const verdicts = new Map<string, Promise<Verdict>>();

    // They wait for sessions to end more than they work, so all of them run at the same time.
    before(() => {
      for (const mutant of CHAOS_MUTANTS) {
        const name = mutant.name.replaceAll(/\W+/g, '-');
        const root = makeChaosMutant(mutant, join(suite.folder(), `mutant-${name}`));
        const verdict = suite.run(name, mutant.run, { plan: mutant.plan, killBroker: false, root });
        verdict.catch(() => undefined);
        verdicts.set(mutant.name, verdict);
      }
    });

    for (const { name } of CHAOS_MUTANTS) {
      it(`shows that ${name}`, async () => {
        const { problems } = (await verdicts.get(name)) ?? { problems: [] };
        suite.say(problems.join('; ').slice(0, 300));
        expect(problems.join('; ')).to.match(INEXACT);
      });
    }
  });
});
