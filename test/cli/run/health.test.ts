import { expect } from 'chai';
import { COMMANDS_MS, Sandbox, type Started } from './sandbox.ts';

describe('an event loop that does not turn any more', function () {
  this.timeout(COMMANDS_MS);
  let box: Sandbox;

  beforeEach(() => {
    box = new Sandbox();
  });

  afterEach(async () => {
    await box.remove();
  });

  /** Blocks the main thread for so long at SIGUSR2. */
  const blocking = (ms: number): string =>
    `--import=data:text/javascript,${encodeURIComponent(
      `import { isMainThread } from 'node:worker_threads';
       if (isMainThread) process.on('SIGUSR2', () => { for (const end = Date.now() + ${String(ms)}; Date.now() < end; ); });`,
    )}`;

  /** Once it answers, and whoever watches the event loop does so. */
  async function block(running: Started): Promise<string> {
    const url = await running.url();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    running.child.kill('SIGUSR2');
    return url;
  }

  it('ends the process by a signal, and says why', async () => {
    const running = box.start([], {
      GEOFLOCK_HEALTH_EVENT_LOOP_LIMIT: '2s',
      NODE_OPTIONS: blocking(120_000),
    });
    await block(running);
    const { code, stderr } = await running.ended;
    expect(code).to.equal(null);
    expect(running.child.signalCode).to.equal('SIGABRT');
    expect(stderr).to.match(/^geoflock: the event loop has not turned for \d+ s: ending the process$/m);
  });

  it('only for a while is told afterwards, and no more', async () => {
    const running = box.start([], { NODE_OPTIONS: blocking(4_000) });
    const url = await block(running);
    const health = async (): Promise<string> => await (await fetch(`${url}/healthz`)).text();
    for (let tries = 0; !(await health()).includes('the event loop stood still for'); tries++) {
      expect(tries).to.be.lessThan(200);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect((await fetch(`${url}/livez`)).status).to.equal(200);
    expect((await fetch(`${url}/readyz`)).status).to.equal(200);
    running.child.kill('SIGTERM');
    await running.ended;
  });

  it('because the whole process is stopped does not end it', async () => {
    const running = box.start([], { GEOFLOCK_HEALTH_EVENT_LOOP_LIMIT: '5s' });
    const url = await running.url();
    running.child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    running.child.kill('SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect((await fetch(`${url}/livez`)).status).to.equal(200);
    running.child.kill('SIGTERM');
    await running.ended;
  });
});
