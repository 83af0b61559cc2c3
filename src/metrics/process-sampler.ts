import { EventLoopDelay } from './event-loop-delay.ts';
import type { Metrics } from './recorder.ts';

const MICROSECONDS = 1_000_000;

/** What is measured of the process as a whole. */
export class ProcessSampler {
  readonly #metrics: Metrics;
  readonly #delay: EventLoopDelay;
  #cpu: NodeJS.CpuUsage = { user: 0, system: 0 };

  /** @param nowMs monotonic, as of `sample` */
  constructor(metrics: Metrics, nowMs: number) {
    this.#metrics = metrics;
    this.#delay = new EventLoopDelay(nowMs);
  }

  sample(nowMs: number): void {
    const metrics = this.#metrics;
    const { external, heapUsed, rss } = process.memoryUsage();
    metrics.gauge(
      'process.memory',
      Object.entries({ rss, heap: heapUsed, external }).map(([kind, value]) => ({ value, tags: { kind } })),
    );
    const cpu = process.cpuUsage();
    for (const mode of ['user', 'system'] as const) {
      metrics.count('process.cpu', (cpu[mode] - this.#cpu[mode]) / MICROSECONDS, { mode });
    }
    this.#cpu = cpu;
    const delays = this.#delay.look(nowMs);
    metrics.gauge(
      'process.event_loop.delay',
      delays === undefined
        ? []
        : Object.entries(delays).map(([stat, value]: [string, number]) => ({ value, tags: { stat } })),
    );
  }

  stop(): void {
    this.#delay.stop();
  }
}
