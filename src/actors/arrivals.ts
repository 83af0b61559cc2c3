/**
 * When rows arrived on disk, from the log to the model: a message header, and what is on its way.
 *
 * Only the first message of each transaction and partition tells it: all of them are of one file.
 */

/** Where no model comes, no more are remembered of one partition. */
const MOST_WAITING = 1_000;

interface Waiting {
  readonly offset: number;
  readonly arrivedAt: number;
}

export function encodeArrival(arrivedAt: number): string {
  return String(Math.round(arrivedAt));
}

/** Undefined where it is no time: whoever wrote it. */
export function decodeArrival(header: Uint8Array): number | undefined {
  const text = new TextDecoder().decode(header);
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Messages that tell when they arrived and that no served model reflects yet. Outlives the partitions' restarts. */
export class Arrivals {
  readonly #waiting = new Map<number, Waiting[]>();

  /** A message was read. @param arrivedAt wall-clock ms */
  read(partition: number, offset: number, arrivedAt: number): void {
    const waiting = this.#waiting.get(partition);
    if (waiting === undefined) {
      this.#waiting.set(partition, [{ offset, arrivedAt }]);
    } else if (waiting.length < MOST_WAITING) {
      waiting.push({ offset, arrivedAt });
    }
  }

  /** What is at `nextOffset` and after it is read again, here or elsewhere. */
  restored(partition: number, nextOffset: number): void {
    const waiting = this.#waiting.get(partition) ?? [];
    this.#waiting.set(
      partition,
      waiting.filter(({ offset }) => offset < nextOffset),
    );
  }

  /** A model is served that reflects everything below `nextOffsets`. @returns when what came into it had arrived. */
  served(nextOffsets: readonly number[]): readonly number[] {
    const arrived: number[] = [];
    for (const [partition, waiting] of this.#waiting) {
      const nextOffset = nextOffsets[partition] ?? 0;
      const still = waiting.filter(({ offset }) => offset >= nextOffset);
      if (still.length < waiting.length) {
        arrived.push(
          ...waiting.filter(({ offset }) => offset < nextOffset).map(({ arrivedAt }) => arrivedAt),
        );
        this.#waiting.set(partition, still);
      }
    }
    return arrived;
  }
}
