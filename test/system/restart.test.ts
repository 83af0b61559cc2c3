import { expect } from 'chai';
import type { ChildPolicy } from '../../src/system/supervision.ts';
import { settle } from '../support/simulated-clock.ts';
import {
  at,
  createWorld,
  gate,
  type Order,
  restarting,
  type Script,
  scripted,
  type World,
} from './harness.ts';

const FAIL: Order = { do: 'throw' };
const note = (text: string): Order => ({ do: 'note', text });

/** `top` with children a, b, c under `policy`; its start is not among the events. */
async function family(
  policy: ChildPolicy,
  scripts: Readonly<Record<string, Script>> = {},
  limits: { mailboxLimit?: number; stashLimit?: number } = {},
): Promise<World> {
  const world = createWorld(limits);
  const children = ['a', 'b', 'c'].map((name) => scripted(world, name, scripts[name]));
  world.system.start(scripted(world, 'top', { children, policy }));
  await settle();
  world.events.length = 0;
  return world;
}

describe('restart strategies', () => {
  it('one-for-one restarts the child alone, after the delay, at the same address', async () => {
    const world = await family(restarting('one-for-one'));
    const { clock, events, system } = world;
    system.tell(at('top/b'), FAIL);
    await settle();
    expect(events).to.deep.equal(['b~1 throws', 'b~1 stopped']);
    expect(world.info('top/b').state).to.equal('waiting');
    await clock.advance(99);
    expect(events).to.have.length(2);
    await clock.advance(1);
    system.tell(at('top/b'), note('hello'));
    await settle();
    expect(events.slice(2)).to.deep.equal(['b~2 setup', 'b~2 hello']);
    expect(world.info('top/b')).to.deep.equal({
      path: 'top/b',
      state: 'running',
      incarnation: 2,
      restarts: 1,
      mailbox: 0,
      lastError: 'Error: b threw',
    });
    expect(world.info('top/a').incarnation).to.equal(1);
  });

  it('rest-for-one stops those after it in reverse order and starts them in order', async () => {
    const { clock, events, system } = await family(restarting('rest-for-one'));
    system.tell(at('top/b'), { do: 'reject' });
    await clock.advance(100);
    expect(events).to.deep.equal(['c~1 stopped', 'b~1 stopped', 'b~2 setup', 'c~2 setup']);
  });

  it('all-for-one restarts all, and all wait for the handler of a sibling', async () => {
    const { clock, events, system } = await family(restarting('all-for-one'));
    const busy = gate();
    system.tell(at('top/a'), { do: 'await', gate: busy.promise, text: 'work' });
    await settle();
    system.tell(at('top/b'), FAIL);
    await clock.advance(1_000);
    expect(events).to.deep.equal(['a~1 work begins', 'b~1 throws', 'c~1 stopped', 'b~1 stopped']);
    busy.open();
    await clock.advance(99);
    expect(events.slice(4)).to.deep.equal(['a~1 work ends', 'a~1 stopped']);
    await clock.advance(1);
    expect(events.slice(6)).to.deep.equal(['a~2 setup', 'b~2 setup', 'c~2 setup']);
  });

  it('without a policy a child takes its supervisor along, and at the top the system', async () => {
    const world = createWorld();
    const { events, system } = world;
    const middle = scripted(world, 'middle', { children: [scripted(world, 'leaf')] });
    system.start(scripted(world, 'top', { children: [middle] }));
    system.start(scripted(world, 'other'));
    await settle();
    events.length = 0;
    system.tell(at('top/middle/leaf'), FAIL);
    const exit = await system.terminated;
    expect(exit.kind).to.equal('failed');
    expect(exit).to.have.property('path', 'top/middle/leaf');
    expect(exit).to.have.nested.property('error.message', 'leaf threw');
    expect(events).to.deep.equal([
      'leaf~1 throws',
      'other~1 stopped',
      'leaf~1 stopped',
      'middle~1 stopped',
      'top~1 stopped',
    ]);
    expect(system.tell(at('other'), note('late'))).to.equal(false);
    expect(() => system.start(scripted(world, 'new'))).to.throw('is ending');
  });

  it("past the intensity the failure becomes the supervisor's, whose own restart begins anew", async () => {
    const world = createWorld();
    const { clock, events, system } = world;
    const leaf = scripted(world, 'leaf');
    const middle = scripted(world, 'middle', { children: [leaf], policy: restarting('one-for-one', 1) });
    system.start(scripted(world, 'top', { children: [middle], policy: restarting('one-for-one', 1) }));
    await settle();
    events.length = 0;
    for (let failure = 0; failure < 2; failure++) {
      system.tell(at('top/middle/leaf'), FAIL);
      await clock.advance(200);
    }
    expect(events).to.deep.equal([
      'leaf~1 throws',
      'leaf~1 stopped',
      'leaf~2 setup',
      'leaf~2 throws',
      'leaf~2 stopped',
      'middle~1 stopped',
      'middle~2 setup',
      'leaf~3 setup',
    ]);
    expect(world.info('top/middle').lastError).to.equal('Error: leaf threw');
    for (let failure = 0; failure < 2; failure++) {
      system.tell(at('top/middle/leaf'), FAIL);
      await clock.advance(200);
    }
    expect(await system.terminated).to.include({ kind: 'failed', path: 'top/middle/leaf' });
  });

  it('each child has its own intensity one-for-one; a group has one together', async () => {
    const single = await family(restarting('one-for-one', 1));
    for (const name of ['a', 'b', 'c']) {
      single.system.tell(at(`top/${name}`), FAIL);
    }
    await single.clock.advance(100);
    expect(['a', 'b', 'c'].map((name) => single.info(`top/${name}`).state)).to.deep.equal(
      Array(3).fill('running'),
    );
    const group = await family(restarting('all-for-one', 1));
    group.system.tell(at('top/a'), FAIL);
    await group.clock.advance(100);
    group.system.tell(at('top/b'), FAIL);
    expect(await group.system.terminated).to.include({ kind: 'failed', path: 'top/b' });
  });
});

