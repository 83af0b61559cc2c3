import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type MetricName, METRIC_NAMES, type NameOf, specOf, type TagArguments } from './catalogue.ts';
import { prometheusName, tagValue, TIMING_BUCKETS } from './names.ts';
import type { GaugeValue, Metrics } from './recorder.ts';

type Labels = Readonly<Record<string, string>>;

/** The metrics of the catalogue in memory, as Prometheus asks for them. */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<MetricName, Counter>();
  readonly #gauges = new Map<MetricName, Gauge>();
  readonly #histograms = new Map<MetricName, Histogram>();

  constructor() {
    for (const name of METRIC_NAMES) {
      const { help, kind, tags } = specOf(name);
      const options = {
        name: prometheusName(name),
        help,
        labelNames: tags,
        registers: [this.#registry],
      };
      switch (kind) {
        case 'counter':
          this.#counters.set(name, new Counter(options));
          break;
        case 'gauge':
          this.#gauges.set(name, new Gauge(options));
          this.gauge(name as NameOf<'gauge'>, []);
          break;
        case 'timing':
          this.#histograms.set(name, new Histogram({ ...options, buckets: [...TIMING_BUCKETS] }));
          break;
      }
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in Prometheus' text form. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  count<Name extends NameOf<'counter'>>(name: Name, n: number, ...[tags]: TagArguments<Name>): void {
    this.#counters.get(name)?.inc(labels(tags), n);
  }

  gauge<Name extends NameOf<'gauge'>>(name: Name, values: readonly GaugeValue<Name>[]): void {
    const gauge = this.#gauges.get(name);
    gauge?.reset();
    if (specOf(name).tags.length === 0) {
      // One without labels is 0 after a reset, which would be a value.
      gauge?.remove();
    }
    for (const { tags, value } of values) {
      gauge?.set(labels(tags), value);
    }
  }

  time<Name extends NameOf<'timing'>>(name: Name, ms: number, ...[tags]: TagArguments<Name>): void {
    this.#histograms.get(name)?.observe(labels(tags), Math.max(0, ms) / 1000);
  }
}

function labels(tags: Labels | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(tags ?? {}).map(([name, value]) => [name, tagValue(value)]));
}
