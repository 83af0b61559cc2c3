import type { ActorContext } from '../../system/actor.ts';

/** Long work beside the live models: one at a time, until it is done, cancelled, or the actor stops. */
export class BackgroundJob {
  readonly #context: Pick<ActorContext<never>, 'background'>;
  #running: AbortController | undefined;

  constructor(context: Pick<ActorContext<never>, 'background'>) {
    this.#context = context;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** @param work is to end soon after its signal is aborted, and to keep nothing of what it found from then on. */
  begin(work: (signal: AbortSignal) => Promise<void>): void {
    const running = new AbortController();
    this.#running = running;
    this.#context.background(async (stop) => {
      const signal = AbortSignal.any([running.signal, stop]);
      try {
        await work(signal);
      } catch (error) {
        if (!signal.aborted) {
          throw error;
        }
      } finally {
        if (this.#running === running) {
          this.#running = undefined;
        }
      }
    });
  }

  /** Another may begin at once. */
  cancel(): void {
    this.#running?.abort();
    this.#running = undefined;
  }
}
