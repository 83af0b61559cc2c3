import type { Candidate } from '../../clustering/live-k.ts';
import { searchBeside, type Unsearched } from '../../clustering/live-model.ts';
import type { ModelOptions } from '../../clustering/model.ts';
import { finishInSlices } from '../../clustering/slices.ts';
import type { ActorContext } from '../../system/actor.ts';
import type { BackgroundTurns } from './background-turns.ts';

/** The event loop is never held longer than this by a search or a model. */
export const SLICE_MS = 8;

export interface BackgroundSearchOptions {
  readonly context: Pick<ActorContext<never>, 'background' | 'clock'>;
  readonly model: ModelOptions;
  readonly turns: BackgroundTurns;
  /** Told when centers were found that would have been taken: they are worth a model of their own. */
  readonly onBetter: () => void;
}

/**
 * The long search from nothing, beside the live models that go on meanwhile: one at a time, in slices, over
 * the features of the model with which it began. It stands still while anything urgent is at work.
 */
export class BackgroundSearch {
  readonly #own: BackgroundSearchOptions;
  #running: AbortController | undefined;
  #found: Candidate | undefined;

  constructor(own: BackgroundSearchOptions) {
    this.#own = own;
  }

  /** What was found and not yet judged. */
  get found(): Candidate | undefined {
    return this.#found;
  }

  /** What was found has been judged: the next search may begin. */
  judged(): void {
    this.#found = undefined;
  }

  /** Begins, unless a search is under way or what the last one found was not judged yet. */
  begin(features: Unsearched): void {
    if (this.#running !== undefined || this.#found !== undefined) {
      return;
    }
    const running = new AbortController();
    this.#running = running;
    this.#own.context.background((stop) => this.#search(features, running, stop));
  }

  /** Ends the search and forgets what was found: the models are another's. */
  cancel(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#found = undefined;
  }

  async #search(features: Unsearched, running: AbortController, stop: AbortSignal): Promise<void> {
    const { context, model, onBetter, turns } = this.#own;
    const signal = AbortSignal.any([running.signal, stop]);
    try {
      const { better, candidate } = await finishInSlices(searchBeside(features, model), {
        now: () => context.clock.monotonic(),
        pause: () => turns.next(),
        sliceMs: SLICE_MS,
        signal,
      });
      if (!signal.aborted) {
        this.#found = candidate;
        if (better) {
          onBetter();
        }
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    } finally {
      if (this.#running === running) {
        this.#running = undefined;
      }
    }
  }
}
