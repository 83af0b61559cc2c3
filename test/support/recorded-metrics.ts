import type { NameOf, TagArguments } from '../../src/metrics/catalogue.ts';
import type { GaugeValue, Metrics } from '../../src/metrics/recorder.ts';

/** Keeps what is recorded, under the name with the values of the tags behind it. */
export class RecordedMetrics implements Metrics {
  readonly counted: Record<string, number> = {};
  /** As recorded last. */
  readonly gauges: Record<string, number> = {};
  readonly times: Record<string, number[]> = {};

  count<Name extends NameOf<'counter'>>(name: Name, n: number, ...[tags]: TagArguments<Name>): void {
    const key = keyOf(name, tags);
    this.counted[key] = (this.counted[key] ?? 0) + n;
  }

  gauge<Name extends NameOf<'gauge'>>(name: Name, values: readonly GaugeValue<Name>[]): void {
    for (const key of Object.keys(this.gauges).filter((one) => one.split(' ')[0] === name)) {
      Reflect.deleteProperty(this.gauges, key);
    }
    for (const { tags, value } of values) {
      this.gauges[keyOf(name, tags)] = value;
    }
  }

  time<Name extends NameOf<'timing'>>(name: Name, ms: number, ...[tags]: TagArguments<Name>): void {
    const key = keyOf(name, tags);
    this.times[key] = [...(this.times[key] ?? []), ms];
  }
}

function keyOf(name: string, tags: Readonly<Record<string, string>> | undefined): string {
  return [name, ...Object.values(tags ?? {})].join(' ');
}
