import { Worker } from 'node:worker_threads';
import type { Clock } from './clock.ts';

export interface LoopGuardOptions {
  readonly clock: Clock;
  /** A main thread that does not turn for so long is ended, ms. */
  readonly limitMs: number;
}

const TICK_MS = 500;

/**
 * Ends the process when its event loop does not turn any more: nothing that runs on that loop can notice.
 *
 * A thread of its own looks at a counter that a timer of the main thread moves. It counts its own looks and no
 * clock: while the whole process is stopped (SIGSTOP, a laptop that sleeps) neither of them moves.
 * @returns what ends the guard.
 */
export function guardEventLoop({ clock, limitMs }: LoopGuardOptions): () => void {
  const turns = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let cancel = (): void => undefined;
  const turn = (): void => {
    Atomics.add(turns, 0, 1);
    cancel = clock.after(TICK_MS, turn);
  };
  turn();
  const worker = new Worker(GUARD, {
    eval: true,
    workerData: { turns: turns.buffer, tickMs: TICK_MS, limit: Math.max(2, Math.ceil(limitMs / TICK_MS)) },
  });
  worker.unref();
  return () => {
    cancel();
    void worker.terminate();
  };
}

/** Plain text, because a worker cannot load TypeScript. A signal, because only that ends a thread that is busy. */
const GUARD = `
const { workerData: { turns, tickMs, limit } } = require('node:worker_threads');
const counter = new Int32Array(turns);
let seen = Atomics.load(counter, 0);
let still = 0;
setInterval(() => {
  const now = Atomics.load(counter, 0);
  still = now === seen ? still + 1 : 0;
  seen = now;
  if (still >= limit) {
    const seconds = Math.round((still * tickMs) / 1000);
    require('node:fs').writeSync(2, 'geoflock: the event loop has not turned for ' + seconds + ' s: ending the process\\n');
    process.kill(process.pid, 'SIGABRT');
  }
}, tickMs);
`;
