import { expect } from 'chai';
import { Arrivals } from '../../src/actors/arrivals.ts';
import type { PublishedModel } from '../../src/actors/centroid-aggregator/messages.ts';
import type { Cluster, Model } from '../../src/clustering/model.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { PipelineMetrics } from '../../src/metrics/pipeline-metrics.ts';
import { PrometheusMetrics } from '../../src/metrics/prom-client.ts';
import { ProcessSampler } from '../../src/metrics/process-sampler.ts';
import { ServedModels } from '../../src/metrics/served-models.ts';
import { RecordedLog, until } from '../actors/pipeline/support.ts';
import { RecordedMetrics } from '../support/recorded-metrics.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { parsePrometheus } from './prometheus-text.ts';

function model(
  places: readonly (readonly [east: number, north: number])[],
  more: Partial<Model> = {},
): Model {
  const clusters = places.map(([east, north], index): Cluster => {
    const position = { longitude: longitude(east), latitude: latitude(north) };
    // The length of a center tells how gathered the rows are, and nothing of where it is.
    return { ...position, id: index + 1, center: [0, 0, 0.1], weight: 100 - index, share: 0.1, radiusKm: 1 };
  });
  return { k: 8, weight: 1_000, cost: 2, costBounds: { lower: 1.5, upper: 2.25 }, clusters, ...more };
}

function published(served: Model, more: Partial<PublishedModel> = {}): PublishedModel {
  return { model: served, nextOffsets: [0], events: [], epoch: 0, lineage: undefined, ...more };
}

describe('metrics of served models', () => {
  let metrics: RecordedMetrics;
  let clock: SimulatedClock;
  let arrivals: Arrivals;
  let models: ServedModels;

  beforeEach(() => {
    metrics = new RecordedMetrics();
    clock = new SimulatedClock();
    arrivals = new Arrivals();
    models = new ServedModels(metrics, arrivals, clock);
  });

  it('are none before the first', () => {
    models.sample();
    expect(metrics.gauges).to.deep.equal({});
  });

  it('tell cost, bounds, k, drift, and how far each cluster moved', () => {
    models.served(published(model([[0, 0]])));
    models.sample();
    expect(metrics.gauges).to.deep.equal({
      'model.weight': 1_000,
      'model.k': 8,
      'model.clusters': 1,
      'model.cost': 2,
      'model.bound.width': 0.75,
      'cluster.weight 1': 100,
    });
    const drift = { pane: null, ratio: 1.7, alarm: true, since: null, reason: null };
    models.served(
      published(
        model(
          [
            [179, 0],
            [1, 0],
          ],
          { drift },
        ),
      ),
    );
    models.sample();
    expect(metrics.gauges).to.include({
      'model.drift.alarm': 1,
      'model.drift.ratio': 1.7,
      'cluster.weight 2': 99,
    });
    expect(metrics.gauges['cluster.moved 2']).to.be.closeTo(111.2, 0.1);
    expect(metrics.gauges['cluster.moved 1']).to.be.closeTo(179 * 111.195, 1);
    models.served(published(model([[1, 0]], { drift: { ...drift, ratio: null, alarm: false } })));
    models.sample();
    expect(metrics.gauges).to.include({ 'model.drift.alarm': 0, 'cluster.moved 1': 0 });
    expect(metrics.gauges).to.not.have.property('model.drift.ratio');
    expect(metrics.gauges).to.not.have.property('cluster.weight 2');
  });

  it('are of the 50 heaviest clusters only', () => {
    const many = Array.from({ length: 60 }, (_, index): [number, number] => [index, 0]);
    models.served(published(model(many)));
    models.sample();
    expect(Object.keys(metrics.gauges).filter((key) => key.startsWith('cluster.'))).to.have.length(50);
  });

  it('tell how long rows were on their way, and what live models told', async () => {
    const arrivedAt = clock.now();
    arrivals.read(0, 6, arrivedAt);
    arrivals.read(0, 9, arrivedAt + 2_000);
    arrivals.read(0, 11, arrivedAt + 99_000);
    await clock.advance(3_500);
    models.served(published(model([]), { nextOffsets: [10] }));
    expect(metrics.times).to.deep.equal({ 'model.delay': [3_500, 1_500] });
    const events = [{ type: 'born', id: 1 } as const, { type: 'born', id: 2 } as const];
    // A clock that is behind that of the disk makes no delay below 0.
    models.served(published(model([]), { nextOffsets: [12], events }));
    expect(metrics.times['model.delay']?.at(-1)).to.equal(0);
    expect(metrics.counted).to.deep.equal({ 'aggregator.events born': 2 });
  });
});

