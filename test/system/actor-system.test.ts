import { expect } from 'chai';
import { type Address, addressOf } from '../../src/system/actor.ts';
import { AskTimeoutError } from '../../src/system/actor-system.ts';
import { settle } from '../support/simulated-clock.ts';
import { at, createWorld, gate, type Order, restarting, scripted } from './harness.ts';

const note = (text: string): Order => ({ do: 'note', text });

interface Question {
  readonly value: number;
  readonly reply: ((answer: number) => void) | undefined;
}

function startDoubler(world: ReturnType<typeof createWorld>): Address<Question> {
  return world.system.start<Question>({
    name: 'doubler',
    setup: () => ({
      receive: ({ value, reply }) => {
        reply?.(2 * value);
        reply?.(0);
      },
    }),
  });
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('did not reject'),
    (error: unknown) => error,
  );
}

describe('ActorSystem', () => {
  it('handles messages one at a time, in order, those before the setup included', async () => {
    const world = createWorld();
    const busy = gate();
    const address = world.system.start(scripted(world, 'a', { setup: () => settle(3) }));
    world.system.tell(address, { do: 'await', gate: busy.promise, text: 'first' });
    world.system.tell(address, note('second'));
    await settle();
    expect(world.info('a').mailbox).to.equal(1);
    busy.open();
    await settle();
    expect(world.events).to.deep.equal(['a~1 setup', 'a~1 first begins', 'a~1 first ends', 'a~1 second']);
  });

  it('mailboxes are bounded, before the setup too: tell returns false and counts', async () => {
    const world = createWorld({ mailboxLimit: 2 });
    const { system, deadLetters } = { system: world.system, deadLetters: world.system.deadLetters };
    const address = system.start(scripted(world, 'a'));
    expect([1, 2, 3].map((text) => system.tell(address, note(String(text))))).to.deep.equal([
      true,
      true,
      false,
    ]);
    await settle();
    const busy = gate();
    system.tell(address, { do: 'await', gate: busy.promise, text: 'work' });
    await settle();
    expect([4, 5, 6, 7].map((text) => system.tell(address, note(String(text))))).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
    expect(deadLetters.counts()).to.deep.equal([{ path: 'a', reason: 'mailbox-full', count: 3 }]);
    busy.open();
    await settle();
    expect(world.events.at(-1)).to.equal('a~1 5');
    expect(system.tell(address, note('room again'))).to.equal(true);
  });

  it('dead letters: counted by path and reason, the last ones visible', async () => {
    const world = createWorld();
    const { system, clock } = world;
    for (let letter = 0; letter < 5; letter++) {
      expect(system.tell(at('nobody'), note('?'))).to.equal(false);
      await clock.advance(1);
    }
    const address = system.start(scripted(world, 'a'));
    system.tell(address, note('too late'));
    const stopped = system.stop();
    expect(system.tell(address, note('later still'))).to.equal(false);
    await stopped;
    expect(system.deadLetters.counts()).to.deep.equal([
      { path: 'nobody', reason: 'unknown-receiver', count: 5 },
      { path: 'a', reason: 'stopped', count: 2 },
    ]);
    expect(system.deadLetters.total).to.equal(7);
    expect(system.deadLetters.recent()).to.have.length(3);
    expect(system.deadLetters.recent()[0]).to.deep.include({ path: 'nobody', at: clock.now() - 1 });
  });

  it('ask resolves with the first answer', async () => {
    const world = createWorld();
    const doubler = startDoubler(world);
    expect(
      await world.system.ask<Question, number>(doubler, (reply) => ({ value: 21, reply }), 100),
    ).to.equal(42);
    expect(world.clock.pending).to.equal(0);
  });

  it('ask rejects after the timeout, and at once when nobody got the question', async () => {
    const world = createWorld();
    const doubler = startDoubler(world);
    const silent = rejection(
      world.system.ask<Question, number>(doubler, () => ({ value: 1, reply: undefined }), 100),
    );
    await world.clock.advance(100);
    expect(await silent)
      .to.be.instanceOf(AskTimeoutError)
      .and.include({ path: 'doubler', delivered: true });
    const unknown: unknown = await rejection(world.system.ask(at('nobody'), () => note('?'), 100));
    expect(unknown).to.be.instanceOf(AskTimeoutError).and.include({ path: 'nobody', delivered: false });
    expect(world.clock.pending).to.equal(0);
  });

  it('an asking actor that is stopped waits no longer for its answer', async () => {
    const world = createWorld();
    const doubler = startDoubler(world);
    const address = world.system.start(scripted(world, 'a'));
    let outcome: unknown;
    world.system.tell(address, {
      do: 'run',
      run: async (context) => {
        const asked = context.ask<Question, number>(doubler, () => ({ value: 1, reply: undefined }), 60_000);
        outcome = await rejection(asked);
      },
    });
    await settle();
    await world.system.stop();
    expect(outcome).to.have.property('name', 'AbortError');
    expect(await world.system.terminated).to.deep.equal({ kind: 'stopped' });
  });

  it('stops in reverse order, each after its children, handlers in flight and background work', async () => {
    const world = createWorld();
    const { events, system } = world;
    const flushed = gate();
    const children = [scripted(world, 'a1'), scripted(world, 'a2')];
    const a = system.start(scripted(world, 'a', { children }));
    const b = system.start(scripted(world, 'b'));
    system.tell(b, {
      do: 'run',
      run: (context) => {
        context.background(async (signal) => {
          await new Promise((resolve) => {
            signal.addEventListener('abort', resolve, { once: true });
          });
          await flushed.promise;
          events.push('b flushed');
          throw new Error('ignored after the abort');
        });
      },
    });
    system.tell(a, { do: 'await', gate: flushed.promise, text: 'work' });
    await settle();
    events.length = 0;
    const stopped = system.stop();
    void system.stop();
    await settle();
    expect(events).to.deep.equal([]);
    flushed.open();
    await stopped;
    expect(events).to.deep.equal([
      'a~1 work ends',
      'b flushed',
      'b~1 stopped',
      'a2~1 stopped',
      'a1~1 stopped',
      'a~1 stopped',
    ]);
    expect(system.inspect()).to.deep.equal([]);
    expect(await system.terminated).to.deep.equal({ kind: 'stopped' });
  });

  it('a stopped() that fails on the way down ends the system as failed', async () => {
    const world = createWorld();
    const leaf = scripted(world, 'leaf', { stopped: () => Promise.reject(new Error('not flushed')) });
    world.system.start(scripted(world, 'a', { children: [leaf] }));
    await settle();
    await world.system.stop();
    const exit = await world.system.terminated;
    expect(exit).to.include({ kind: 'failed', path: 'a/leaf' });
    expect(exit).to.have.nested.property('error.message', 'not flushed');
    expect(world.events.at(-1)).to.equal('a~1 stopped');
  });

  it('a stop in a restart delay waits for no delay and starts nobody', async () => {
    const world = createWorld();
    const { system, clock, events } = world;
    const child = scripted(world, 'child');
    system.start(scripted(world, 'a', { children: [child], policy: restarting('one-for-one') }));
    await settle();
    system.tell(at('a/child'), { do: 'throw' });
    await settle();
    system.tell(at('a/child'), note('stashed'));
    await system.stop();
    await clock.advance(1_000);
    expect(events).not.to.include('child~2 setup');
    expect(system.deadLetters.counts()).to.deep.include({ path: 'a/child', reason: 'stopped', count: 1 });
    expect(clock.pending).to.equal(0);
  });

  it('inspect lists the tree, parents first', async () => {
    const world = createWorld();
    const children = [scripted(world, 'x'), scripted(world, 'y')];
    world.system.start(scripted(world, 'a', { children }));
    world.system.start(scripted(world, 'b'));
    await settle();
    expect(world.system.inspect().map(({ path }) => path)).to.deep.equal(['a', 'a/x', 'a/y', 'b']);
    expect(world.info('a/x')).to.deep.equal({
      path: 'a/x',
      state: 'running',
      incarnation: 1,
      restarts: 0,
      mailbox: 0,
      lastError: undefined,
    });
  });

  it('refuses names that are taken or no names', () => {
    const world = createWorld();
    world.system.start(scripted(world, 'a'));
    expect(() => world.system.start(scripted(world, 'a'))).to.throw('has an actor a');
    for (const name of ['', 'a/b', 'a~2', 'a b', 'ä']) {
      expect(() => world.system.start(scripted(world, name)), name).to.throw('actor name');
    }
  });
});

