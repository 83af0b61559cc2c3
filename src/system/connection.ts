import type { BudgetWaiter, ByteBudget } from './budget.ts';
import {
  type Account,
  addCost,
  budgetShare,
  type Cost,
  checkCost,
  formatCost,
  grantRows,
  grantWhole,
  isCount,
  isWithin,
  NO_COST,
  subtractCost,
} from './credit.ts';
import { type Delivery, DeliveryQueue, type QueuedItem } from './delivery-queue.ts';

export type { Cost } from './credit.ts';
export type { QueuedItem } from './delivery-queue.ts';

export interface ConnectionOptions {
  readonly name: string;
  /** The stage that handles what is sent: while that is paused, it waits here. */
  readonly receiver: string;
  /** Hard limits of what is reserved and not yet released. */
  readonly thresholds: Cost;
  /** Binds on top, over all connections that share it. */
  readonly budget: ByteBudget;
  /**
   * Bytes of the budget set aside for this connection alone; default 0. Where a stage must reserve
   * downstream before it releases upstream, give the downstream connection room for at least one
   * item: otherwise the upstream may hold the whole budget, and both wait for ever.
   */
  readonly guaranteedBytes?: number;
}

/** A reservation that waits for credit. */
interface Waiter {
  /** What it gets when `budgetFree` bytes can be had, or `undefined`: not enough yet. */
  readonly grant: (account: Account, budgetFree: number) => Cost | undefined;
  readonly resolve: (granted: Cost | undefined) => void;
}

/**
 * A named, bounded link between two stages. The sender reserves credit, sends, and whoever has
 * handled the item releases it. Reservations are granted in the order they were asked for.
 *
 * Only the first reservation in the queue may take credit, and it asks for the budget only when its
 * own thresholds let it through: a full connection never keeps others from the budget.
 */
export class Connection {
  readonly name: string;
  readonly receiver: string;
  #thresholds: Cost;
  readonly #budget: ByteBudget;
  #held: Cost = NO_COST;
  readonly #promisedBytes: number;
  /** Set to the promised bytes as soon as the budget has them to spare. */
  #guaranteedBytes = 0;
  #guarantee: BudgetWaiter | undefined;
  /** The request of the first waiter, while it is in the budget's queue. */
  #request: BudgetWaiter | undefined;
  readonly #waiters: Waiter[] = [];
  readonly #deliveries = new DeliveryQueue();
  #closed = false;
  #waits = 0;
  #sent = 0;

  /** @throws RangeError when a threshold is not a positive integer, or the guarantee exceeds one. */
  constructor(options: ConnectionOptions) {
    const { name, receiver, thresholds, budget, guaranteedBytes = 0 } = options;
    checkThresholds(name, thresholds);
    if (!isCount(guaranteedBytes) || guaranteedBytes > thresholds.bytes) {
      throw new RangeError(
        `connection ${name}: guarantee of ${String(guaranteedBytes)} bytes, ` +
          `threshold ${String(thresholds.bytes)} bytes`,
      );
    }
    budget.addGuarantee(name, guaranteedBytes);
    this.name = name;
    this.receiver = receiver;
    this.#thresholds = thresholds;
    this.#budget = budget;
    this.#promisedBytes = guaranteedBytes;
    if (guaranteedBytes > 0) {
      this.#setAside(guaranteedBytes);
    }
  }

  get thresholds(): Cost {
    return this.#thresholds;
  }

  /**
   * Sets other limits. What is reserved beyond lower ones stays; nothing more is granted until it is below.
   * Bytes do not fall below what is guaranteed.
   * @throws RangeError when a threshold is not a positive integer.
   */
  setThresholds(thresholds: Cost): void {
    checkThresholds(this.name, thresholds);
    this.#thresholds = { ...thresholds, bytes: Math.max(thresholds.bytes, this.#promisedBytes) };
    this.#grantWaiters();
  }

  /** Everything reserved and not yet released. */
  get depth(): Cost {
    return this.#held;
  }

  /** Reservations that had to wait, since the connection was opened. */
  get waits(): number {
    return this.#waits;
  }

  /** Items handed over, since the connection was opened. */
  get sent(): number {
    return this.#sent;
  }

  /** Reservations waiting now. */
  get waiting(): number {
    return this.#waiters.length;
  }

