import { isCount } from './credit.ts';

/** Somebody queued for bytes of a budget. */
export interface BudgetWaiter {
  /** Takes at most `free` bytes and returns how many, or `undefined` when `free` is too little. */
  take(free: number): number | undefined;
  /** Called after the bytes returned by `take` were booked. */
  served(): void;
}

/**
 * The global limit on bytes in memory, over all connections. First come, first served: while one
 * waits, nobody overtakes, so a large request is not starved by small ones. A connection queues at
 * most one request at a time, and joins the end again for its next.
 */
export class ByteBudget {
  readonly limit: number;
  #used = 0;
  #guaranteed = 0;
  readonly #waiters: BudgetWaiter[] = [];
  #serving = false;

  /** @param limit in bytes. */
  constructor(limit: number) {
    if (!isCount(limit) || limit === 0) {
      throw new RangeError(`byte budget: limit ${String(limit)} is not a positive integer`);
    }
    this.limit = limit;
  }

  /** Bytes occupied: held by connections, or set aside for one of them. */
  get used(): number {
    return this.#used;
  }

  /** Bytes promised to single connections; the others can never have them. */
  get guaranteed(): number {
    return this.#guaranteed;
  }

  /** @throws RangeError when the promises would exceed the limit. */
  addGuarantee(name: string, bytes: number): void {
    if (this.#guaranteed + bytes > this.limit) {
      throw new RangeError(
        `connection ${name}: guarantee of ${String(bytes)} bytes on top of ` +
          `${String(this.#guaranteed)} exceeds the byte budget of ${String(this.limit)}`,
      );
    }
    this.#guaranteed += bytes;
  }

  dropGuarantee(bytes: number): void {
    this.#guaranteed -= bytes;
  }

  /** Requests queued for bytes. */
  get waiting(): number {
    return this.#waiters.length;
  }

  /** Bytes that may be taken now without overtaking a waiter. */
  get unclaimed(): number {
    return this.#waiters.length > 0 ? 0 : this.limit - this.#used;
  }

  /** @throws RangeError when more than `unclaimed`. */
  take(bytes: number): void {
    if (bytes > this.unclaimed) {
      throw new RangeError(
        `byte budget: ${String(bytes)} bytes asked, ${String(this.unclaimed)} unclaimed of ${String(this.limit)}`,
      );
    }
    this.#used += bytes;
  }

  /** @throws RangeError when more than was taken. */
  give(bytes: number): void {
    if (bytes > this.#used) {
      throw new RangeError(`byte budget: ${String(bytes)} bytes given back, ${String(this.#used)} used`);
    }
    this.#used -= bytes;
    this.#serve();
  }

  /** Queues a request, or serves it at once when it is the first and fits. */
  enqueue(waiter: BudgetWaiter): void {
    this.#waiters.push(waiter);
    this.#serve();
  }

  /** Takes a request out of the queue; those behind it move up. */
  cancel(waiter: BudgetWaiter): void {
    const index = this.#waiters.indexOf(waiter);
    if (index >= 0) {
      this.#waiters.splice(index, 1);
      this.#serve();
    }
  }

  #serve(): void {
    // `served` may enqueue or give: the running loop sees it, a nested one would recurse per waiter.
    if (this.#serving) {
      return;
    }
    this.#serving = true;
    try {
      for (let waiter = this.#waiters[0]; waiter !== undefined; waiter = this.#waiters[0]) {
        const taken = waiter.take(this.limit - this.#used);
        if (taken === undefined) {
          return;
        }
        this.#waiters.shift();
        this.#used += taken;
        waiter.served();
      }
    } finally {
      this.#serving = false;
    }
  }
}