describe('the observer of supervision', () => {
  it('is told of each actor that was spawned anew, once it is', async () => {
    const { clock, observed, system } = await family(restarting('rest-for-one'));
    system.tell(at('top/b'), FAIL);
    await clock.advance(99);
    expect(observed).to.deep.equal([]);
    await clock.advance(1);
    expect(observed).to.deep.equal(['restarted top/b', 'restarted top/c']);
  });

  it('is told of a failure on each step of its way up, and of no restart then', async () => {
    const { clock, observed, system } = await family(restarting('one-for-one', 1));
    system.tell(at('top/a'), FAIL);
    await clock.advance(100);
    system.tell(at('top/a'), FAIL);
    await clock.advance(10_000);
    expect(observed).to.deep.equal(['restarted top/a', 'escalated top/a', 'escalated top']);
    expect((await system.terminated).kind).to.equal('failed');
  });
});

describe('messages over a restart', () => {
  it('are stashed in order and delivered to the new incarnation, before later ones', async () => {
    const { clock, events, system } = await family(restarting('one-for-one'));
    const busy = gate();
    system.tell(at('top/b'), {
      do: 'run',
      run: async (context) => {
        context.fail(new Error('pump'));
        await busy.promise;
      },
    });
    await settle();
    system.tell(at('top/b'), note('while the old handler awaits'));
    busy.open();
    await settle();
    system.tell(at('top/b'), note('in the delay'));
    await clock.advance(100);
    system.tell(at('top/b'), note('after'));
    await settle();
    expect(events).to.deep.equal([
      'b~1 stopped',
      'b~2 setup',
      'b~2 while the old handler awaits',
      'b~2 in the delay',
      'b~2 after',
    ]);
    expect(system.deadLetters.total).to.equal(0);
  });

  it('the stash survives a failing setup', async () => {
    let setups = 0;
    const { clock, events, system } = await family(restarting('one-for-one'), {
      b: {
        setup: () => {
          setups += 1;
          if (setups === 2) {
            throw new Error('no setup');
          }
        },
      },
    });
    system.tell(at('top/b'), FAIL);
    await settle();
    system.tell(at('top/b'), note('kept'));
    await clock.advance(100 + 200);
    // The second setup threw: there was no behavior, so no `stopped` either.
    expect(events).to.deep.equal(['b~1 throws', 'b~1 stopped', 'b~2 setup', 'b~3 setup', 'b~3 kept']);
  });

  it('beyond the stash limit they are dead letters; so is the mailbox of the failed incarnation', async () => {
    const { clock, events, system } = await family(restarting('one-for-one'), {}, { stashLimit: 2 });
    expect(system.tell(at('top/b'), FAIL)).to.equal(true);
    expect(system.tell(at('top/b'), note('in the mailbox'))).to.equal(true);
    await settle();
    const told = ['1', '2', '3'].map((text) => system.tell(at('top/b'), note(text)));
    expect(told).to.deep.equal([true, true, false]);
    await clock.advance(100);
    expect(events.slice(-2)).to.deep.equal(['b~2 1', 'b~2 2']);
    expect(system.deadLetters.counts()).to.deep.equal([
      { path: 'top/b', reason: 'restarted', count: 1 },
      { path: 'top/b', reason: 'stash-full', count: 1 },
    ]);
  });

  it('siblings that restart along keep their messages too', async () => {
    const { clock, events, system } = await family(restarting('all-for-one'));
    system.tell(at('top/b'), FAIL);
    await settle();
    system.tell(at('top/a'), note('kept'));
    await clock.advance(100);
    expect(events.at(-1)).to.equal('a~2 kept');
  });
});