  get paused(): boolean {
    return this.#deliveries.paused;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What was sent and waits for `resume`, in order. */
  queued(): readonly QueuedItem[] {
    return this.#deliveries.list();
  }

  /**
   * Reserves as many rows as rows, bytes and budget allow now, at least 1 and at most `wanted`;
   * waits while not one fits. Resolves to their number; their cost is
   * `{ rows, bytes: rows * bytesPerRow }`. 0 when aborted or closed.
   * @throws RangeError when a single row can never fit, or the arguments are not counts.
   */
  async reserveRows(wanted: number, bytesPerRow: number, signal: AbortSignal): Promise<number> {
    if (!isCount(wanted) || wanted === 0) {
      throw new RangeError(`connection ${this.name}: ${String(wanted)} rows wanted`);
    }
    this.#checkEverFits({ rows: 1, bytes: bytesPerRow });
    const granted = await this.#reserve(
      (account, free) => grantRows(account, wanted, bytesPerRow, free),
      signal,
    );
    return granted?.rows ?? 0;
  }

  /**
   * The same without waiting: 0 when not one row fits now, or others wait already.
   */
  tryReserveRows(wanted: number, bytesPerRow: number): number {
    this.#checkEverFits({ rows: 1, bytes: bytesPerRow });
    if (this.#closed || this.#waiters.length > 0 || wanted === 0) {
      return 0;
    }
    const granted = grantRows(this.#account(), wanted, bytesPerRow, this.#budget.unclaimed);
    if (granted === undefined) {
      return 0;
    }
    const before = this.#share();
    this.#held = addCost(this.#held, granted);
    this.#budget.take(this.#share() - before);
    return granted.rows;
  }

  /**
   * Reserves the whole cost, waiting until it fits. False when aborted or closed.
   * @throws RangeError when it can never fit.
   */
  async reserve(cost: Cost, signal: AbortSignal): Promise<boolean> {
    this.#checkEverFits(cost);
    const granted = await this.#reserve((account, free) => grantWhole(account, cost, free), signal);
    return granted !== undefined;
  }

  /**
   * Returns credit after handling, whole or in parts.
   * @throws RangeError when more than is held: credit would be made out of nothing.
   */
  release(cost: Cost): void {
    checkCost(`connection ${this.name}: release`, cost);
    if (this.#closed) {
      return;
    }
    if (!isWithin(cost, this.#held)) {
      throw new RangeError(
        `connection ${this.name}: release of ${formatCost(cost)}, held ${formatCost(this.#held)}`,
      );
    }
    const before = this.#share();
    this.#held = subtractCost(this.#held, cost);
    this.#budget.give(before - this.#share());
    this.#grantWaiters();
  }

  /**
   * Hands over an item whose cost is reserved: delivered at once, or on `resume` while paused.
   * @throws RangeError when the cost was not reserved.
   */
  send(label: string, cost: Cost, delivery: Delivery): void {
    if (this.#closed) {
      return;
    }
    if (!isWithin(addCost(this.#deliveries.cost, cost), this.#held)) {
      throw new RangeError(
        `connection ${this.name}: ${label} of ${formatCost(cost)} was sent without a reservation`,
      );
    }
    this.#sent += 1;
    this.#deliveries.send(label, cost, delivery);
  }

  /** Keeps what is sent from now on; reservations are still granted, up to the thresholds. */
  pause(): void {
    this.#deliveries.pause();
  }

  /** Delivers the first item that was kept, although paused. False when there is none. */
  step(): boolean {
    return this.#deliveries.step();
  }

  /** Drops what was kept, each item being told, and returns its credit. What was dropped, in order. */
  drop(): readonly QueuedItem[] {
    const dropped = this.#deliveries.drop();
    for (const { cost } of dropped) {
      this.release(cost);
    }
    return dropped;
  }

  /**
   * Delivers what was kept, in order, then lets items through again. When a delivery throws, the
   * rest is still delivered and the first error is thrown at the end.
   */
  resume(): void {
    this.#deliveries.resume();
  }

  /**
   * Gives everything back to the budget and resolves all waiters as aborted. What is still queued
   * is dropped; later releases and sends do nothing, so a late one cannot pay into a successor.
   */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    const share = this.#share();
    this.#held = NO_COST;
    this.#guaranteedBytes = 0;
    this.#deliveries.clear();
    for (const waiter of this.#waiters.splice(0)) {
      waiter.resolve(undefined);
    }
    this.#cancelRequest();
    this.#budget.dropGuarantee(this.#promisedBytes);
    if (this.#guarantee !== undefined) {
      this.#budget.cancel(this.#guarantee);
    }
    this.#budget.give(share);
  }

  #account(): Account {
    return { thresholds: this.#thresholds, held: this.#held, guaranteedBytes: this.#guaranteedBytes };
  }

  #share(): number {
    return budgetShare(this.#held.bytes, this.#guaranteedBytes);
  }

  #setAside(bytes: number): void {
    this.#guarantee = {
      take: (free) => {
        if (this.#closed) {
          return 0;
        }
        const missing = budgetShare(this.#held.bytes, bytes) - this.#share();
        if (missing > free) {
          return undefined;
        }
        this.#guaranteedBytes = bytes;
        return missing;
      },
      served: () => {
        this.#guarantee = undefined;
        this.#grantWaiters();
      },
    };
    this.#budget.enqueue(this.#guarantee);
  }

  #checkEverFits(cost: Cost): void {
    checkCost(`connection ${this.name}`, cost);
    if (!isWithin(cost, this.#thresholds)) {
      throw new RangeError(
        `connection ${this.name}: ${formatCost(cost)} can never fit, threshold ${formatCost(this.#thresholds)}`,
      );
    }
    const attainable = this.#budget.limit - this.#budget.guaranteed + this.#promisedBytes;
    if (cost.bytes > attainable) {
      throw new RangeError(
        `connection ${this.name}: ${formatCost(cost)} can never fit, byte budget ` +
          `${String(this.#budget.limit)} bytes, of which ${String(attainable)} are open to it`,
      );
    }
  }

  #reserve(grant: Waiter['grant'], signal: AbortSignal): Promise<Cost | undefined> {
    if (signal.aborted || this.#closed) {
      return Promise.resolve(undefined);
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        grant,
        resolve: (granted) => {
          signal.removeEventListener('abort', abort);
          resolve(granted);
        },
      };
      const abort = (): void => {
        this.#withdraw(waiter);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiters.push(waiter);
      this.#grantWaiters();
      if (this.#waiters.includes(waiter)) {
        this.#waits += 1;
      }
    });
  }

