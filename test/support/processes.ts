/** Processes that tests start. None outlives the suite that started it, nor this process. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const living = new Set<ChildProcess>();

/** When the tests are cut off, by a signal or by themselves, there are no hooks any more. */
process.once('exit', () => {
  for (const child of living) {
    child.kill('SIGKILL');
  }
});

/** The processes of a suite, to be ended in its `afterEach` or `after`. */
export class Processes {
  readonly #mine = new Set<ChildProcess>();

  /** @returns the child that it was given, which is now this suite's. */
  add<Child extends ChildProcess>(child: Child): Child {
    for (const known of [this.#mine, living]) {
      known.add(child);
      child.once('exit', () => known.delete(child));
      // One that could not be started does not exit.
      child.once('error', () => known.delete(child));
    }
    return child;
  }

  /** Kills those that still live, also stopped ones. Resolves when they are gone. */
  async killAll(): Promise<void> {
    await Promise.all(
      [...this.#mine].map(async (child) => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }),
    );
  }
}
