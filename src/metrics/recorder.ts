import type { NameOf, TagArguments, TagsOf } from './catalogue.ts';

/** One value of a gauge, with its tags. */
export interface GaugeValue<Name extends NameOf<'gauge'>> {
  readonly value: number;
  readonly tags: TagsOf<Name>;
}

/**
 * The port through which values are recorded. No call throws, blocks or waits, whatever becomes of the values.
 * It is made for what happens some times a second; what happens for each row is counted in `PipelineStats`,
 * which the sampler reads.
 */
export interface Metrics {
  /** Adds `n` (at least 0) to a counter. */
  count<Name extends NameOf<'counter'>>(name: Name, n: number, ...tags: TagArguments<Name>): void;
  /** All values that the gauge has now, none below 0: one with other tags is gone. */
  gauge<Name extends NameOf<'gauge'>>(name: Name, values: readonly GaugeValue<Name>[]): void;
  /** One more duration in milliseconds. */
  time<Name extends NameOf<'timing'>>(name: Name, ms: number, ...tags: TagArguments<Name>): void;
}

/** Records nothing. */
export const noMetrics: Metrics = {
  count: () => undefined,
  gauge: () => undefined,
  time: () => undefined,
};

/** Records everything in each of them. */
export function inEach(all: readonly Metrics[]): Metrics {
  return {
    count: (...recorded) => {
      for (const one of all) {
        one.count(...recorded);
      }
    },
    gauge: (...recorded) => {
      for (const one of all) {
        one.gauge(...recorded);
      }
    },
    time: (...recorded) => {
      for (const one of all) {
        one.time(...recorded);
      }
    },
  };
}
