import { addCost, type Cost, NO_COST, subtractCost } from './credit.ts';

/** Something sent and not yet delivered, because its connection is paused. */
export interface QueuedItem {
  readonly label: string;
  readonly cost: Cost;
}

/** What is to be done with an item; exactly one of the two is called, once, unless its connection is closed. */
export interface Delivery {
  readonly deliver: () => void;
  /** It was taken out of the queue, and its credit is returned. */
  readonly dropped: () => void;
}

interface WaitingItem extends QueuedItem, Delivery {}

/** Delivers in the order of sending; keeps what is sent while paused. */
export class DeliveryQueue {
  readonly #waiting: WaitingItem[] = [];
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
  send(label: string, cost: Cost, delivery: Delivery): void {
    if (this.#paused || this.#draining || this.#waiting.length > 0) {
      this.#waiting.push({ label, cost, ...delivery });
      this.#cost = addCost(this.#cost, cost);
    } else {
      delivery.deliver();
    }
  }

  /** Delivers the first of what waits, paused or not. False when nothing does. */
  step(): boolean {
    const item = this.#waiting[0];
    if (item === undefined) {
      return false;
    }
    this.#take();
    item.deliver();
    return true;
  }

  /** Takes out what waits, in order, and tells each item that it was dropped. */
  drop(): readonly QueuedItem[] {
    const dropped = this.#waiting.splice(0);
    this.#cost = NO_COST;
    for (const item of dropped) {
      item.dropped();
    }
    return dropped;
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
  #next(): WaitingItem | undefined {
    return this.#paused ? undefined : this.#take();
  }

  #take(): WaitingItem | undefined {
    const item = this.#waiting.shift();
    if (item !== undefined) {
      this.#cost = subtractCost(this.#cost, item.cost);
    }
    return item;
  }
}
