import type { Broker, Writer } from '../../broker/broker.ts';
import type { ActorContext } from '../../system/actor.ts';
import type { LedgerTotals } from '../ingest/ledger.ts';
import type { LedgerStore } from '../ingest/ledger-store.ts';
import type { ClaimHolder, LedgerOwnership } from '../ingest/ownership.ts';
import { type Claim, isBeyondRestart, openOwnedWriter } from '../owned-writer.ts';
import type { UndecidedCommits } from '../undecided-commits.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { PublisherMessage } from './messages.ts';

/** An owned ledger partition: its fenced writer, and its totals as last committed. */
export interface OpenPartition {
  readonly partition: number;
  readonly writer: Writer;
  totals: LedgerTotals;
  /** Aborted when the partition is to be let go, or the publisher told to stop. */
  readonly signal: AbortSignal;
}

interface Held {
  readonly claim: Claim;
  readonly stop: AbortController;
  opening: Promise<void>;
  open: OpenPartition | undefined;
  /** Resolves when the work on a file of it is over. */
  busy: Promise<void>;
}

export interface LedgerWritersDependencies {
  readonly broker: Broker;
  readonly ledger: LedgerStore;
  readonly ownership: LedgerOwnership;
  /** Told of what a restart would meet again. */
  readonly giveUp: (error: unknown) => void;
  readonly undecided: UndecidedCommits;
}

/** Which rows and files the totals hold: they grow with each commit of rows. */
export function totalsMark({ done, failed, nextOrder, read, rejected, sampled }: LedgerTotals): string {
  return [done, failed, nextOrder, read, rejected, sampled].join(' ');
}

/**
 * The ledger partitions that one incarnation of the publisher holds: opened as the group assigns them,
 * beside whatever file is being read, and given back when the work on them has come to a halt.
 */
export class LedgerWriters implements ClaimHolder {
  readonly #own: LedgerWritersDependencies;
  readonly #context: ActorContext<PublisherMessage>;
  readonly #held = new Map<number, Held>();
  #closed = false;

  constructor(own: LedgerWritersDependencies, context: ActorContext<PublisherMessage>) {
    this.#own = own;
    this.#context = context;
    context.signal.addEventListener(
      'abort',
      () => {
        for (const { stop } of this.#held.values()) {
          stop.abort();
        }
      },
      { once: true },
    );
    own.ownership.hold(this);
  }

  take(claim: Claim): void {
    const own = this.#own;
    const former = this.#held.get(claim.partition);
    if (this.#closed || former?.claim === claim) {
      return;
    }
    if (former !== undefined) {
      void this.#close(former).then(() => {
        this.take(claim);
      });
      return;
    }
    const nothing = Promise.resolve();
    const held: Held = {
      claim,
      stop: new AbortController(),
      opening: nothing,
      open: undefined,
      busy: nothing,
    };
    this.#held.set(claim.partition, held);
    held.opening = this.#open(held).catch((error: unknown) => {
      if (!held.stop.signal.aborted) {
        if (isBeyondRestart(error)) {
          own.giveUp(error);
        }
        this.#context.fail(error);
      }
    });
  }

  async release(partition: number): Promise<void> {
    const held = this.#held.get(partition);
    if (held !== undefined) {
      await this.#close(held);
    }
  }

  /** Runs `work` on an open partition; undefined when it is not, or no longer, ours. */
  async use<T>(partition: number, work: (open: OpenPartition) => Promise<T>): Promise<T | undefined> {
    const held = this.#held.get(partition);
    if (held?.open === undefined || held.stop.signal.aborted) {
      return undefined;
    }
    const working = work(held.open);
    held.busy = working.then(
      () => undefined,
      () => undefined,
    );
    return await working;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#held.values()].map((held) => this.#close(held)));
    this.#own.ownership.drop(this);
  }

  async #open(held: Held): Promise<void> {
    const { broker, ledger, ownership, undecided } = this.#own;
    const { clock, log } = this.#context;
    const { claim } = held;
    const { partition } = claim;
    const { signal } = held.stop;
    const writer = await openOwnedWriter(broker, ledger.writerName(partition), claim, { clock, log, signal });
    try {
      // What the former owner has committed; from here on nobody but us writes to it.
      await unlessAborted(broker.refreshTable(ledger.table, partition), signal);
      const totals = await unlessAborted(ledger.totals(partition), signal);
      undecided.found(partition, totalsMark(totals));
      held.open = { partition, writer, totals, signal };
    } catch (error) {
      await writer.close();
      throw error;
    }
    ownership.opened(claim);
  }

  async #close(held: Held): Promise<void> {
    held.stop.abort();
    await held.opening;
    await held.busy;
    if (this.#held.get(held.claim.partition) === held) {
      this.#held.delete(held.claim.partition);
      await held.open?.writer.close();
    }
  }
}