describe('failures at awkward moments', () => {
  it('fail while the own handler awaits: nothing more is handled, the restart waits for it', async () => {
    const world = await family(restarting('one-for-one'));
    const { clock, events, system } = world;
    const busy = gate();
    system.tell(at('top/b'), {
      do: 'run',
      run: async (context) => {
        context.after(10, FAIL);
        context.background(async (signal) => {
          await new Promise<void>((resolve) => clock.after(20, resolve));
          expect(signal.aborted).to.equal(false);
          throw new Error('pump broke');
        });
        await busy.promise;
        expect(context.signal.aborted).to.equal(true);
        throw new Error('folded');
      },
    });
    await clock.advance(20);
    expect(world.info('top/b').state).to.equal('restarting');
    expect(world.info('top/b').lastError).to.equal('Error: pump broke');
    await clock.advance(1_000);
    expect(events).to.deep.equal([]);
    busy.open();
    await clock.advance(100);
    expect(events).to.deep.equal(['b~1 stopped', 'b~2 setup']);
    expect(world.info('top/b')).to.include({ restarts: 1, lastError: 'Error: pump broke' });
  });

  it("a sibling's failure in a restart delay takes the waiting place over: both wait for the later", async () => {
    const { clock, events, system } = await family(restarting('rest-for-one'));
    system.tell(at('top/b'), FAIL);
    await clock.advance(90);
    expect(events.splice(0)).to.deep.equal(['b~1 throws', 'c~1 stopped', 'b~1 stopped']);
    system.tell(at('top/a'), FAIL);
    await clock.advance(199);
    expect(events.splice(0)).to.deep.equal(['a~1 throws', 'a~1 stopped']);
    await clock.advance(1);
    expect(events).to.deep.equal(['a~2 setup', 'b~2 setup', 'c~2 setup']);
    await clock.advance(10_000);
    expect(events).to.have.length(3);
  });

  it("a smaller round inside a larger one's teardown: nobody is started twice", async () => {
    const { clock, events, system } = await family(restarting('rest-for-one'));
    const busy = gate();
    system.tell(at('top/c'), { do: 'await', gate: busy.promise, text: 'work' });
    await settle();
    system.tell(at('top/b'), FAIL);
    await settle();
    system.tell(at('top/a'), FAIL);
    await clock.advance(1_000);
    busy.open();
    await clock.advance(1_000);
    expect(events.filter((event) => event.endsWith('setup'))).to.deep.equal([
      'a~2 setup',
      'b~2 setup',
      'c~2 setup',
    ]);
    expect(events.filter((event) => event.endsWith('stopped'))).to.deep.equal([
      'c~1 stopped',
      'b~1 stopped',
      'a~1 stopped',
    ]);
  });

  it('a child that fails while its parent is torn down stops with it and restarts nobody', async () => {
    const world = createWorld();
    const { clock, events, system } = world;
    const leaf = scripted(world, 'leaf');
    const middle = scripted(world, 'middle', { children: [leaf], policy: restarting('one-for-one') });
    system.start(scripted(world, 'top', { children: [middle], policy: restarting('one-for-one') }));
    await settle();
    events.length = 0;
    const busy = gate();
    system.tell(at('top/middle'), {
      do: 'run',
      run: async (context) => {
        context.fail(new Error('first'));
        await busy.promise;
      },
    });
    await settle();
    system.tell(at('top/middle/leaf'), FAIL);
    await clock.advance(1_000);
    expect(events).to.deep.equal(['leaf~1 throws']);
    busy.open();
    await clock.advance(100);
    expect(events.slice(1)).to.deep.equal([
      'leaf~1 stopped',
      'middle~1 stopped',
      'middle~2 setup',
      'leaf~2 setup',
    ]);
    expect(world.info('top/middle').restarts).to.equal(1);
  });

  it("a parent that restarts in its child's restart delay leaves no second child behind", async () => {
    const world = createWorld();
    const { clock, events, system } = world;
    const leaf = scripted(world, 'leaf');
    const middle = scripted(world, 'middle', { children: [leaf], policy: restarting('one-for-one') });
    system.start(scripted(world, 'top', { children: [middle], policy: restarting('one-for-one') }));
    await settle();
    system.tell(at('top/middle/leaf'), FAIL);
    await settle();
    system.tell(at('top/middle'), FAIL);
    await clock.advance(10_000);
    expect(events.filter((event) => event.startsWith('leaf'))).to.deep.equal([
      'leaf~1 setup',
      'leaf~1 throws',
      'leaf~1 stopped',
      'leaf~2 setup',
    ]);
    expect(system.inspect().map(({ path }) => path)).to.deep.equal(['top', 'top/middle', 'top/middle/leaf']);
  });

  it('setup that throws after spawning: its children stop, and it is tried again until the intensity', async () => {
    const world = createWorld();
    const { clock, events, system } = world;
    const bad = scripted(world, 'bad', {
      children: [scripted(world, 'leaf')],
      setup: () => Promise.reject(new Error('no setup')),
    });
    system.start(scripted(world, 'top', { children: [bad], policy: restarting('one-for-one', 1) }));
    await clock.advance(100);
    expect(await system.terminated).to.include({ kind: 'failed', path: 'top/bad' });
    expect(events.filter((event) => !event.startsWith('leaf'))).to.deep.equal([
      'top~1 setup',
      'bad~1 setup',
      'bad~2 setup',
      'top~1 stopped',
    ]);
    // Stopped before its own setup was scheduled, or after it: never left behind.
    const left = events.filter((event) => event.startsWith('leaf'));
    expect(left.filter((event) => event.endsWith('setup')).length).to.equal(
      left.filter((event) => event.endsWith('stopped')).length,
    );
  });

  it('setup in flight when a sibling fails: its behavior is released before the new one', async () => {
    const slow = gate();
    let setups = 0;
    const world = createWorld();
    const { clock, events, system } = world;
    const b = scripted(world, 'b', { setup: () => (setups++ === 0 ? slow.promise : undefined) });
    const children = [scripted(world, 'a'), b];
    system.start(scripted(world, 'top', { children, policy: restarting('all-for-one') }));
    await settle();
    system.tell(at('top/b'), note('waits for the setup'));
    system.tell(at('top/a'), FAIL);
    await clock.advance(1_000);
    expect(events.at(-1)).to.equal('a~1 throws');
    slow.open();
    await clock.advance(100);
    expect(events.slice(-5)).to.deep.equal([
      'b~1 stopped',
      'a~1 stopped',
      'a~2 setup',
      'b~2 setup',
      'b~2 waits for the setup',
    ]);
  });

  it('stopped() that throws does not keep the place from restarting', async () => {
    const { clock, events, system } = await family(restarting('one-for-one'), {
      b: { stopped: () => Promise.reject(new Error('cannot release')) },
    });
    system.tell(at('top/b'), FAIL);
    await clock.advance(100);
    expect(events.at(-1)).to.equal('b~2 setup');
    await system.stop();
    expect(await system.terminated).to.include({ kind: 'failed', path: 'top/b' });
  });

  it('a handler that never ends fails the system instead of overlapping with its successor', async () => {
    const { clock, events, system } = await family(restarting('all-for-one'));
    const never = gate();
    system.tell(at('top/a'), { do: 'await', gate: never.promise, text: 'for ever' });
    await settle();
    system.tell(at('top/b'), FAIL);
    await clock.advance(5_000);
    const exit = await system.terminated;
    expect(exit).to.include({ kind: 'failed', path: 'top/a' });
    expect(exit).to.have.nested.property('error.name', 'StopTimeoutError');
    await clock.advance(60_000);
    expect(events.filter((event) => event.endsWith('setup'))).to.deep.equal([]);
    expect(clock.pending).to.equal(0);
  });

  it('background work that rejects once aborted is no failure of its own', async () => {
    const world = await family(restarting('one-for-one'), {
      b: {
        setup: (context) => {
          context.background(async (signal) => {
            await new Promise((resolve) => {
              signal.addEventListener('abort', resolve, { once: true });
            });
            throw new Error('aborted');
          });
        },
      },
    });
    world.system.tell(at('top/b'), FAIL);
    await world.clock.advance(100);
    expect(world.info('top/b')).to.include({ state: 'running', restarts: 1, lastError: 'Error: b threw' });
  });

  it('a child stopped in a restart delay, or in the teardown before, is not started again', async () => {
    const world = await family(restarting('rest-for-one'));
    const { clock, events, system } = world;
    const busy = gate();
    system.tell(at('top/c'), { do: 'await', gate: busy.promise, text: 'work' });
    await settle();
    system.tell(at('top/b'), FAIL);
    await settle();
    system.tell(at('top'), { do: 'run', run: (context) => context.stop(at('top/c')) });
    await settle();
    busy.open();
    await settle();
    system.tell(at('top'), { do: 'run', run: (context) => context.stop(at('top/b')) });
    await clock.advance(10_000);
    expect(events.filter((event) => event.endsWith('setup'))).to.deep.equal([]);
    expect(system.inspect().map(({ path }) => path)).to.deep.equal(['top', 'top/a']);
    expect(clock.pending).to.equal(0);
  });

  it('one of a waiting round is stopped: the others start without it', async () => {
    const { clock, events, system } = await family(restarting('rest-for-one'));
    system.tell(at('top/b'), FAIL);
    await settle();
    system.tell(at('top'), { do: 'run', run: (context) => context.stop(at('top/c')) });
    await clock.advance(1_000);
    expect(events.slice(3)).to.deep.equal(['b~2 setup']);
  });

  it('a child that is being stopped when a sibling fails is not taken along', async () => {
    const { clock, events, system } = await family(restarting('all-for-one'));
    const busy = gate();
    system.tell(at('top/c'), { do: 'await', gate: busy.promise, text: 'work' });
    await settle();
    system.tell(at('top'), { do: 'run', run: (context) => context.stop(at('top/c')) });
    await settle();
    system.tell(at('top/a'), FAIL);
    await clock.advance(1_000);
    expect(events.slice(-2)).to.deep.equal(['a~2 setup', 'b~2 setup']);
    busy.open();
    await clock.advance(1_000);
    expect(events.slice(-2)).to.deep.equal(['c~1 work ends', 'c~1 stopped']);
    expect(system.inspect().map(({ path }) => path)).to.deep.equal(['top', 'top/a', 'top/b']);
  });

  it('a supervisor being torn down starts none of its waiting children', async () => {
    const world = await family(restarting('one-for-one'));
    const { clock, events, system } = world;
    const busy = gate();
    system.tell(at('top'), { do: 'await', gate: busy.promise, text: 'work' });
    system.tell(at('top/b'), FAIL);
    await settle();
    void system.stop();
    await clock.advance(1_000);
    expect(world.info('top').state).to.equal('stopping');
    busy.open();
    await system.terminated;
    expect(events).not.to.include('b~2 setup');
  });

  it('a supervisor that restarts cancels the restarts of its children', async () => {
    const world = createWorld();
    const { clock, events, system } = world;
    const leaf = scripted(world, 'leaf');
    const middle = scripted(world, 'middle', { children: [leaf], policy: restarting('one-for-one') });
    system.start(scripted(world, 'top', { children: [middle], policy: restarting('one-for-one') }));
    await settle();
    const busy = gate();
    system.tell(at('top/middle'), {
      do: 'run',
      run: async (context) => {
        await settle(3);
        context.background(() => Promise.reject(new Error('pump')));
        await busy.promise;
      },
    });
    system.tell(at('top/middle/leaf'), FAIL);
    await clock.advance(1_000);
    expect(events).not.to.include('leaf~2 setup');
    busy.open();
    await clock.advance(1_000);
    expect(events.slice(-2)).to.deep.equal(['middle~2 setup', 'leaf~2 setup']);
  });

  it('while the system stops one actor, the delays of others end in no restart', async () => {
    const world = await family(restarting('one-for-one'));
    const { clock, events, system } = world;
    const busy = gate();
    const slow = system.start(scripted(world, 'slow', { stopped: () => busy.promise }));
    await settle();
    system.tell(at('top/b'), FAIL);
    await settle();
    expect(system.tell(slow, note('last'))).to.equal(true);
    void system.stop();
    await clock.advance(1_000);
    expect(world.info('top/b').state).to.equal('waiting');
    busy.open();
    expect(await system.terminated).to.deep.equal({ kind: 'stopped' });
    expect(events).not.to.include('b~2 setup');
  });

  it('a stopped() that failed before a restart is not held against a later stop', async () => {
    const { system, clock } = await family(restarting('one-for-one'), {
      b: { stopped: () => Promise.reject(new Error('cannot release')) },
    });
    system.tell(at('top/b'), FAIL);
    await clock.advance(1);
    await system.stop();
    expect(await system.terminated).to.deep.equal({ kind: 'stopped' });
  });

  it('fail of an earlier incarnation does not touch the present one', async () => {
    const world = await family(restarting('one-for-one'));
    const { clock, system } = world;
    let failOld = (): void => undefined;
    system.tell(at('top/b'), {
      do: 'run',
      run: (context) => {
        failOld = () => {
          context.fail(new Error('stale'));
        };
        throw new Error('now');
      },
    });
    await clock.advance(100);
    failOld();
    await settle();
    expect(world.info('top/b')).to.include({ state: 'running', incarnation: 2, lastError: 'Error: now' });
  });
});

