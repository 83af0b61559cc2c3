/**
 * Lets timers, I/O and other actors run. A loop that only awaits settled promises never leaves the
 * microtask queue, so every loop of a stage passes here once a slice.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
