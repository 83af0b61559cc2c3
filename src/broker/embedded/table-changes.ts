import { Arena } from './arena.ts';

/**
 * Which entries of a table partition were put, and by which commit, since somebody first asked. Told before the commit
 * is visible, so that who reads after it can miss none of them.
 */
export class TableChanges {
  /** Commits up to this one are not told of. */
  readonly #from: number;
  /** By key: the last commit that put or removed it. */
  readonly #commits = new Map<string, number>();
  /** Keys that the commit under way removes. */
  readonly #removing = new Set<string>();
  /** For what is told of the changes, until the next time. */
  readonly arena = new Arena();

  /** @param staged number of the last commit of which the puts are not told any more */
  constructor(staged: number) {
    this.#from = staged;
  }

  put(key: string, commit: number): void {
    this.#commits.set(key, commit);
    this.#removing.delete(key);
  }

  remove(key: string, commit: number): void {
    this.#commits.set(key, commit);
    this.#removing.add(key);
  }

  /** The commit under way is visible: nothing can be told of what it has removed. */
  committed(): void {
    for (const key of this.#removing) {
      this.#commits.delete(key);
    }
    this.#removing.clear();
  }

  /** The commit under way failed: what it would have removed is still there. */
  rolledBack(): void {
    this.#removing.clear();
  }

  /** Keys, some of them removed, that later commits have changed, in no order; undefined where not all of them are known. */
  since(commit: number, prefix: string): string[] | undefined {
    if (commit < this.#from) {
      return undefined;
    }
    const keys: string[] = [];
    for (const [key, last] of this.#commits) {
      if (last > commit && key.startsWith(prefix)) {
        keys.push(key);
      }
    }
    return keys;
  }
}
