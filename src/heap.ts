import { setFlagsFromString } from 'node:v8';

/**
 * How much V8's heap and the memory its objects hold outside of it (buffers, columns) may grow, in per cent of
 * the heap that was alive, before all of it is collected anew.
 *
 * V8 chooses this by itself, and on a machine or in a container with little memory it chooses little. But
 * what is alive is small here, some 20 MB at any rate, and what comes and goes is buffers: it would go
 * through the whole heap up to twenty times a second to free a few of them. Unlike the sizes of the heap's
 * parts this can still be set while the program runs.
 */
const GROWTH_PERCENT = 200;

/** For the whole process: called once, by whoever starts it. */
export function collectLessOften(): void {
  setFlagsFromString(`--heap-growing-percent=${String(GROWTH_PERCENT)}`);
}
