/** What the documents that go with the catalogue say, line by line. */
import { METRIC_NAMES, type MetricName, specOf } from '../../src/metrics/catalogue.ts';
import { prometheusName, TIMING_BUCKETS } from '../../src/metrics/names.ts';

/** The rows of the table in `docs/METRICS.md`. */
export function tableRows(): readonly string[] {
  return METRIC_NAMES.map((name) => {
    const { help, kind, tags, unit } = specOf(name);
    const cells = [
      `\`geoflock.${name}\``,
      kind,
      unit,
      tags.map((tag) => `\`${tag}\``).join(', '),
      help,
      `\`${prometheusName(name)}\``,
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

export interface Mapping {
  readonly match: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly observer_type?: 'histogram';
  readonly histogram_options?: { readonly buckets: readonly number[] };
}

/**
 * The mappings of `k8s/monitoring/statsd-exporter-mapping.yaml`: each metric as dogstatsd names it, and where
 * it has tags also as plain does.
 */
export function mappings(): readonly Mapping[] {
  return METRIC_NAMES.flatMap((name) => {
    const { tags } = specOf(name);
    const match = `geoflock.${name}`;
    const labels = Object.fromEntries(tags.map((tag, index) => [tag, `$${String(index + 1)}`]));
    const plain = { match: [match, ...tags.map(() => '*')].join('.'), ...named(name), labels };
    return tags.length === 0 ? [{ match, ...named(name) }] : [{ match, ...named(name) }, plain];
  });
}

function named(name: MetricName): Omit<Mapping, 'match'> {
  return {
    name: prometheusName(name),
    ...(specOf(name).kind === 'timing'
      ? { observer_type: 'histogram', histogram_options: { buckets: TIMING_BUCKETS } }
      : {}),
  };
}
