import { expect } from 'chai';
import { Gate } from '../../src/system/gate.ts';

const never = new AbortController().signal;

/** Whether a promise is settled once all that is due has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise(setImmediate);
  return settled;
}

describe('a gate', () => {
  it('lets everything through until it is paused, and again when it is resumed', async () => {
    const gate = new Gate();
    expect(gate.enter()?.single).to.equal(false);
    gate.pause();
    expect([gate.paused, gate.open, gate.enter()]).to.deep.equal([true, false, undefined]);
    const waiting = gate.begin(never);
    expect(await isSettled(waiting)).to.equal(false);
    gate.resume();
    expect((await waiting)?.single).to.equal(false);
  });

  it('lets one unit through at a time when it is told to, and says when that has ended', async () => {
    const gate = new Gate();
    gate.pause();
    const ran = gate.runOnce();
    const turn = gate.enter();
    expect(turn?.single).to.equal(true);
    expect(gate.enter()).to.equal(undefined);
    expect(await isSettled(ran)).to.equal(false);
    turn?.done();
    await ran;
    expect(gate.open).to.equal(false);
  });

  it('gives what it lets through to whoever waits first', async () => {
    const gate = new Gate();
    gate.pause();
    const waiting = [gate.begin(never), gate.begin(never)];
    void gate.runOnce();
    const [first] = await Promise.all([waiting[0], isSettled(waiting[1] as Promise<unknown>)]);
    expect(first?.single).to.equal(true);
    expect(await isSettled(waiting[1] as Promise<unknown>)).to.equal(false);
    void gate.runOnce();
    expect((await waiting[1])?.single).to.equal(true);
  });

  it('does not keep whoever is stopped, nor whoever waits for a unit that a resume makes needless', async () => {
    const gate = new Gate();
    gate.pause();
    const stop = new AbortController();
    const waiting = gate.begin(stop.signal);
    stop.abort();
    expect(await waiting).to.equal(undefined);
    const ran = gate.runOnce();
    gate.resume();
    await ran;
    await gate.runOnce();
  });

  it('tells its listeners of each change, until they have enough', () => {
    const gate = new Gate();
    let changes = 0;
    const stop = gate.onChange(() => {
      changes++;
    });
    gate.pause();
    gate.pause();
    void gate.runOnce();
    gate.resume();
    expect(changes).to.equal(3);
    stop();
    gate.pause();
    expect(changes).to.equal(3);
  });
});
