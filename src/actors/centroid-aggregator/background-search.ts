import type { Candidate } from '../../clustering/live-k.ts';
import { searchBeside, type Unsearched } from '../../clustering/live-model.ts';
import type { ModelOptions } from '../../clustering/model.ts';
import type { ActorContext } from '../../system/actor.ts';
import { inSlices } from '../in-slices.ts';
import { BackgroundJob } from './background-job.ts';
import type { BackgroundTurns } from './background-turns.ts';

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
  readonly #job: BackgroundJob;
  #found: Candidate | undefined;

  constructor(own: BackgroundSearchOptions) {
    this.#own = own;
    this.#job = new BackgroundJob(own.context);
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
    if (!this.#job.running && this.#found === undefined) {
      this.#job.begin((signal) => this.#search(features, signal));
    }
  }

  /** Ends the search and forgets what was found: the models are another's. */
  cancel(): void {
    this.#job.cancel();
    this.#found = undefined;
  }

  async #search(features: Unsearched, signal: AbortSignal): Promise<void> {
    const { context, model, onBetter, turns } = this.#own;
    // Whoever begins it has done enough in this turn.
    await turns.next();
    signal.throwIfAborted();
    const { better, candidate } = await inSlices(searchBeside(features, model), {
      clock: context.clock,
      signal,
      turn: () => turns.next(),
    });
    signal.throwIfAborted();
    this.#found = candidate;
    if (better) {
      onBetter();
    }
  }
}
