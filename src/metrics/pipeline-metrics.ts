import { Arrivals } from '../actors/arrivals.ts';
import type { PublishedModel } from '../actors/centroid-aggregator/messages.ts';
import type { SupervisionObserver } from '../system/actor-system.ts';
import type { Clock } from '../system/clock.ts';
import type { Logger } from '../system/logger.ts';
import type { Schedule, Scheduler } from '../system/schedule.ts';
import { StatsdMetrics, type StatsdSettings } from './hot-shots.ts';
import { ProcessSampler } from './process-sampler.ts';
import { PrometheusMetrics } from './prom-client.ts';
import { inEach, type Metrics } from './recorder.ts';
import { actorName, Sampler, type Sources } from './sampler.ts';
import { ServedModels } from './served-models.ts';

export interface PipelineMetricsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined: nothing is sent to a daemon. */
  readonly statsd: (StatsdSettings & { readonly every: number }) | undefined;
}

/** Errors are logged no more often. */
const TELL_EVERY_MS = 60_000;
/** Whoever asks for the metrics waits no longer for the broker's word on where its logs end. */
const ENDS_PATIENCE_MS = 500;

/** All metrics of one pipeline: what its stages record in, what is sampled of them, and where it goes. */
export class PipelineMetrics {
  /** What stages record in. */
  readonly recorder: Metrics;
  /** Rows on their way from the disk to the model. */
  readonly arrivals = new Arrivals();
  readonly observer: SupervisionObserver;
  readonly #options: PipelineMetricsOptions;
  readonly #prometheus = new PrometheusMetrics();
  readonly #statsd: StatsdMetrics | undefined;
  readonly #process: ProcessSampler;
  readonly #models: ServedModels;
  #sampler: Sampler | undefined;
  #schedule: Schedule | undefined;
  /** What did not reach the daemon; of these, what is counted, and what is logged. */
  #errors = 0;
  #errorsCounted = 0;
  #errorsTold = 0;
  #toldAt = -Infinity;
  #closed = false;

  constructor(options: PipelineMetricsOptions) {
    const { clock, statsd } = options;
    this.#options = options;
    if (statsd !== undefined) {
      const onError = (error: Error): void => {
        this.#lost(error);
      };
      this.#statsd = new StatsdMetrics(statsd, { clock, onError });
    }
    const recorder = inEach([this.#prometheus, ...(this.#statsd === undefined ? [] : [this.#statsd])]);
    this.recorder = recorder;
    this.observer = {
      restarted: (path) => {
        recorder.count('actor.restarts', 1, { actor: actorName(path) });
      },
      escalated: (path) => {
        recorder.count('actor.escalations', 1, { actor: actorName(path) });
      },
    };
    this.#process = new ProcessSampler(recorder, clock.monotonic());
    this.#models = new ServedModels(recorder, this.arrivals, clock);
  }

  /** Of what `prometheus` resolves to. */
  get contentType(): string {
    return this.#prometheus.contentType;
  }

  served(published: PublishedModel): void {
    this.#models.served(published);
  }

  /** Begins to sample a pipeline that has been started. */
  begin(sources: Sources, schedule: Scheduler): void {
    const sampler = new Sampler(this.recorder, sources);
    this.#sampler = sampler;
    const { statsd } = this.#options;
    if (statsd !== undefined) {
      this.#schedule = schedule.every(statsd.every, () => {
        this.#send();
        // For the next time: whether a broker answers must not matter here.
        void sampler.askForEnds();
      });
    }
  }

  /** All metrics as they are now, in Prometheus' text form. */
  async prometheus(): Promise<string> {
    if (!this.#closed) {
      await this.#ends();
      this.#sample();
    }
    return await this.#prometheus.text();
  }

  /** Sends the last values. To be called when nothing of the pipeline works any more; the broker is open still. */
  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#schedule?.stop();
    this.#statsd?.ready();
    this.#sample();
    this.#closed = true;
    this.#process.stop();
    await this.#statsd?.close();
  }

  #sample(): void {
    this.#sampler?.sample();
    this.#models.sample();
    this.#process.sample(this.#options.clock.monotonic());
    this.recorder.count('statsd.errors', this.#errors - this.#errorsCounted);
    this.#errorsCounted = this.#errors;
  }

  #send(): void {
    this.#statsd?.ready();
    this.#sample();
    void this.#statsd?.flush();
  }

  async #ends(): Promise<void> {
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(ENDS_PATIENCE_MS, resolve);
    });
    await Promise.race([this.#sampler?.askForEnds(), late]);
    cancel();
  }

  #lost(error: Error): void {
    // Counted with the next sample: to send a word of each error would make more of them.
    this.#errors++;
    const { clock, log, statsd } = this.#options;
    const now = clock.monotonic();
    if (now - this.#toldAt >= TELL_EVERY_MS) {
      const to = statsd?.socket ?? `${statsd?.host ?? ''}:${String(statsd?.port ?? '')}`;
      const errors = this.#errors - this.#errorsTold;
      log.warn({ to, problem: error.message, errors }, 'metrics are lost on the way to StatsD');
      this.#toldAt = now;
      this.#errorsTold = this.#errors;
    }
  }
}
