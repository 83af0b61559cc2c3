import { expect } from 'chai';
import { CHAOS_MUTANTS, makeChaosMutant } from './mutants.ts';
import { chaosIsExact, type Extent, useChaos } from './suite.ts';
import { join } from 'node:path';

const SHORT: Extent = {
  faults: 1,
  outside: 1,
  stops: 1,
  files: 16,
  rowsAFile: 4_000,
  partitions: 4,
  transactionBytes: '80KiB',
  withinMs: 240_000,
};
const OF_A_MUTANT = { ...SHORT, files: 8, rowsAFile: 8_000, withinMs: 120_000 };

describe('chaos on a Kafka', function () {
  this.timeout(400_000);
  const suite = useChaos();

  it('leaves two replicas exact, in its short form (`npm run chaos` is the full one)', async () => {
    await chaosIsExact(suite, SHORT);
  });

  for (const mutant of CHAOS_MUTANTS) {
    it(`shows where ${mutant.name}`, async () => {
      const name = mutant.name.replaceAll(/\W+/g, '-');
      const root = makeChaosMutant(mutant, join(suite.folder(), `mutant-${name}`));
      const { problems } = await suite.run(name, OF_A_MUTANT, { plan: mutant.plan, killBroker: false, root });
      suite.say(problems.join('; ').slice(0, 300));
      expect(problems.join('; ')).to.match(/lines too many: [1-9]|lines that are missing: [1-9]|weight: \d/);
    });
  }
});