describe('ActorContext', () => {
  it('after: sends to self once, and not when cancelled or stopped', async () => {
    const world = createWorld();
    const { clock, system, events } = world;
    const address = system.start(scripted(world, 'a'));
    system.tell(address, {
      do: 'run',
      run: (context) => {
        context.after(10, note('ten'));
        context.after(20, note('cancelled'))();
        context.after(1_000, note('too late'));
      },
    });
    await clock.advance(100);
    expect(events.slice(1)).to.deep.equal(['a~1 ten']);
    await system.stop();
    expect(clock.pending).to.equal(0);
  });

  it('stop: resolves when the subtree has stopped; the name is free then, the incarnation new', async () => {
    const world = createWorld();
    const { system, events } = world;
    const address = system.start(scripted(world, 'a'));
    const leaf = scripted(world, 'leaf');
    let twice = '';
    system.tell(address, {
      do: 'run',
      run: async (context) => {
        const child = context.spawn(scripted(world, 'child', { children: [leaf] }));
        await settle(5);
        const stopping = context.stop(child);
        try {
          context.spawn(scripted(world, 'child'));
        } catch (error) {
          twice = String(error);
        }
        await stopping;
        await context.stop(child);
        context.spawn(scripted(world, 'child'));
      },
    });
    await settle(40);
    expect(twice).to.contain('has not stopped');
    expect(events).to.deep.equal([
      'a~1 setup',
      'child~1 setup',
      'leaf~1 setup',
      'leaf~1 stopped',
      'child~1 stopped',
      'child~2 setup',
    ]);
  });

  it("stop: of another's child is refused; a child's failing stopped() rejects it", async () => {
    const world = createWorld();
    const { system } = world;
    system.start(scripted(world, 'other', { children: [scripted(world, 'x')] }));
    const bad = scripted(world, 'bad', { stopped: () => Promise.reject(new Error('cannot release')) });
    const address = system.start(scripted(world, 'a', { children: [bad] }));
    await settle();
    const errors: unknown[] = [];
    system.tell(address, {
      do: 'run',
      run: async (context) => {
        errors.push(await rejection(context.stop(at('other/x'))), await rejection(context.stop(at('a/bad'))));
      },
    });
    await settle();
    expect(errors.map(String)).to.deep.equal([
      'Error: actor a cannot stop other/x: not its child',
      'Error: cannot release',
    ]);
  });

  it('a stopping actor spawns nobody and starts no background work', async () => {
    const world = createWorld();
    const address = world.system.start(scripted(world, 'a'));
    const outcomes: string[] = [];
    world.system.tell(address, {
      do: 'run',
      run: async (context) => {
        await new Promise((resolve) => {
          context.signal.addEventListener('abort', resolve, { once: true });
        });
        context.background(() => Promise.resolve(void outcomes.push('background')));
        context.after(1, note('never'));
        try {
          context.spawn(scripted(world, 'late'));
        } catch (error) {
          outcomes.push(String(error));
        }
      },
    });
    await settle();
    await world.system.stop();
    expect(outcomes).to.deep.equal(['Error: actor a is being stopped and spawns no late']);
    expect(world.clock.pending).to.equal(0);
  });
});

