import { expect } from 'chai';
import type { AssignmentListener, Membership } from '../../../src/broker/broker.ts';
import { FencedError, NotOwnerError } from '../../../src/broker/errors.ts';
import { eventually, failure, readAll, record } from '../helpers.ts';
import type { Scene } from './scene.ts';

/** What a member was told, in order. */
class Told implements AssignmentListener {
  readonly events: string[] = [];
  readonly memberships: Membership[] = [];

  async assigned(partitions: readonly number[], membership: Membership): Promise<void> {
    this.events.push(...partitions.map((partition) => `assigned ${String(partition)}`));
    this.memberships.push(membership);
    await Promise.resolve();
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    this.events.push(...partitions.map((partition) => `revoked ${String(partition)}`));
    await Promise.resolve();
  }

  failed(error: Error): void {
    this.events.push(`failed ${error.message}`);
  }
}

export function groupTests(scene: Scene): void {
  describe('a member of a group', () => {
    it('is assigned the partitions of a log, and revoked when it leaves', async () => {
      const told = new Told();
      const membership = await scene.broker.join(scene.fixture.named('g'), scene.log, told);
      expect(membership.group).to.equal(scene.fixture.named('g'));
      await eventually(() => {
        expect(membership.owned).to.have.members([0, 1, 2]);
        expect(told.events).to.have.members(['assigned 0', 'assigned 1', 'assigned 2']);
      });
      expect(told.memberships.every((one) => one === membership)).to.equal(true);
      await membership.leave();
      expect(membership.owned).to.deep.equal([]);
      expect(told.events.slice(3)).to.have.members(['revoked 0', 'revoked 1', 'revoked 2']);
      await membership.leave();
      expect(told.events).to.have.length(6);
    });

    it('is assigned the partitions of a table', async () => {
      const membership = await scene.broker.join(scene.fixture.named('g'), scene.table, new Told());
      await eventually(() => {
        expect(membership.owned).to.have.members([0, 1]);
      });
      await membership.leave();
    });

    it('owns a partition while it is told of it, and may open a writer there', async () => {
      const { broker, log } = scene;
      const errors: unknown[] = [];
      const opened: string[] = [];
      const membership = await broker.join(scene.fixture.named('g'), log, {
        assigned: async (partitions, mine) => {
          for (const partition of partitions) {
            expect(mine.owned).to.contain(partition);
            const writer = await broker.openWriter(`rows-${String(partition)}`, {
              membership: mine,
              partition,
            });
            opened.push(writer.name);
          }
        },
        revoked: () => Promise.resolve(),
        failed: (error) => {
          errors.push(error);
        },
      });
      await eventually(() => {
        expect(opened).to.have.members(['rows-0', 'rows-1', 'rows-2']);
      });
      expect(errors).to.deep.equal([]);
      await membership.leave();
    });

    it('that no longer owns a partition is refused its writer, and fences nobody', async () => {
      const { broker, log } = scene;
      const former = await broker.join(scene.fixture.named('g'), log, new Told());
      await eventually(() => {
        expect(former.owned).to.have.length(3);
      });
      const mine = await broker.openWriter('rows-1', { membership: former, partition: 1 });
      await former.leave();
      const rightful = await (await scene.beside()).openWriter('rows-1');
      expect(await failure(mine.begin().commit())).to.be.instanceOf(FencedError);

      const refused = await failure(broker.openWriter('rows-1', { membership: former, partition: 1 }));
      expect(refused).to.be.instanceOf(NotOwnerError);
      expect((refused as Error).message).to.contain('partition 1');
      const transaction = rightful.begin();
      transaction.append(log, 1, [record('undisturbed')]);
      await transaction.commit();
      expect(await readAll(broker, 1, 0, log)).to.deep.equal(['undisturbed']);
    });

    it('may tell more than once how far it has consumed', async () => {
      const { broker, log } = scene;
      const membership = await broker.join(scene.fixture.named('g'), log, new Told());
      await eventually(() => {
        expect(membership.owned).to.have.length(3);
      });
      await broker.consumedUpTo(log, 0, 0);
      await broker.consumedUpTo(log, 0, 0);
      await membership.leave();
    });
  });
}
