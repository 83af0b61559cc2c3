/**
 * What every adapter of the broker port keeps: one suite, run against each (`embedded.test.ts`,
 * `kafka.test.ts`). What only one of them can do is tested in its own folder.
 */
import { groupTests } from './conformance/groups.ts';
import { readingTests } from './conformance/reading.ts';
import { type BrokerFixture, Scene, type Traits } from './conformance/scene.ts';
import { tableTests } from './conformance/tables.ts';
import { topicTests } from './conformance/topics.ts';
import { transactionTests } from './conformance/transactions.ts';

export function describeBroker(name: string, traits: Traits, fixtureOf: () => Promise<BrokerFixture>): void {
  describe(`broker conformance: ${name}`, () => {
    const scene = new Scene(fixtureOf);

    beforeEach(async () => {
      await scene.begin();
    });

    afterEach(async () => {
      await scene.end();
    });

    topicTests(scene, traits);
    transactionTests(scene);
    readingTests(scene);
    tableTests(scene);
    groupTests(scene);
  });
}
