import { addCost, type Cost, NO_COST, subtractCost } from './credit.ts';

/** Something sent and not yet delivered, because its connection is paused. */
export interface QueuedItem {
  readonly label: string;
  readonly cost: Cost;
}

interface Delivery extends QueuedItem {
  readonly deliver: () => void;
}

/** Delivers in the order of sending; keeps what is sent while paused. */
export class DeliveryQueue {
  readonly #waiting: Delivery[] = [];
  #cost: Cost = NO_COST;
  #paused = false;
  #draining = false;

  get paused(): boolean {
    return this.#paused;
  }

  /** Cost of all that waits. */
  get cost(): Cost {
    return this.#cost;
  }

  list(): readonly QueuedItem[] {
    return this.#waiting.map(({ label, cost }) => ({ label, cost }));
  }

  /** Delivers at once, unless paused or something sent earlier still waits. */
  send(label: string, cost: Cost, deliver: () => void): void {
    if (this.#paused || this.#draining || this.#waiting.length > 0) {
      this.#waiting.push({ label, cost, deliver });
      this.#cost = addCost(this.#cost, cost);
    } else {
      deliver();
    }
  }

  pause(): void {
    this.#paused = true;
  }

  /**
   * Delivers what waits, then lets items through again. When a delivery throws, the rest is still
   * delivered and the first error is thrown at the end.
   */
  resume(): void {
    this.#paused = false;
    if (this.#draining) {
      return;
    }
    const errors: unknown[] = [];
    this.#draining = true;
    for (let item = this.#next(); item !== undefined; item = this.#next()) {
      try {
        item.deliver();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#draining = false;
    if (errors.length > 0) {
      throw errors[0];
    }
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#cost = NO_COST;
  }

  /** A delivery may send again, pause or clear: what comes next is known only then. */
  #next(): Delivery | undefined {
    const item = this.#paused ? undefined : this.#waiting.shift();
    if (item !== undefined) {
      this.#cost = subtractCost(this.#cost, item.cost);
    }
    return item;
  }
}
