import type { Stage } from '../../admin/stages.ts';
import type { ActorInfo } from '../../system/actor-system.ts';

const REGION = /^partitions\/partition-\d+\/region-/;
const PARTITION = /^partitions\/partition-\d+$/;

/** The stage whose work the actor at this path does; null: it supervises, or is the admin. */
export function stageOf(path: string): Stage | null {
  switch (path) {
    case 'ingest/file-watcher':
      return 'file-watcher';
    case 'ingest/publisher':
      return 'publisher';
    case 'centroid-aggregator':
    case 'reporter':
      return path;
    default:
      return path === 'partitions' || PARTITION.test(path)
        ? 'partitions'
        : REGION.test(path)
          ? 'regions'
          : null;
  }
}

/**
 * What is restarted for a stage. Regions restart together with their partition, from what it has committed.
 */
export function actorsOf(stage: Stage, actors: readonly Pick<ActorInfo, 'path'>[]): readonly string[] {
  switch (stage) {
    case 'file-watcher':
    case 'publisher':
      return [`ingest/${stage}`];
    case 'regions':
      return actors.map(({ path }) => path).filter((path) => PARTITION.test(path));
    case 'partitions':
    case 'centroid-aggregator':
    case 'reporter':
      return [stage];
  }
}

/** Partitions that are this replica's. */
export function ownedPartitions(actors: readonly Pick<ActorInfo, 'path'>[]): readonly number[] {
  return actors
    .filter(({ path }) => PARTITION.test(path))
    .map(({ path }) => Number(path.slice('partitions/partition-'.length)))
    .sort((a, b) => a - b);
}
