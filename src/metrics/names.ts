import { type MetricName, specOf } from './catalogue.ts';

/** The name that Prometheus has for a metric: with its unit, and `_total` for a counter, as is usual there. */
export function prometheusName(name: MetricName): string {
  const { kind, unit } = specOf(name);
  const base = `geoflock_${name.replaceAll('.', '_')}`;
  const isMeasured = unit === 'seconds' || unit === 'bytes';
  const withUnit = isMeasured && !base.endsWith(`_${unit}`) ? `${base}_${unit}` : base;
  switch (kind) {
    case 'counter':
      return `${withUnit}_total`;
    case 'gauge':
      return withUnit;
    case 'timing':
      return `${withUnit}_seconds`;
  }
}

/** A timing's buckets in Prometheus, seconds: from a commit in memory to a backlog of hours. */
export const TIMING_BUCKETS: readonly number[] = [
  0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200,
];

/** A tag's value in any form: letters, digits, `_` and `-`; of anything else there is a `-`. */
export function tagValue(value: string): string {
  return value.replaceAll(/[^A-Za-z0-9_-]+/g, '-');
}

/** The name in the plain flavor: the values of the tags follow it, in the order of the catalogue. */
export function plainName(name: MetricName, tags: Readonly<Record<string, string>>): string {
  return [name, ...specOf(name).tags.map((tag) => tagValue(tags[tag] ?? ''))].join('.');
}
