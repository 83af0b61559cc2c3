import { UnknownOutcomeError } from '../broker/errors.ts';

interface Undecided {
  readonly mark: string | undefined;
  readonly count: () => void;
}

/**
 * Counts what commits of this process bring, each once, also where the answer to a commit was lost: whoever
 * opens the writer anew finds what is committed, and what is found is counted then. Lives longer than the
 * incarnation that commits.
 */
export class UndecidedCommits {
  readonly #undecided = new Map<number, Undecided>();

  /**
   * Awaits a commit of a writer's partition, and calls `count` if it took effect.
   * @param mark what the partition's state shows after this commit and not before; undefined: nothing shows it
   * @param commit resolves to undefined where nothing was written
   */
  async counted<T>(
    partition: number,
    mark: string | undefined,
    commit: Promise<T | undefined>,
    count: () => void,
  ): Promise<T | undefined> {
    this.#undecided.set(partition, { mark, count });
    let committed: T | undefined;
    try {
      committed = await commit;
    } catch (error) {
      // Of all others it is known that they left no trace.
      if (!(error instanceof UnknownOutcomeError)) {
        this.#undecided.delete(partition);
      }
      throw error;
    }
    this.#undecided.delete(partition);
    if (committed !== undefined) {
      count();
    }
    return committed;
  }

  /** The partition's committed state was read. */
  found(partition: number, mark: string): void {
    const undecided = this.#undecided.get(partition);
    this.#undecided.delete(partition);
    if (undecided?.mark === mark) {
      undecided.count();
    }
  }
}