describe('a restart that is asked for', () => {
  it('takes those along that a failure would, at once, and is no failure', async () => {
    const world = await family(restarting('rest-for-one'));
    const { clock, events, system } = world;
    const restarted = system.restart('top/b');
    await clock.advance(0);
    expect(await restarted).to.deep.equal(['top/b', 'top/c']);
    expect(events).to.deep.equal(['c~1 stopped', 'b~1 stopped', 'b~2 setup', 'c~2 setup']);
    expect(world.info('top/b').lastError).to.equal(undefined);
  });

  it('does not count towards the intensity', async () => {
    const world = await family(restarting('one-for-one', 1));
    const { clock, system } = world;
    for (let time = 0; time < 5; time++) {
      const restarted = system.restart('top/a');
      await clock.advance(0);
      await restarted;
    }
    system.tell(at('top/a'), FAIL);
    await clock.advance(100);
    expect(world.info('top/a').state).to.equal('running');
    expect(world.info('top').incarnation).to.equal(1);
  });

  it("is its supervisor's where failures escalate, up to the top", async () => {
    const world = await family({ strategy: 'escalate' });
    const { clock, events, system } = world;
    const restarted = system.restart('top/b');
    await clock.advance(0);
    expect(await restarted).to.deep.equal(['top']);
    expect(events).to.include.members(['b~1 stopped', 'top~2 setup', 'b~2 setup']);
    expect(world.info('top/b').state).to.equal('running');
  });

  it('awaits what the actor is at, and keeps what is sent meanwhile', async () => {
    const world = await family(restarting('one-for-one'));
    const { clock, events, system } = world;
    const busy = gate();
    system.tell(at('top/a'), { do: 'await', gate: busy.promise, text: 'work' });
    await settle();
    const restarted = system.restart('top/a');
    await clock.advance(1_000);
    expect(world.info('top/a').state).to.equal('restarting');
    system.tell(at('top/a'), note('later'));
    busy.open();
    await settle();
    await clock.advance(0);
    await restarted;
    await settle();
    expect(events).to.deep.equal([
      'a~1 work begins',
      'a~1 work ends',
      'a~1 stopped',
      'a~2 setup',
      'a~2 later',
    ]);
  });

  it('of what is not there, or comes to its end, is refused', async () => {
    const { clock, system } = await family(restarting('one-for-one'));
    const refused = async (path: string): Promise<string> => {
      try {
        await system.restart(path);
        return 'not refused';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(await refused('top/z')).to.equal('there is no actor top/z');
    const stopping = system.stop();
    expect(await refused('top')).to.contain('being stopped');
    await clock.advance(0);
    await stopping;
  });
});
