import type { Address } from '../../system/actor.ts';
import type { Connection } from '../../system/connection.ts';
import type { RegionMessage } from '../region/messages.ts';
import {
  allocateGroupedRows,
  allocateRowBuffer,
  type GroupedRows,
  groupByRegion,
  ROW_BYTES,
  type RowBuffer,
} from './row-buffer.ts';

export interface FanOutOptions {
  /** Rows collected at most before they must be sent. */
  readonly capacity: number;
  /** Number of regions there can be. */
  readonly regions: number;
  readonly connection: Connection;
  readonly regionFor: (region: number) => Address<RegionMessage>;
  readonly tell: (to: Address<RegionMessage>, message: RegionMessage) => boolean;
  readonly foldFailed: (offset: number, line: number) => void;
  /** Told of each row that was dropped on the way to its region. */
  readonly discarded: (offset: number, line: number) => void;
}

/** Groups of full size kept for the next sends. */
const SPARE_GROUPS = 2;
/** While so many groups are unhandled, rows are collected on instead of sent in ever more small groups. */
const BUSY_GROUPS = 64;

/**
 * The way from a partition to its regions: collects accepted rows, groups them by region, hands
 * each region its share, and knows when all of them are handled. Every row in here has its credit.
 */
export class FanOut {
  readonly buffer: RowBuffer;
  readonly #options: FanOutOptions;
  readonly #counters: Uint32Array;
  readonly #spare: GroupedRows[] = [];
  /** Groups whose rows are not all handled. */
  #outstanding = 0;
  #waiting: (() => void)[] = [];

  constructor(options: FanOutOptions) {
    this.#options = options;
    this.buffer = allocateRowBuffer(options.capacity);
    this.#counters = new Uint32Array(options.regions);
  }

  get room(): number {
    return this.buffer.capacity - this.buffer.rows;
  }

  /**
   * Sends what is collected, unless so many groups are under way already that one more would only
   * cost memory: then the rows wait for company. Called again as soon as groups are handled.
   */
  offer(): void {
    if (this.#outstanding < BUSY_GROUPS) {
      this.send();
    }
  }

  /** Whether every row that was sent is handled. */
  get settled(): boolean {
    return this.#outstanding === 0;
  }

  /** Sends all collected rows to their regions. */
  send(): void {
    const { buffer } = this;
    if (buffer.rows === 0) {
      return;
    }
    const { connection, discarded, foldFailed, regionFor, tell } = this.#options;
    // A group takes the memory its rows have credit for, not that of a full buffer.
    const full = buffer.rows * 2 > buffer.capacity;
    const group =
      (full ? this.#spare.pop() : undefined) ?? allocateGroupedRows(full ? buffer.capacity : buffer.rows);
    const ranges = groupByRegion(buffer, group, this.#counters);
    buffer.rows = 0;
    this.#outstanding++;
    let unhandled = ranges.length;
    for (const { region, from, to } of ranges) {
      const address = regionFor(region);
      const cost = { rows: to - from, bytes: (to - from) * ROW_BYTES };
      const handled = (): void => {
        connection.release(cost);
        unhandled--;
        if (unhandled === 0) {
          if (full && this.#spare.length < SPARE_GROUPS) {
            this.#spare.push(group);
          }
          this.#outstanding--;
          this.#notify();
        }
      };
      connection.send(address.path, cost, {
        deliver: () => {
          tell(address, {
            type: 'rows',
            rows: group,
            from,
            to,
            handled,
            foldFailed: (index) => {
              foldFailed(group.offset[index] as number, group.line[index] as number);
            },
          });
        },
        // They are not handled, so that no checkpoint takes them for counted.
        dropped: () => {
          for (let index = from; index < to; index++) {
            discarded(group.offset[index] as number, group.line[index] as number);
          }
        },
      });
    }
  }

  /** Resolves when every row that was sent is handled, or `signal` aborts. */
  async idle(signal: AbortSignal): Promise<void> {
    while (this.#outstanding > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.push(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  #notify(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) {
      wake();
    }
  }
}
