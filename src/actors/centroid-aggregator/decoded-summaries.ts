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
  readonly revision: string;
  readonly pane: ModelPane;
}

/** Most that is kept: 384 regions of 2,000 features are 45 MB. */
const MOST_BYTES = 96 * 2 ** 20;

/**
 * Panes as they were last decoded: of one with the same revision, in the same epoch, the same is given again.
 * What is given is shared and must not be changed. Where they would take more than `most` bytes, those that
 * come last are decoded each time.
 */
export class DecodedSummaries {
  readonly #most: number;
  #epoch = 0;
  /** By partition and token, then by the name of the part. */
  #kept: ReadonlyMap<string, ReadonlyMap<string, Decoded>> = new Map();

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /**
   * The panes of all summaries there are now, in the fixed order of a model. Others are forgotten, and all when
   * the epoch is another: then rows have been folded anew.
   * @throws SummaryFormatError when one is damaged or of an unknown version.
   */
  *decode(summaries: readonly EncodedSummary[], epoch = 0): Steps<readonly PlacedPane[]> {
    if (epoch !== this.#epoch) {
      this.#kept = new Map();
      this.#epoch = epoch;
    }
    const placed: PlacedPane[] = [];
    const all = new Map<string, ReadonlyMap<string, Decoded>>();
    let bytes = 0;
    for (const { partition, parts, token } of summaries) {
      const key = `${String(partition)}/${token}`;
      const before = this.#kept.get(key);
      const kept = new Map<string, Decoded>();
      all.set(key, kept);
      const { panes, region } = formOf(parts).panesOf(parts, (name, revision, decode) => {
        if (revision === undefined) {
          return decode();
        }
        const known = before?.get(name);
        const decoded = known?.revision === revision ? known : { revision, pane: decode() };
        const size = decoded.pane.tree.memoryBytes;
        if (bytes + size <= this.#most) {
          bytes += size;
          kept.set(name, decoded);
        }
        return decoded.pane;
      });
      for (const pane of panes) {
        placed.push({ region, partition, pane });
      }
      yield;
    }
    this.#kept = all;
    return placed.sort(byPlace);
  }
}
