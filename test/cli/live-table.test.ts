import { expect } from 'chai';
import { emptyStats } from '../../src/actors/stats.ts';
import { topicNames } from '../../src/actors/topics.ts';
import type { NamedCluster, NamedModel } from '../../src/clustering/geojson.ts';
import { type LiveSource, liveLine, liveTable } from '../../src/cli/live-table.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import type { Place } from '../../src/geo/place.ts';
import type { ActorInfo } from '../../src/system/actor-system.ts';
import { ByteBudget } from '../../src/system/budget.ts';
import { Connection } from '../../src/system/connection.ts';
import { ConnectionRegistry } from '../../src/system/connection-registry.ts';

const WIDTH = 79;
const TOPICS = topicNames({ group: 'geoflock', prefix: '', rows: 'rows', partitions: 2 });
const VIEW = { elapsedSeconds: 65.9, rowsPerSecond: 12_345.6, model: undefined };

function actor(path: string, restarts: number): ActorInfo {
  return { path, restarts, state: 'running', incarnation: 1 + restarts, mailbox: 0, lastError: undefined };
}

/** A pipeline of two partitions; every number that is shown is another one. */
function source(kind: 'embedded' | 'kafka' = 'embedded'): LiveSource {
  const stats = emptyStats(2);
  Object.assign(stats.fileWatcher, { files: 1_001, waiting: 12 });
  Object.assign(stats.publisher, { filesDone: 5, rowsRead: 70_000 });
  stats.partitions.forEach((partition, index) =>
    Object.assign(partition, { rowsCounted: 20_000 + index, regions: 30 + index }),
  );
  Object.assign(stats.aggregator, { models: 9, lastModelMs: 41.7 });
  const budget = new ByteBudget(1_000_000);
  const connections = new ConnectionRegistry();
  for (const [name, rows] of [
    ['files', 3],
    ['publisher', 600],
    ['partition-0=>regions', 40],
    ['partition-1=>regions', 50],
  ] as const) {
    const connection = new Connection({
      name,
      receiver: 'stage',
      thresholds: { rows: 1_000, bytes: 100_000 },
      budget,
    });
    connection.tryReserveRows(rows, 1);
    connections.register(connection);
  }
  return {
    broker: {
      kind,
      unconsumed: (topic) => ({ bytes: topic === TOPICS.rows ? 3.5 * 2 ** 20 : 0, records: 7 }),
    },
    topology: { connections, stats, topics: TOPICS },
    actors: () => [
      actor('ingest', 100),
      actor('ingest/file-watcher', 1),
      actor('ingest/publisher', 2),
      actor('partitions', 100),
      actor('partitions/partition-0', 3),
      actor('partitions/partition-1', 4),
      actor('partitions/partition-0/region-3', 5),
      actor('partitions/partition-1/region-40', 6),
      actor('centroid-aggregator', 8),
    ],
  };
}

function cluster(id: number, weight: number, place: Place | null = null): NamedCluster {
  const center = [-1, 0, 0] as const;
  return {
    id,
    longitude: longitude(-179.99999),
    latitude: latitude(-89.99999),
    center,
    weight,
    share: 1,
    radiusKm: 20_015,
    place,
  };
}

const placeOf = (name: string, country: string): Place => ({
  name,
  country,
  countryCode: 'XX',
  distanceKm: 1,
  text: `near ${name}, ${country}`,
});

const modelOf = (...clusters: NamedCluster[]): NamedModel => ({
  k: clusters.length,
  weight: 1,
  cost: 0,
  costBounds: { lower: 0, upper: 0 },
  clusters,
});