describe('metrics of the process', () => {
  it('tell memory, CPU time and how late timers fire', async () => {
    const metrics = new RecordedMetrics();
    const own = new ProcessSampler(metrics, 0);
    try {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const heldUp = performance.now() + 200;
      while (performance.now() < heldUp);
      await new Promise((resolve) => setTimeout(resolve, 50));
      own.sample(1);
      expect(metrics.gauges['process.memory rss']).to.be.above(2 ** 20);
      expect(metrics.counted['process.cpu user']).to.be.above(0.05);
      const late = metrics.gauges['process.event_loop.delay max'];
      expect(late).to.be.above(0.1);
      // A peak is seen by all who look in its window or the next, and then no more.
      own.sample(30_000);
      expect(metrics.gauges['process.event_loop.delay max']).to.equal(late);
      own.sample(59_000);
      expect(metrics.gauges['process.event_loop.delay max']).to.be.at.least(late ?? Infinity);
    } finally {
      own.stop();
    }
  });
});

describe('the text for Prometheus', () => {
  it('has every counter without tags from the beginning, and a gauge only while it has a value', async () => {
    const metrics = new PrometheusMetrics();
    const series = async (name: string): Promise<readonly object[] | undefined> =>
      parsePrometheus(await metrics.text())
        .get(name)
        ?.series.map(({ labels, value }) => ({ ...labels, value }));
    expect(await series('geoflock_publisher_rows_read_total')).to.deep.equal([{ value: 0 }]);
    expect(await series('geoflock_model_k')).to.deep.equal([]);
    metrics.gauge('model.k', [{ value: 5, tags: {} }]);
    expect(await series('geoflock_model_k')).to.deep.equal([{ value: 5 }]);
    metrics.gauge('model.k', []);
    expect(await series('geoflock_model_k')).to.deep.equal([]);
    metrics.gauge('partition.lag', [{ value: 1, tags: { partition: '0' } }]);
    metrics.gauge('partition.lag', [{ value: 2, tags: { partition: '1' } }]);
    expect(await series('geoflock_partition_lag')).to.deep.equal([{ partition: '1', value: 2 }]);
  });

  it('has timings in seconds', async () => {
    const metrics = new PrometheusMetrics();
    metrics.time('transaction.time', 2_000, { stage: 'publisher' });
    metrics.time('transaction.time', 20, { stage: 'publisher' });
    const family = parsePrometheus(await metrics.text()).get('geoflock_transaction_time_seconds');
    const value = (name: string, le?: string): number | undefined =>
      family?.series.find((one) => one.name.endsWith(name) && one.labels['le'] === le)?.value;
    expect(value('_sum')).to.equal(2.02);
    expect(value('_count')).to.equal(2);
    expect(value('_bucket', '0.025')).to.equal(1);
    expect(value('_bucket', '2.5')).to.equal(2);
  });
});

describe('errors on the way to StatsD', () => {
  it('are counted in Prometheus, and logged once a minute', async () => {
    const clock = new SimulatedClock();
    const log = new RecordedLog();
    const metrics = new PipelineMetrics({
      clock,
      log,
      statsd: {
        host: '127.0.0.1',
        port: 1,
        socket: '/nowhere/statsd.sock',
        flavor: 'plain',
        prefix: 'geoflock',
        sampleRate: 1,
        tags: [],
        every: 1_000,
        maxBufferBytes: 256,
      },
    });
    const told = (): number => log.messages('warn').length;
    metrics.recorder.time('model.delay', 1);
    // The first write fails as soon as the socket is known to be none.
    for (let partition = 0; told() === 0; partition++) {
      metrics.recorder.count('partition.messages', 1, { partition: String(partition % 8) });
      await new Promise(setImmediate);
    }
    for (let partition = 0; partition < 200; partition++) {
      metrics.recorder.count('partition.messages', 1, { partition: String(partition) });
    }
    await new Promise(setImmediate);
    expect(told()).to.equal(1);
    clock.jump(60_000);
    for (let partition = 0; partition < 200; partition++) {
      metrics.recorder.count('partition.messages', 1, { partition: String(partition) });
    }
    await until('it is told again', () => told() === 2);
    expect(log.lines[0]?.fields).to.deep.include({ to: '/nowhere/statsd.sock', errors: 1 });
    const text = metrics.prometheus();
    await clock.advance(1_000);
    const errors = parsePrometheus(await text).get('geoflock_statsd_errors_total')?.series[0]?.value;
    expect(errors).to.be.above(10);
    const closed = metrics.close();
    await clock.advance(5_000);
    await closed;
  });
});
