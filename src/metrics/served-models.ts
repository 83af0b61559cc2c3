import type { Arrivals } from '../actors/arrivals.ts';
import type { PublishedModel } from '../actors/centroid-aggregator/messages.ts';
import type { Cluster, Model } from '../clustering/model.ts';
import { greatCircleKm, unitVector } from '../geo/sphere.ts';
import type { Clock } from '../system/clock.ts';
import type { Metrics } from './recorder.ts';

/** There may be 10,000 clusters, and two values of each. */
const MOST_RANKS = 50;

/** What the models that this process serves tell. */
export class ServedModels {
  readonly #metrics: Metrics;
  readonly #arrivals: Arrivals;
  readonly #clock: Clock;
  #last: Model | undefined;
  #before: Model | undefined;

  constructor(metrics: Metrics, arrivals: Arrivals, clock: Clock) {
    this.#metrics = metrics;
    this.#arrivals = arrivals;
    this.#clock = clock;
  }

  served({ events, model, nextOffsets }: PublishedModel): void {
    this.#before = this.#last;
    this.#last = model;
    const now = this.#clock.now();
    for (const arrivedAt of this.#arrivals.served(nextOffsets)) {
      this.#metrics.time('model.delay', Math.max(0, now - arrivedAt));
    }
    for (const { type } of events) {
      this.#metrics.count('aggregator.events', 1, { type });
    }
  }

  /** Records the gauges of the model served last; none before the first. */
  sample(): void {
    const model = this.#last;
    if (model === undefined) {
      return;
    }
    const metrics = this.#metrics;
    const { clusters, cost, costBounds, drift, k, weight } = model;
    metrics.gauge('model.weight', [{ value: weight, tags: {} }]);
    metrics.gauge('model.k', [{ value: k, tags: {} }]);
    metrics.gauge('model.clusters', [{ value: clusters.length, tags: {} }]);
    metrics.gauge('model.cost', [{ value: cost, tags: {} }]);
    const width = Math.max(0, costBounds.upper - costBounds.lower);
    metrics.gauge('model.bound.width', [{ value: width, tags: {} }]);
    metrics.gauge('model.drift.alarm', drift === undefined ? [] : [{ value: Number(drift.alarm), tags: {} }]);
    const ratio = drift?.ratio ?? undefined;
    metrics.gauge('model.drift.ratio', ratio === undefined ? [] : [{ value: ratio, tags: {} }]);
    const ranked = clusters.slice(0, MOST_RANKS);
    metrics.gauge(
      'cluster.weight',
      ranked.map((cluster, index) => ({ value: cluster.weight, tags: { rank: String(index + 1) } })),
    );
    const before = this.#before?.clusters ?? [];
    metrics.gauge(
      'cluster.moved',
      before.length === 0
        ? []
        : ranked.map((cluster, index) => ({
            value: kmToNearest(cluster, before),
            tags: { rank: String(index + 1) },
          })),
    );
  }
}

/** From a cluster's center to the nearest one of the others. */
function kmToNearest(cluster: Cluster, others: readonly Cluster[]): number {
  const center = unitVector(cluster);
  return Math.min(...others.map((other) => greatCircleKm(center, unitVector(other))));
}
