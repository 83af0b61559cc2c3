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
