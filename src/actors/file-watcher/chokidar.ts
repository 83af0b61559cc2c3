import { watch } from 'chokidar';

/**
 * Asks the operating system to tell when something in the folder changes. Only folders are watched,
 * never single files, so 100,000 files cost no more watches than one. Where no events come (network
 * volumes, containers) or watches run out, nothing is lost: the scheduled scan finds everything.
 */
export function watchForHints(
  directory: string,
  {
    recursive,
    onHint,
    onProblem,
  }: {
    readonly recursive: boolean;
    readonly onHint: () => void;
    readonly onProblem: (error: unknown) => void;
  },
): { close(): Promise<void> } {
  const watcher = watch(directory, {
    ignored: (_path, stats) => stats !== undefined && !stats.isDirectory(),
    ignoreInitial: true,
    followSymlinks: false,
    ...(recursive ? {} : { depth: 0 }),
  });
  watcher.on('raw', onHint);
  watcher.on('error', onProblem);
  return { close: () => watcher.close() };
}
