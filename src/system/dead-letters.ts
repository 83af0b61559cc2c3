export type DeadLetterReason =
  /** No actor of that path exists. */
  | 'unknown-receiver'
  /** The receiver was being stopped, or its mailbox held the message when it was. */
  | 'stopped'
  | 'mailbox-full'
  /** The receiver was restarting and its stash was full. */
  | 'stash-full'
  /** The message was in the mailbox of an incarnation that ended in a restart. */
  | 'restarted';

export interface DeadLetter {
  readonly path: string;
  readonly reason: DeadLetterReason;
  /** More than 1 where a mailbox was dropped as a whole. */
  readonly count: number;
  /** Wall-clock milliseconds. */
  readonly at: number;
}

export interface DeadLetterCount {
  readonly path: string;
  readonly reason: DeadLetterReason;
  readonly count: number;
}

/** Counts the messages that no handler will see; keeps the last few, never the messages. */
export class DeadLetters {
  readonly #now: () => number;
  readonly #visible: number;
  readonly #onFirst: (letter: DeadLetter) => void;
  readonly #counts = new Map<string, { path: string; reason: DeadLetterReason; count: number }>();
  readonly #recent: DeadLetter[] = [];
  #total = 0;

  /**
   * @param visible how many of the last to keep.
   * @param onFirst told of the first dead letter of each path and reason; a log that repeated the
   *   others would be the next thing to overflow.
   */
  constructor(now: () => number, visible: number, onFirst: (letter: DeadLetter) => void) {
    this.#now = now;
    this.#visible = visible;
    this.#onFirst = onFirst;
  }

  get total(): number {
    return this.#total;
  }

  /** By path and reason, in the order of their first dead letter. */
  counts(): readonly DeadLetterCount[] {
    return [...this.#counts.values()].map((entry) => ({ ...entry }));
  }

  /** The last ones, oldest first. */
  recent(): readonly DeadLetter[] {
    return [...this.#recent];
  }

  record(path: string, reason: DeadLetterReason, count = 1): void {
    if (count === 0) {
      return;
    }
    const letter: DeadLetter = { path, reason, count, at: this.#now() };
    this.#total += count;
    this.#recent.push(letter);
    if (this.#recent.length > this.#visible) {
      this.#recent.shift();
    }
    const key = `${reason} ${path}`;
    const entry = this.#counts.get(key);
    if (entry === undefined) {
      this.#counts.set(key, { path, reason, count });
      this.#onFirst(letter);
    } else {
      entry.count += count;
    }
  }
}
