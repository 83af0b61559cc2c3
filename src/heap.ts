import { setFlagsFromString } from 'node:v8';

/**
 * How much V8's heap and the memory its objects hold outside of it (buffers, columns) may grow, in per cent of
 * the heap that was alive, before all of it is collected anew.
 *
 * V8 chooses this by itself, and where a container leaves little memory it chooses little. But the heap in
 * use was some 20 MB in all runs that were measured, and what comes and goes is buffers: the whole heap is gone
 * through to free a few of them. Unlike the sizes of the heap's parts this can still be set while the program
 * runs. The price: a heap that is large for another reason may grow as much, too.
 */
const GROWTH_PERCENT = 400;

/**
 * Threads that look for what is alive while the program goes on. V8 takes as many as it has, which is three or four: on
 * two processors they took turns with the event loop, for 200 ms of processor time in the place of 80, and what was
 * being computed then took twice as long. For a heap of this size one is enough on any machine.
 */
const MARKING_THREADS = 1;

/** For the whole process: called once, by whoever starts it. */
export function collectLessOften(): void {
  setFlagsFromString(`--heap-growing-percent=${String(GROWTH_PERCENT)}`);
  setFlagsFromString(`--concurrent-marking-max-worker-num=${String(MARKING_THREADS)}`);
}
