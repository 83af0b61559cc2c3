import { byPlace, type ModelPane, type PlacedPane } from '../../clustering/model-time.ts';
import { formOf } from '../../clustering/region-algorithm.ts';
import type { Steps } from '../../clustering/slices.ts';

/** A region's summary as it stands in the table of a partition. */
export interface EncodedSummary {
  readonly partition: number;
  readonly token: string;
  /** By their names, see `RegionState.parts`. */
  readonly parts: ReadonlyMap<string, Uint8Array>;
}

interface Decoded {
  readonly bytes: Uint8Array;
  readonly pane: ModelPane;
}

/** Most that is kept, encoded and decoded: 384 regions of 2,000 features are 75 MB. */
const MOST_BYTES = 96 * 2 ** 20;

/**
 * Panes as they were last decoded: of one whose bytes are the same the same is given again. What is
 * given is shared and must not be changed. Where they would take more than `most` bytes, those that come
 * last are decoded each time.
 */
export class DecodedSummaries {
  readonly #most: number;
  #kept: ReadonlyMap<string, Decoded> = new Map();

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /**
   * The panes of all summaries there are now, in the fixed order of a model. Others are forgotten.
   * @throws SummaryFormatError when one is damaged or of an unknown version.
   */
  *decode(summaries: readonly EncodedSummary[]): Steps<readonly PlacedPane[]> {
    const placed: PlacedPane[] = [];
    const kept = new Map<string, Decoded>();
    let bytes = 0;
    for (const { partition, parts, token } of summaries) {
      const { panes, region } = formOf(parts).panesOf(parts, (name, encoded, decode) => {
        const key = `${String(partition)}/${token}/${name}`;
        const before = this.#kept.get(key);
        const decoded =
          before !== undefined && sameBytes(before.bytes, encoded)
            ? before
            : { bytes: encoded, pane: decode() };
        const size = encoded.byteLength + decoded.pane.tree.memoryBytes;
        if (bytes + size <= this.#most) {
          bytes += size;
          kept.set(key, decoded);
        }
        return decoded.pane;
      });
      placed.push(...panes.map((pane) => ({ region, partition, pane })));
      yield;
    }
    this.#kept = kept;
    return placed.sort(byPlace);
  }
}

function sameBytes(before: Uint8Array, now: Uint8Array): boolean {
  return before === now || Buffer.compare(before, now) === 0;
}