  #withdraw(waiter: Waiter): void {
    const index = this.#waiters.indexOf(waiter);
    if (index < 0) {
      return;
    }
    this.#waiters.splice(index, 1);
    waiter.resolve(undefined);
    if (index === 0) {
      this.#cancelRequest();
    }
    this.#grantWaiters();
  }

  /** Grants in order as far as credit reaches; queues the first left over for the budget. */
  #grantWaiters(): void {
    for (let first = this.#waiters[0]; first !== undefined; first = this.#waiters[0]) {
      // While our own request is queued nothing is unclaimed; our guarantee may still suffice.
      const granted = first.grant(this.#account(), this.#budget.unclaimed);
      if (granted === undefined) {
        this.#queueForBudget(first);
        return;
      }
      this.#budget.take(this.#hold(first, granted));
      this.#cancelRequest();
    }
  }

  #queueForBudget(first: Waiter): void {
    const onlyBudgetMissing = first.grant(this.#account(), this.#budget.limit) !== undefined;
    if (this.#request !== undefined || !onlyBudgetMissing) {
      return;
    }
    this.#request = {
      take: (free) => {
        const granted = first.grant(this.#account(), free);
        return granted === undefined ? undefined : this.#hold(first, granted);
      },
      served: () => {
        this.#request = undefined;
        this.#grantWaiters();
      },
    };
    this.#budget.enqueue(this.#request);
  }

  #cancelRequest(): void {
    const request = this.#request;
    if (request !== undefined) {
      this.#request = undefined;
      this.#budget.cancel(request);
    }
  }

  /** Books the grant of the first waiter; returns the bytes it adds to the share of the budget. */
  #hold(first: Waiter, granted: Cost): number {
    const before = this.#share();
    this.#held = addCost(this.#held, granted);
    this.#waiters.shift();
    first.resolve(granted);
    return this.#share() - before;
  }
}

function checkThresholds(name: string, thresholds: Cost): void {
  checkCost(`connection ${name}: thresholds`, thresholds);
  if (thresholds.rows === 0 || thresholds.bytes === 0) {
    throw new RangeError(`connection ${name}: thresholds ${formatCost(thresholds)} let nothing through`);
  }
}
