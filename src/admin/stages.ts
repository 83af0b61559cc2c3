/** The stages of the data path that can be paused, resumed, run once and restarted, each on its own. */
export const STAGES = [
  'file-watcher',
  'publisher',
  'partitions',
  'regions',
  'centroid-aggregator',
  'reporter',
] as const;

export type Stage = (typeof STAGES)[number];

export function isStage(name: string): name is Stage {
  return (STAGES as readonly string[]).includes(name);
}
