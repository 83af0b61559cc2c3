import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { REJECT_REASONS } from '../../src/rows/reasons.ts';
import { CATALOGUE, METRIC_NAMES, specOf } from '../../src/metrics/catalogue.ts';
import { plainName, prometheusName, tagValue } from '../../src/metrics/names.ts';
import { inEach, noMetrics } from '../../src/metrics/recorder.ts';
import { RecordedMetrics } from '../support/recorded-metrics.ts';
import { type Mapping, mappings, tableRows } from './documents.ts';

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

describe('the catalogue of metrics', () => {
  it('is the table of docs/METRICS.md', () => {
    const rows = read('docs/METRICS.md')
      .split('\n')
      .filter((line) => line.startsWith('| `geoflock.'));
    expect(rows).to.deep.equal(tableRows());
  });

  it('is the mapping of statsd_exporter', () => {
    const file = load(read('k8s/monitoring/statsd-exporter-mapping.yaml')) as {
      readonly mappings: readonly Mapping[];
    };
    expect(Object.keys(file)).to.deep.equal(['mappings']);
    expect(file.mappings).to.deep.equal(mappings());
  });

  it('names each metric by its stage, and each once in every form', () => {
    for (const name of METRIC_NAMES) {
      expect(name).to.match(/^[a-z]+(?:\.[a-z_]+)+$/);
      expect(prometheusName(name)).to.match(/^geoflock_[a-z_]+$/);
    }
    expect(new Set(METRIC_NAMES.map(prometheusName)).size).to.equal(METRIC_NAMES.length);
    // A plain name with its tags must not be that of another metric: the daemon could not tell them apart.
    const shapes = METRIC_NAMES.map((name) => {
      const { tags } = specOf(name);
      return [...name.split('.'), ...tags.map(() => '*')];
    });
    for (const one of shapes) {
      const same = shapes.filter(
        (other) =>
          other.length === one.length &&
          other.every((part, index) => part === '*' || one[index] === '*' || part === one[index]),
      );
      expect(same, one.join('.')).to.have.length(1);
    }
  });

  it('tells units that the names in Prometheus are made of', () => {
    expect(prometheusName('publisher.bytes')).to.equal('geoflock_publisher_bytes_total');
    expect(prometheusName('region.busy')).to.equal('geoflock_region_busy_seconds_total');
    expect(prometheusName('partition.checkpoint.size')).to.equal('geoflock_partition_checkpoint_size_bytes');
    expect(prometheusName('model.delay')).to.equal('geoflock_model_delay_seconds');
    expect(prometheusName('model.k')).to.equal('geoflock_model_k');
    for (const name of METRIC_NAMES) {
      expect(specOf(name).kind === 'timing', name).to.equal(specOf(name).unit === 'ms');
    }
  });

  it('puts the values of tags behind a plain name, in its own order', () => {
    const tags = { reason: 'late', partition: '3' };
    expect(plainName('partition.rows.rejected', tags)).to.equal('partition.rows.rejected.3.late');
    expect(plainName('model.k', {})).to.equal('model.k');
  });

  it('makes values that no form can misread, and leaves reasons and partitions as they are', () => {
    expect(tagValue('partition-3=>regions')).to.equal('partition-3-regions');
    expect(tagValue('a.b|c:d#e,f\n"g"')).to.equal('a-b-c-d-e-f-g-');
    for (const value of [...REJECT_REASONS, '0', '1023']) {
      expect(tagValue(value)).to.equal(value);
    }
  });

  it('makes anything else a type error', () => {
    // @ts-expect-error no such metric
    noMetrics.count('partition.rows.lost', 1);
    // @ts-expect-error a gauge is not counted
    noMetrics.count('model.k', 1);
    // @ts-expect-error it has tags
    noMetrics.count('partition.rows.counted', 1);
    // @ts-expect-error one is missing
    noMetrics.count('partition.rows.rejected', 1, { partition: '0' });
    // @ts-expect-error it has another
    noMetrics.time('partition.checkpoint.time', 1, { stage: '0' });
    // @ts-expect-error it has none
    noMetrics.time('model.delay', 1, { partition: '0' });
    // @ts-expect-error a gauge’s values have its tags
    noMetrics.gauge('connection.rows', [{ value: 1, tags: {} }]);
    noMetrics.count('partition.rows.rejected', 1, { partition: '0', reason: 'late' });
    expect(Object.keys(CATALOGUE)).to.deep.equal(METRIC_NAMES);
  });

  it('is recorded in each of several', () => {
    const all = [new RecordedMetrics(), new RecordedMetrics()];
    const metrics = inEach(all);
    metrics.count('statsd.errors', 2);
    metrics.count('statsd.errors', 3);
    metrics.gauge('model.k', [{ value: 7, tags: {} }]);
    metrics.time('model.delay', 12);
    for (const { counted, gauges, times } of all) {
      expect({ counted, gauges, times }).to.deep.equal({
        counted: { 'statsd.errors': 5 },
        gauges: { 'model.k': 7 },
        times: { 'model.delay': [12] },
      });
    }
  });
});
