import type { Broker, Transaction } from '../../broker/broker.ts';
import { partitionOf } from '../../broker/partitioner.ts';
import { REJECT_REASONS, type RejectReason } from '../../rows/reasons.ts';
import { REDRIVEN_PREFIX } from '../topics.ts';

/**
 * What a message says of its one row that had been rejected before and was sent to the log by a redrive.
 * The row is in the books already: it moves from rejected to counted, and is not read a second time.
 */
export interface Redriven {
  /** Why it had been rejected. */
  readonly reason: RejectReason;
  /** File it came from, as far as that is known. */
  readonly fileId: string | undefined;
  /**
   * Offset, in the partition that it is sent to again, of the message it was rejected from; undefined for
   * a row that the publisher rejected, which had never come to the log.
   */
  readonly rejectedAt: number | undefined;
}

const FORMAT_VERSION = 1;

export function encodeRedriven(redriven: Redriven): Uint8Array {
  return encode({ version: FORMAT_VERSION, ...redriven });
}

/** @throws Error when the header is damaged, or of a format that this version does not know. */
export function decodeRedriven(header: Uint8Array): Redriven {
  const { version, reason, fileId, rejectedAt } = JSON.parse(new TextDecoder().decode(header)) as {
    readonly version: unknown;
  } & Partial<Redriven>;
  if (version !== FORMAT_VERSION || reason === undefined || !REJECT_REASONS.includes(reason)) {
    throw new Error(
      `a redriven row has the format version ${String(version)} and the reason ${String(reason)}, this program ` +
        `knows version ${String(FORMAT_VERSION)}: run the same version of Geoflock everywhere`,
    );
  }
  return { reason, fileId, rejectedAt };
}

export interface RedrivenMark {
  /** Which redrive it was: a name of its own. */
  readonly by: string;
  /** Wall-clock ms. */
  readonly at: number;
}

/** The table of what was redriven: written in the transaction that sends the row, so that it is sent once. */
export class RedrivenMarks {
  readonly #broker: Broker;
  readonly #table: string;
  readonly #partitions: number;

  constructor(broker: Broker, table: string, partitions: number) {
    this.#broker = broker;
    this.#table = table;
    this.#partitions = partitions;
  }

  /** The mark of the row of this id, as far as the table was refreshed; undefined: it was not redriven. */
  async of(id: string): Promise<RedrivenMark | undefined> {
    const stored = await this.#broker.tableGet(this.#table, this.#partition(id), REDRIVEN_PREFIX + id);
    return stored === undefined ? undefined : (JSON.parse(new TextDecoder().decode(stored)) as RedrivenMark);
  }

  put(transaction: Transaction, id: string, mark: RedrivenMark): void {
    transaction.put(this.#table, this.#partition(id), REDRIVEN_PREFIX + id, encode(mark));
  }

  /** Brings `of` up to what is committed. */
  async refresh(): Promise<void> {
    const all = Array.from({ length: this.#partitions }, (_, partition) => partition);
    await Promise.all(all.map((partition) => this.#broker.refreshTable(this.#table, partition)));
  }

  #partition(id: string): number {
    return partitionOf(id, this.#partitions);
  }
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
