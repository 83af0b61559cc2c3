import type { Topology } from '../actors/topology.ts';
import type { Broker } from '../broker/broker.ts';
import type { NamedModel } from '../clustering/geojson.ts';
import type { ActorInfo } from '../system/actor-system.ts';
import { grouped } from '../report/text.ts';
import { clusterTable } from './result.ts';

/** What the table reads of a pipeline. */
export interface LiveSource {
  readonly broker: Pick<Broker, 'kind' | 'unconsumed'>;
  readonly topology: Pick<Topology, 'connections' | 'stats' | 'topics'>;
  actors(): readonly ActorInfo[];
}

/** One stage as the live table shows it. */
interface StageLine {
  readonly stage: string;
  readonly doing: string;
  readonly queue: string;
  readonly restarts: number;
}

export interface LiveView {
  readonly elapsedSeconds: number;
  readonly rowsPerSecond: number;
  readonly model: NamedModel | undefined;
}

/** A longer line would wrap, and the table could not be drawn over itself. */
const WIDTH = 79;

const ALL_CONNECTIONS = /^partition-\d+=>regions$/;

/** The live table, at most 79 columns wide: throughput, each stage's queue and restarts, the clusters. */
export function liveTable(pipeline: LiveSource, view: LiveView): readonly string[] {
  const { elapsedSeconds, rowsPerSecond, model } = view;
  return [
    `Geoflock  ${clockOf(elapsedSeconds)}   ${grouped(Math.round(rowsPerSecond))} rows/s`,
    '',
    `${'stage'.padEnd(20)}${''.padEnd(31)}${'queue'.padEnd(18)}restarts`,
    ...stageLines(pipeline).map(
      ({ stage, doing, queue, restarts }) =>
        `${stage.padEnd(20)}${doing.padEnd(31)}${queue.padEnd(18)}${String(restarts).padStart(8)}`,
    ),
    '',
    ...(model === undefined
      ? ['clusters: the first model comes with the first checkpoint']
      : clusterTable(model)),
  ].map((line) => (line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line));
}

/** The same in one line, where there is no terminal. */
export function liveLine(pipeline: LiveSource, view: LiveView): string {
  const { rowsPerSecond, elapsedSeconds, model } = view;
  const { connections, stats } = pipeline.topology;
  const counted = sum(stats.partitions.map(({ rowsCounted }) => rowsCounted));
  const queued = sum(
    connections
      .list()
      .filter(({ name }) => ALL_CONNECTIONS.test(name))
      .map(({ depth }) => depth.rows),
  );
  const restarts = sum(stageLines(pipeline).map((line) => line.restarts));
  return (
    `${clockOf(elapsedSeconds)} rows/s=${String(Math.round(rowsPerSecond))} files=${String(stats.publisher.filesDone)}` +
    ` read=${String(stats.publisher.rowsRead)} counted=${String(counted)} queued=${String(queued)} restarts=${String(restarts)}` +
    (model === undefined ? '' : clustersInShort(model))
  );
}

function clustersInShort({ clusters }: NamedModel): string {
  const heaviest = clusters
    .slice(0, 1)
    .map(
      ({ longitude, latitude, place }) =>
        ` heaviest=${longitude.toFixed(3)},${latitude.toFixed(3)}${place === null ? '' : ` (${place.text})`}`,
    );
  return ` clusters=${String(clusters.length)}${heaviest.join('')}`;
}

function stageLines(pipeline: LiveSource): readonly StageLine[] {
  const { broker, topology } = pipeline;
  const { connections, stats, topics } = topology;
  const { aggregator, fileWatcher, partitions, publisher } = stats;
  const depth = (wanted: (name: string) => boolean): number =>
    sum(
      connections
        .list()
        .filter(({ name }) => wanted(name))
        .map((connection) => connection.depth.rows),
    );
  const log = broker.unconsumed(topics.rows);
  const actors = pipeline.actors();
  const restarts = (stage: RegExp): number =>
    sum(actors.filter(({ path }) => stage.test(path)).map((actor) => actor.restarts));
  return [
    {
      stage: 'file-watcher',
      doing: `${grouped(fileWatcher.files)} files seen`,
      queue: `${grouped(fileWatcher.waiting)} waiting`,
      restarts: restarts(/^ingest\/file-watcher$/),
    },
    {
      stage: 'publisher',
      doing: `${grouped(publisher.rowsRead)} rows read`,
      queue: `${grouped(depth((name) => name === 'files'))} files`,
      restarts: restarts(/^ingest\/publisher$/),
    },
    {
      stage: 'partitions',
      doing: `${grouped(sum(partitions.map(({ rowsCounted }) => rowsCounted)))} rows counted`,
      // How far behind one's own Kafka is, its tools tell.
      queue: broker.kind === 'kafka' ? '' : `${(log.bytes / 2 ** 20).toFixed(1)} MiB in log`,
      restarts: restarts(/^partitions\/partition-\d+$/),
    },
    {
      stage: 'regions',
      doing: `${grouped(sum(partitions.map(({ regions }) => regions)))} regions`,
      queue: `${grouped(depth((name) => ALL_CONNECTIONS.test(name)))} rows`,
      restarts: restarts(/^partitions\/partition-\d+\/region-/),
    },
    {
      stage: 'centroid-aggregator',
      doing: `${grouped(aggregator.models)} models, last ${aggregator.lastModelMs.toFixed(0)} ms`,
      queue: '',
      restarts: restarts(/^centroid-aggregator$/),
    },
  ];
}

function clockOf(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${String(Math.floor(whole / 60)).padStart(2, '0')}:${String(whole % 60).padStart(2, '0')}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