describe('the live table', () => {
  it('shows throughput, and what each stage does, holds and how often it was restarted', () => {
    const lines = liveTable(source(), VIEW);
    const cells = lines.map((line) => line.trimEnd().split(/ {2,}/));
    expect(cells).to.deep.equal([
      ['Geoflock', '01:05', '12,346 rows/s'],
      [''],
      ['stage', 'queue', 'restarts'],
      ['file-watcher', '1,001 files seen', '12 waiting', '1'],
      ['publisher', '70,000 rows read', '3 files', '2'],
      ['partitions', '40,001 rows counted', '3.5 MiB in log', '7'],
      ['regions', '61 regions', '90 rows', '11'],
      ['centroid-aggregator 9 models, last 42 ms', '8'],
      [''],
      ['clusters: the first model comes with the first checkpoint'],
    ]);
  });

  it('tells nothing of the log on Kafka, which is not bounded by us', () => {
    const line = liveTable(source('kafka'), VIEW).find((one) => one.startsWith('partitions'));
    expect(line?.trimEnd().split(/ {2,}/)).to.deep.equal(['partitions', '40,001 rows counted', '7']);
  });

  it('puts each column of the stages below its title', () => {
    const lines = liveTable(source(), VIEW);
    const [title, first] = [lines[2] ?? '', lines[3] ?? ''];
    expect(first.indexOf('12 waiting')).to.equal(title.indexOf('queue'));
    expect(first.length).to.equal(title.length);
  });

  it('has a line for each cluster', () => {
    const lines = liveTable(source(), { ...VIEW, model: modelOf(cluster(1, 1_000), cluster(2, 10)) });
    expect(lines.slice(-2).map((line) => line.trim().split(/ +/))).to.deep.equal([
      ['1', '-180.000', '-90.000', '1,000', '100.00', '%', '20,015'],
      ['2', '-180.000', '-90.000', '10', '100.00', '%', '20,015'],
    ]);
    expect(liveTable(source(), { ...VIEW, model: modelOf() }).at(-1)).to.equal(
      'no clusters: no rows are counted',
    );
  });

  it('names the place of each cluster at its end, below its title, on a line of 79 columns', () => {
    const places = [placeOf('Buenos Aires', 'Argentina'), placeOf('Dar es Salaam', 'Tanzania'), null];
    const model = modelOf(...places.map((place, index) => cluster(9_997 + index, 999_999_999, place)));
    const lines = liveTable(source(), { ...VIEW, model }).slice(-4);
    const at = lines[0]?.indexOf('near') ?? 0;
    expect(lines.slice(1).map((line) => line.slice(at))).to.deep.equal([
      'Buenos Aires, Argentina',
      'Dar es Salaam, Tanzania',
      '',
    ]);
    expect(lines[1]).to.have.length(WIDTH);
  });

  it('ends a line that is cut with an ellipsis', () => {
    const model = modelOf(cluster(1, 10, placeOf('Thiruvananthapuram', 'India')));
    const line = liveTable(source(), { ...VIEW, model }).at(-1);
    expect(line).to.have.length(WIDTH);
    expect(line).to.match(/ {2}Thiruvananthapuram, In…$/);
  });

  it('never has a line that would wrap', () => {
    const huge = source();
    const { stats } = huge.topology;
    const most = Number.MAX_SAFE_INTEGER;
    Object.assign(stats.fileWatcher, { files: most, waiting: most });
    Object.assign(stats.publisher, { rowsRead: most });
    Object.assign(stats.aggregator, { models: most, lastModelMs: most });
    const clusters = Array.from({ length: 1_000 }, (_, index) => cluster(index + 1, most));
    const lines = liveTable(huge, {
      elapsedSeconds: 1e9,
      rowsPerSecond: most,
      model: modelOf(...clusters),
    });
    expect(Math.max(...lines.map((line) => line.length))).to.equal(WIDTH);
  });
});

describe('the live line', () => {
  it('says the same in one line', () => {
    expect(liveLine(source(), VIEW)).to.equal(
      '01:05 rows/s=12346 files=5 read=70000 counted=40001 queued=90 restarts=29',
    );
  });

  it('names the number of clusters and the heaviest, when there is one', () => {
    const line = (model: NamedModel): string => liveLine(source(), { ...VIEW, model });
    expect(line(modelOf(cluster(1, 1_000), cluster(2, 10)))).to.match(
      / clusters=2 heaviest=-180\.000,-90\.000$/,
    );
    expect(line(modelOf(cluster(1, 1_000, placeOf('Lagos', 'Nigeria'))))).to.match(
      / heaviest=-180\.000,-90\.000 \(near Lagos, Nigeria\)$/,
    );
    expect(line(modelOf())).to.match(/ clusters=0$/);
  });
});