describe('many actors', () => {
  it('384 children each get their messages in order, through a restart of all', async () => {
    const world = createWorld();
    const { system, clock } = world;
    const seen = new Map<string, number[]>();
    const names = Array.from({ length: 384 }, (_, index) => `region-${String(index)}`);
    system.start<never>({
      name: 'partition',
      children: restarting('all-for-one'),
      setup: (context) => {
        for (const name of names) {
          context.spawn<number>({
            name,
            setup: () => ({
              receive: (value) => {
                if (value < 0) {
                  throw new Error('poison');
                }
                seen.set(name, [...(seen.get(name) ?? []), value]);
              },
            }),
          });
        }
        return { receive: () => undefined };
      },
    });
    const tellAll = (values: readonly number[]): void => {
      for (const name of names) {
        for (const value of values) {
          const address = addressOf<number>(`partition/${name}`);
          expect(system.tell(address, value)).to.equal(true);
        }
      }
    };
    await settle();
    tellAll([1, 2, 3]);
    await settle();
    system.tell(addressOf<number>('partition/region-100'), -1);
    await settle(2);
    tellAll([4, 5]);
    await clock.advance(100);
    for (const name of names) {
      expect(seen.get(name), name).to.deep.equal([1, 2, 3, 4, 5]);
    }
    expect(system.inspect()).to.have.length(385);
    expect(system.inspect().filter(({ incarnation }) => incarnation === 2)).to.have.length(384);
    await system.stop();
    expect(await system.terminated).to.deep.equal({ kind: 'stopped' });
  });
});
