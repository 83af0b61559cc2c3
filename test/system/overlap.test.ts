import { expect } from 'chai';
import fc from 'fast-check';
import { type ActorContext, type ActorDefinition, addressOf } from '../../src/system/actor.ts';
import { createActorSystem } from '../../src/system/actor-system.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { settle, SimulatedClock } from '../support/simulated-clock.ts';
import { restarting } from './harness.ts';

interface Work {
  readonly sequence: number;
  /** How long the handler awaits, in simulated ms. */
  readonly ms: number;
  readonly then: 'return' | 'throw' | 'fail-and-go-on';
}

interface Life {
  incarnation: number;
  handlers: number;
}

/**
 * Watches one place: whatever is between its setup and the end of `stopped` belongs to one
 * incarnation, and at most one handler runs.
 */
class Watch {
  readonly #lives = new Map<string, Life>();
  readonly violations: string[] = [];
  readonly sequences = new Map<string, number[]>();

  born({ path, incarnation }: ActorContext<Work>): void {
    const life = this.#lives.get(path);
    if (life !== undefined) {
      this.violations.push(
        `${path}~${String(incarnation)} was born while ~${String(life.incarnation)} lived`,
      );
    }
    this.#lives.set(path, { incarnation, handlers: 0 });
  }

  died({ path }: ActorContext<Work>): void {
    if (this.#lives.get(path)?.handlers !== 0) {
      this.violations.push(`${path} died while a handler ran`);
    }
    this.#lives.delete(path);
  }

  async handler(context: ActorContext<Work>, sequence: number, work: () => Promise<void>): Promise<void> {
    const life = this.#lives.get(context.path);
    if (life?.incarnation !== context.incarnation || life.handlers !== 0 || context.signal.aborted) {
      this.violations.push(`${context.path}~${String(context.incarnation)} handled out of turn`);
    }
    const sequences = this.sequences.get(context.path) ?? [];
    sequences.push(sequence);
    this.sequences.set(context.path, sequences);
    try {
      this.#count(context, 1);
      await work();
    } finally {
      this.#count(context, -1);
    }
  }

  #count({ path }: ActorContext<Work>, by: number): void {
    const life = this.#lives.get(path);
    if (life !== undefined) {
      life.handlers += by;
    }
  }
}

function watched(
  watch: Watch,
  name: string,
  policy: ReturnType<typeof restarting>,
  children: readonly ActorDefinition<Work>[] = [],
): ActorDefinition<Work> {
  return {
    name,
    children: policy,
    setup: async (context) => {
      watch.born(context);
      const pause = (ms: number): Promise<void> =>
        new Promise((resolve) => void context.clock.after(ms, resolve));
      for (const child of children) {
        context.spawn(child);
      }
      await pause(1);
      return {
        receive: (work) =>
          watch.handler(context, work.sequence, async () => {
            if (work.then === 'fail-and-go-on') {
              context.fail(new Error('from outside'));
            }
            if (work.ms > 0) {
              await pause(work.ms);
            }
            if (work.then === 'throw') {
              throw new Error('from the handler');
            }
          }),
        stopped: async () => {
          await pause(3);
          watch.died(context);
        },
      };
    },
  };
}

const PLACES = ['top/m', 'top/m/a', 'top/m/b', 'top/n', 'top/n/a', 'top/n/b'];

describe('one at a time', () => {
  it('no two handlers of a place overlap, nor two incarnations, under any failures', async () => {
    let restarts = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('one-for-one', 'rest-for-one', 'all-for-one'),
        fc.constantFrom('one-for-one', 'rest-for-one', 'all-for-one'),
        fc.array(
          fc.record({
            place: fc.constantFrom(...PLACES),
            ms: fc.constantFrom(0, 1, 7, 40, 300),
            then: fc.constantFrom('return', 'return', 'return', 'throw', 'fail-and-go-on'),
            gap: fc.constantFrom(0, 0, 1, 5, 60, 250),
          }),
          { minLength: 5, maxLength: 40 },
        ),
        async (upper, lower, script) => {
          const clock = new SimulatedClock();
          const system = createActorSystem({ name: 't', clock, random: () => 0, log: silentLogger });
          const watch = new Watch();
          const pair = (): ActorDefinition<Work>[] =>
            ['a', 'b'].map((name) => watched(watch, name, restarting(lower)));
          const middles = ['m', 'n'].map((name) => watched(watch, name, restarting(lower, 3), pair()));
          system.start(watched(watch, 'top', restarting(upper, 1_000), middles));
          await clock.advance(5);
          for (const [sequence, { place, ms, then, gap }] of script.entries()) {
            system.tell(addressOf<Work>(place), { sequence, ms, then });
            await (gap === 0 ? settle(1) : clock.advance(gap));
          }
          await clock.advance(20_000);
          expect(watch.violations).to.deep.equal([]);
          for (const sequences of watch.sequences.values()) {
            expect(sequences).to.deep.equal([...sequences].sort((a, b) => a - b));
          }
          // Everybody is back, and every message was handled or counted as dead.
          const infos = system.inspect();
          expect(infos.map(({ path }) => path)).to.have.members(['top', ...PLACES]);
          expect(new Set(infos.map(({ state }) => state))).to.deep.equal(new Set(['running']));
          const handled = [...watch.sequences.values()].reduce((sum, { length }) => sum + length, 0);
          expect(handled + system.deadLetters.total).to.equal(script.length);
          restarts += infos.reduce((sum, info) => sum + info.restarts, 0);
          const stopped = system.stop();
          await clock.advance(1_000);
          await stopped;
          expect(watch.violations).to.deep.equal([]);
          expect(await system.terminated).to.deep.equal({ kind: 'stopped' });
        },
      ),
      { numRuns: 25 },
    );
    expect(restarts).to.be.greaterThan(25);
  });
});
